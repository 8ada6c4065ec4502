"""The page on threats: its numbers are those of the attacks that stand here."""

from __future__ import annotations

import re
import runpy
import subprocess
import sys
from pathlib import Path

from autograder.feedback.explain import FAMILIES
from autograder.feedback.handed_in import LONGEST
from autograder.remote.intake import ELEMENTS

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/threats.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| \*\*([\w ]+)\*\* \| (\d+) \| (.+) \|$", re.MULTILINE)
# Cases at each level of the sandbox are one attack.
LEVEL = re.compile(r"\[(?:full|no-\w+)(?:-|(?=\]))")
NAMED = re.compile(r"`(\w[\w/]*\.py)((?:::\w+)?(?:, \w+)*)`")


def named_attacks(where: str) -> tuple[int, list[str]]:
    """How many attacks are in the files of `confined/` that a row names, and the tests that it names."""
    confined, tests = 0, []
    for file, functions in NAMED.findall(where):
        path = next(
            folder / file for folder in (ROOT / "tests/attacks", ROOT / "tests") if (folder / file).exists()
        )
        if path.parent.name == "confined":
            confined += len(runpy.run_path(str(path))["ATTACKS"])
        else:
            names = re.findall(r"\w+", functions)
            tests += [f"{path.relative_to(ROOT)}::{name}" for name in names] or [str(path.relative_to(ROOT))]
    return confined, tests


def collected(tests: list[str]) -> list[str]:
    """The names of the cases that pytest finds, without those that show that honest work is left alone."""
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", *tests]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, encoding="utf-8")
    assert done.returncode == 0, done.stdout + done.stderr
    cases = [line for line in done.stdout.splitlines() if "::" in line and "::test_honest" not in line]
    return sorted({LEVEL.sub("[", case) for case in cases})


def test_the_page_counts_the_attacks() -> None:
    rows = {name: (int(count), *named_attacks(where)) for name, count, where in ROW.findall(PAGE)}
    assert len(rows) >= 12
    cases = collected([test for _, _, tests in rows.values() for test in tests])
    found = {
        name: confined + sum(case.split("[")[0] in tests or case.split("::")[0] in tests for case in cases)
        for name, (_, confined, tests) in rows.items()
    }
    assert found == {name: count for name, (count, _, _) in rows.items()}
    assert f"{sum(found.values())} attacks" in PAGE


def test_every_attack_is_on_the_page() -> None:
    named = {file for file, _ in NAMED.findall(PAGE)}
    here = Path(__file__).parent
    files = {path.relative_to(here).as_posix() for path in here.rglob("*.py")}
    assert files - named <= {"conftest.py", "test_threats.py", "test_confined.py"}


def test_the_page_tells_the_limits() -> None:
    assert f"at most {LONGEST:,}" in PAGE
    assert f"{ELEMENTS // 10**6} million elements" in PAGE
    about = re.search(r"the kind of error \(of about (\d+)\)", PAGE)
    assert about is not None and abs(len(FAMILIES) - int(about[1])) <= 5  # one or two more with each Python
