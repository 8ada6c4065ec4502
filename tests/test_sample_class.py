"""The bundled class, graded by the command line: every row is one that was worked out by hand.

`data/sample_class.json` says for each why its score is what it is. A change of a score there needs a new reason, not a
new recording.
"""

from __future__ import annotations

import html
import io
import json
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from autograder.cli.common import Speaker
from autograder.cli.grade_table import grade_table
from autograder.cli.tables import FOUND_SHOWN
from autograder.course import Course
from autograder.gradebook import Gradebook
from autograder.grading.scheme import scheme_of

ROOT = Path(__file__).resolve().parents[1]
CLASS = ROOT / "examples" / "class"
EXPECTED: list[dict[str, Any]] = json.loads(
    (ROOT / "tests/data/sample_class.json").read_text(encoding="utf-8")
)
STUDENTS = [f"s{number:03}" for number in range(1, 17)]

Row = dict[str, Any]


@dataclass
class Run:
    """One `autograder grade`: its rows by place, and what it printed."""

    rows: dict[tuple[str, str], Row]
    out: str
    err: str


def run_of(out: str, err: str) -> Run:
    rows = {(row["student"], row["exercise"]): row for row in json.loads(out)["results"]}
    return Run(rows, out, err)


def grade(gradebook: Path, *options: str) -> Run:
    """The command in a process of its own."""
    command = [
        sys.executable,
        "-m",
        "autograder",
        "grade",
        str(CLASS),
        "--gradebook",
        str(gradebook),
        "--json",
    ]
    done = subprocess.run(
        [*command, "--lang", "en", *options], cwd=ROOT, capture_output=True, encoding="utf-8", timeout=900
    )
    assert done.returncode == 0, done.stderr
    return run_of(done.stdout, done.stderr)


@pytest.fixture(scope="module")
def gradebook(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(tmp_path_factory.mktemp("sample")) / "grades.db"


@pytest.fixture(scope="module")
def first(gradebook: Path) -> Run:
    return grade(gradebook)


def seen_in(row: Row) -> Row:
    """What the expectations speak of."""
    diagnoses = sorted({test["diagnosis"] for test in row["tests"] if test["diagnosis"]})
    return {key: row[key] for key in ("status", "score", "max_score")} | {"diagnoses": diagnoses}


@pytest.mark.parametrize("expected", EXPECTED, ids=lambda row: f"{row['student']}-{row['exercise']}")
def test_row(first: Run, expected: Row) -> None:
    row = first.rows[expected["student"], expected["exercise"]]
    wanted = {key: expected[key] for key in ("status", "score", "max_score", "diagnoses")}
    unpassed = {test["name"]: test["message"]["en"] for test in row["tests"] if test["outcome"] != "passed"}
    assert seen_in(row) == wanted, f"{expected['why']}; but {row['message']['en']} {unpassed}"
    assert row["isolation"] in ("full", "standard")


def test_no_other_rows(first: Run) -> None:
    assert list(first.rows) == [(row["student"], row["exercise"]) for row in EXPECTED]


def test_whoever_handed_in_nothing_is_in_the_gradebook(first: Run, gradebook: Path) -> None:
    with Gradebook(str(gradebook)) as book:
        assert book.students() == STUDENTS
    assert "s010" not in {student for student, _ in first.rows}


def test_class_shows_what_it_should() -> None:
    """What the class is for: every exercise twice at least, and most kinds of mistakes found by name."""
    exercises = [exercise.id for exercise in Course.load(ROOT, authoring=True) if exercise.kind != "quiz"]
    for exercise in exercises:
        rows = [row for row in EXPECTED if row["exercise"] == exercise]
        assert sum(row["score"] == row["max_score"] for row in rows) >= 2
        assert any(row["diagnoses"] for row in rows)
    assert {path.name for path in CLASS.iterdir()} == set(STUDENTS)
    assert {row["status"] for row in EXPECTED} == {"graded", "not_begun", "invalid"}
    suffixes = {path.suffix for path in CLASS.rglob("*") if path.is_file()}
    assert suffixes == {".py", ".ipynb", ""}
    assert sum(path.stat().st_size for path in CLASS.rglob("*") if path.is_file()) < 1 << 20


def test_second_run_grades_nothing(first: Run, gradebook: Path) -> None:
    again = grade(gradebook)
    assert again.out == first.out
    assert f"0 graded, {len(EXPECTED)} known already" in " ".join(again.err.split())


def test_two_workers_agree(first: Run, tmp_path: Path) -> None:
    """Test by test and message by message; only the order is that of finishing."""
    only = ("rag/fixed_chunks", "peft/lora")
    options = [word for exercise in only for word in ("--only", exercise)]
    wanted = {place: row for place, row in first.rows.items() if place[1] in only}
    assert grade(tmp_path / "grades.db", "--workers", "2", *options).rows == wanted


@pytest.mark.parametrize("exercise", ["attention/scaled_dot_product"])
def test_one_exercise_alone(
    first: Run, cli: Callable[..., Any], shared_sandbox: Any, tmp_path: Path, exercise: str
) -> None:
    """Nothing leaks from one exercise into another."""
    said = cli(
        "grade", CLASS, "--only", exercise, "--gradebook", tmp_path / "grades.db", "--course", ROOT, "--json"
    )
    assert said.code == 0, said.err
    alone = {place: row for place, row in first.rows.items() if place[1] == exercise}
    assert run_of(said.out, said.err).rows == alone


def test_the_picture_in_the_readme(first: Run, gradebook: Path) -> None:
    """What `make demo` shows, as it is now: every line of the table, and by name as many mistakes as are listed."""
    picture = (ROOT / "docs/demo.svg").read_text(encoding="utf-8")
    places: dict[float, list[tuple[float, str]]] = {}
    for x, y, text in re.findall(
        r'<text class="[^"]*" x="([\d.]+)" y="([\d.]+)"[^>]*>([^<]*)</text>', picture
    ):
        places.setdefault(float(y), []).append((float(x), html.unescape(text)))
    # Without blanks, which a picture leaves out.
    drawn = {"".join("".join(text for _, text in sorted(line)).split()) for line in places.values()}
    course = Course.load(ROOT, authoring=True)
    with Gradebook(str(gradebook)) as book:
        table = grade_table(book, scheme_of(book, course), STUDENTS, Speaker("en"))
    console = Console(width=80, file=io.StringIO(), highlight=False)
    console.print(table)
    shown = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert [line for line in shown if "".join(line.split()) not in drawn] == []
    named = {
        (row["exercise"], name)
        for row in first.rows.values()
        for test in row["tests"]
        if (name := test["diagnosis"])
    }
    absent = [place for place in named if not any(place[1] in line for line in drawn)]
    assert len(absent) <= max(0, len(named) - FOUND_SHOWN), absent
