"""The commands: what they cost before they begin, their exit statuses, and what goes to which stream."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from autograder.audit import Begun, Ended, Event, ExerciseAudit, Point
from autograder.course import Course, Exercise
from autograder.text import Text

Cli = Callable[..., Any]
Edit = Callable[[Path, str, str], None]
GOOD = "def vowels(text):\n    return sum(text.lower().count(c) for c in 'aeiou')\n"
LOWER = "def vowels(text):\n    return sum(c in 'aeiou' for c in text)\n"


@pytest.fixture
def graded(
    toy: Path, hand_in: Callable[..., Path], cli: Cli, shared_sandbox: Any, tmp_path: Path
) -> tuple[Any, Path]:
    """The toy course's second exercise, graded for three students: right, half right, unreadable."""
    hand_in("s001", {"vowels.py": GOOD})
    hand_in("s002", {"vowels.py": LOWER})
    folder = hand_in("s003", {"a/vowels.py": GOOD, "b/vowels.py": GOOD})
    book = tmp_path / "book.db"
    return cli("grade", folder, "--course", toy, "--gradebook", book, "--only", "extras"), book


@pytest.mark.parametrize("module", ["autograder.cli.main", "autograder"])
def test_nothing_heavy_is_imported(python: Callable[..., Any], module: str) -> None:
    """What keeps `--help` under 0.3 s: measured as imports, because a busy machine's clock says nothing."""
    done = python("-c", f"import sys, {module}; print(sorted(sys.modules))")
    loaded = set(done.stdout.replace("'", "").strip("[]\n").split(", "))
    assert module in loaded
    heavy = {"torch", "numpy", "sqlalchemy", "pandas", "rich.table", "rich.progress", "pytest", "nbformat", "jupytext",
             "dask", "distributed", "matplotlib", "jinja2"}  # fmt: skip
    assert not heavy & loaded
    if module == "autograder":
        assert not {"typer", "msgspec", "rich"} & loaded


def test_help_and_version(cli: Cli) -> None:
    said = cli("--help")
    assert said.code == 0
    for command in (
        "list",
        "check",
        "learn",
        "hint",
        "reset",
        "solution",
        "grade",
        "gradebook",
        "doctor",
        "build",
        "new",
        "notebooks",
        "audit",
    ):
        assert re.search(rf"^ +{command} ", said.out, re.MULTILINE), command
        assert cli(command, "--help").code == 0
    assert re.fullmatch(r"autograder \d+\.\d+\.\d+\n", cli("--version").out)


@pytest.mark.parametrize(
    "arguments", [("nosuch",), ("grade",), ("build", "--nosuch"), ("grade", "x", "--workers", "0")]
)
def test_wrong_usage_is_status_2(cli: Cli, arguments: tuple[str, ...]) -> None:
    said = cli(*arguments)
    assert said.code == 2
    assert "Traceback" not in said.err + said.out
    assert said.err


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("check", "basics/afine"), "did you mean 'basics/affine'?"),
        (("grade", "nowhere"), "nowhere is not a folder"),
        (("gradebook", "export", "x.csv", "--per", "week"), "choose student, exercise or test"),
        (("grade", "submissions", "--gradebook", "no/such/book.db"), "check that its folder exists"),
        (("gradebook", "show", "--student", "s404"), "has no student 's404'"),
        (("new", "Bad Name"), "write UNIT/TOPIC"),
        (("build", "nosuch"), "there is no exercise 'nosuch'"),
        (("audit", "nosuch"), "there is no exercise 'nosuch'"),
        (("learn", "nosuch"), "there is no exercise 'nosuch'"),
    ],
)
def test_errors_without_a_traceback(
    cli: Cli, toy: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], problem: str
) -> None:
    from autograder.gradebook import Gradebook

    monkeypatch.chdir(toy)
    (toy / "submissions").mkdir()
    Gradebook("gradebook.db").__exit__()
    said = cli(*arguments)
    assert said.code == 2
    assert problem in said.err
    assert said.err.startswith("autograder: ")
    assert "Traceback" not in said.err + said.out
    assert said.out == ""


def test_no_course_here(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    said = cli("build")
    assert said.code == 2
    assert "--course DIR" in said.err


def test_check(cli: Cli, toy: Path, edited: Edit) -> None:
    said = cli("check", "vowels", "--course", toy)
    assert (said.code, said.out) == (
        1,
        "extras/vowels  0 of 1 points\n  · vowels  not implemented\nA hint: autograder hint extras/vowels\n",
    )
    edited(toy / "exercises/extras/vowels.py", 'raise NotImplementedError("vowels")', "return 3")
    assert cli("check", "vowels", "--course", toy).code == 0
    assert "得分 1 / 1" in cli("check", "vowels", "--course", toy, "--lang", "zh").out


def test_check_json(cli: Cli, toy: Path) -> None:
    said = cli("check", "vowels", "--course", toy, "--json")
    document = json.loads(said.out)
    assert (document["exercise"], document["score"], document["max_score"]) == ("extras/vowels", 0, 1)
    assert document["tests"][0]["outcome"] == "not_implemented"
    assert said.code == 1


def test_what_a_submission_prints_is_not_json(cli: Cli, toy: Path, edited: Edit) -> None:
    edited(
        toy / "exercises/extras/vowels.py", 'raise NotImplementedError("vowels")', "print('loud'); return 3"
    )
    json.loads(cli("check", "vowels", "--course", toy, "--json").out)


def test_grade(graded: tuple[Any, Path]) -> None:
    said, book = graded
    assert said.code == 0, said.err
    rows = {line.split("│")[0].strip(): line for line in said.out.splitlines() if re.match(r" s00\d", line)}
    assert [rows[name].split("│")[1].strip() for name in ("s001", "s002", "s003")] == ["4", "1", "0!"]
    assert re.search(r"extras/vowels +│ lower_only +│ s002", said.out)
    assert "2 graded, 0 known already, 1 could not be read, 0 left ungraded" in said.err
    assert "\n  s003  extras/vowels: Two files answer this exercise: " in said.err
    assert book.exists()


def test_grade_again(graded: tuple[Any, Path], cli: Cli, toy: Path, tmp_path: Path) -> None:
    said = cli(
        "grade",
        tmp_path / "submissions",
        "--course",
        toy,
        "--gradebook",
        graded[1],
        "--only",
        "vowels",
        "--lang",
        "zh",
    )
    assert "新评 0 份，已有结果 2 份，无法读取 1 份" in said.err


def test_grade_json(graded: tuple[Any, Path], cli: Cli, toy: Path, tmp_path: Path) -> None:
    said = cli(
        "grade",
        tmp_path / "submissions",
        "--course",
        toy,
        "--gradebook",
        graded[1],
        "--only",
        "vowels",
        "--json",
    )
    document = json.loads(said.out)
    assert document["summary"]["results"] == 3
    assert document["summary"]["invalid"] == 1
    assert [r["score"] for r in document["results"]] == [4, 1, 0]
    hidden = next(t for t in document["results"][1]["tests"] if t["visibility"] == "hidden")
    assert hidden["diagnosis"] == "lower_only"
    assert hidden["message"]["zh"] == "有些元音是大写的。"


def test_show(graded: tuple[Any, Path], cli: Cli, toy: Path) -> None:
    one = cli("gradebook", "show", "--student", "s002", "--gradebook", graded[1], "--course", toy)
    assert one.code == 0
    assert "extras/vowels  1/4  graded" in one.out
    assert "lower_only: Some vowels are upper case." in one.out
    everyone = cli("gradebook", "show", "--gradebook", graded[1], "--course", toy, "--json")
    assert len(json.loads(everyone.out)["results"]) == 3
    chosen = cli(
        "gradebook", "show", "--gradebook", graded[1], "--course", toy, "--json", "--student", "s001"
    )
    assert [r["student"] for r in json.loads(chosen.out)["results"]] == ["s001"]
    unreadable = cli(
        "gradebook", "show", "--student", "s003", "--gradebook", graded[1], "--course", toy, "--lang", "zh"
    )
    assert "有两个文件对应这道题" in unreadable.out


def test_adjust_and_export(graded: tuple[Any, Path], cli: Cli, toy: Path, tmp_path: Path) -> None:
    options = ("--gradebook", graded[1], "--course", toy)
    said = cli(
        "gradebook", "adjust", "s002", "vowels", "1.5", "--reason", "my fault", "--who", "me", *options
    )
    assert (said.code, said.out.strip(), said.err) == (0, "s002, extras/vowels: 1 -> 2.5 of 4", "")
    assert cli("gradebook", "adjust", "--reason", "late", *options, "--", "s001", "vowels", "-1").code == 0
    assert cli("gradebook", "adjust", "s404", "vowels", "1", "--reason", "r", *options).code == 2
    said = cli("gradebook", "export", tmp_path / "grades.csv", *options)
    assert said.code == 0
    assert "3 rows written" in said.err
    with (tmp_path / "grades.csv").open(newline="", encoding="utf-8") as file:
        rows = {row["student"]: row for row in csv.DictReader(file)}
    assert [rows[name]["extras/vowels"] for name in ("s001", "s002", "s003")] == ["3.0", "2.5", "0.0"]
    for per, count in (("exercise", 3), ("test", 5)):
        assert cli("gradebook", "export", tmp_path / f"{per}.csv", "--per", per, *options).code == 0
        assert len((tmp_path / f"{per}.csv").read_text().splitlines()) == count + 1
    unwritable = cli("gradebook", "export", tmp_path / "no" / "grades.csv", *options)
    assert unwritable.code == 2
    assert "choose another place" in unwritable.err


FAILS = "solutions/extras/test_vowels.py:10"


def test_ungraded_is_status_3(
    cli: Cli, toy: Path, edited: Edit, hand_in: Callable[..., Path], shared_sandbox: Any, tmp_path: Path
) -> None:
    edited(toy / "solutions/extras/test_vowels.py", "== 10", "== 11")  # the reference itself fails
    folder = hand_in("s001", {"vowels.py": GOOD})
    options = ("--course", toy, "--gradebook", tmp_path / "b.db")
    said = cli("grade", folder, *options, "--only", "extras")
    assert said.code == 3
    assert "1 left ungraded" in said.err
    assert (
        "1 submissions could NOT be graded. The fault is the grader's or a test's, and costs nobody a point:"
        in said.err
    )
    assert "run the same command again" in said.err
    why = f"test_vowels ({FAILS}): the reference solution does not pass it here: AssertionError"
    assert f"extras/vowels  s001: {why}" in said.err
    shown = cli("gradebook", "show", "--student", "s001", *options)
    assert why in shown.out and "== 11" in shown.out
    for command in (("grade", folder, "--only", "extras"), ("gradebook", "show")):
        (row,) = json.loads(cli(*command, "--json", *options).out)["results"]
        assert row["detail"].startswith(why)
        told = json.dumps({key: value for key, value in row.items() if key != "detail"})
        assert why not in told and "Assertion" not in told


def test_ungraded_after_a_graded_attempt(
    cli: Cli, toy: Path, edited: Edit, hand_in: Callable[..., Path], shared_sandbox: Any, tmp_path: Path
) -> None:
    """The earlier score counts, and the instructor still sees what became of the later attempt."""
    options = ("--course", toy, "--gradebook", tmp_path / "b.db")
    assert cli("grade", hand_in("s001", {"vowels.py": GOOD}), "--only", "extras", *options).code == 0
    edited(toy / "solutions/extras/test_vowels.py", "== 10", "== 11")
    assert cli("grade", tmp_path / "submissions", "--only", "extras", *options).code == 3
    shown = cli("gradebook", "show", "--student", "s001", *options)
    assert "extras/vowels  4/4  graded" in shown.out
    assert f"ungraded: test_vowels ({FAILS}): the reference solution does not pass it here" in shown.out


def test_a_long_list_of_faults_is_short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTOGRADER_LANG", "en")
    from autograder.cli.common import Speaker
    from autograder.cli.tables import SHOWN, Tally, fault_lines
    from autograder.results import ExerciseResult, Isolation, Status

    tally = Tally()
    for reason in range(SHOWN + 5):
        for student in range(7 if reason == 3 else 1):
            result = ExerciseResult(
                student=f"s{student:03}", exercise="extras/vowels", status=Status.UNGRADED, score=None, max_score=4.0,
                isolation=Isolation.NONE, detail=f"reason {reason}\n  a traceback",
            )  # fmt: skip
            tally.add(result, cached=False)
    lines = fault_lines(tally, Speaker(None))
    assert lines[0] == "  extras/vowels  s000, s001, s002, s003, s004 +2: reason 3"
    assert len(lines) == SHOWN + 1 and lines[-1] == "  and 5 more"


def test_a_learner_reads_nothing_of_a_fault(cli: Cli, toy: Path, edited: Edit, shared_sandbox: Any) -> None:
    edited(toy / "solutions/extras/test_vowels.py", "== 10", "== 11")
    edited(toy / "exercises/extras/vowels.py", 'raise NotImplementedError("vowels")', "return 3")
    for more in ((), ("--json",)):
        said = cli("check", "vowels", "--hidden", "--course", toy, *more)
        assert "reference" not in said.out and "Assertion" not in said.out


def test_unsafe_says_so(cli: Cli, toy: Path, hand_in: Callable[..., Path], tmp_path: Path) -> None:
    folder = hand_in("s001", {"vowels.py": GOOD})
    said = cli(
        "grade",
        folder,
        "--course",
        toy,
        "--gradebook",
        tmp_path / "b.db",
        "--only",
        "extras",
        "--unsafe",
        "--json",
    )
    assert "UNSAFE" in said.err
    assert json.loads(said.out)["results"][0]["isolation"] == "unsafe"


def test_build(cli: Cli, toy: Path, edited: Edit) -> None:
    assert cli("build", "--course", toy).out.strip() == "0 files written, 6 unchanged."
    edited(toy / "exercises/extras/vowels.py", 'raise NotImplementedError("vowels")', "return 3")
    edited(toy / "solutions/extras/vowels.py", "# Count.", "# Count them.")
    kept = cli("build", "--course", toy, "--lang", "zh")
    assert kept.code == 1
    assert "exercises/extras/vowels.py 里有写过的内容" in kept.out
    assert cli("build", "extras", "--force", "--course", toy).out.strip() == "2 files written, 1 unchanged."
    edited(toy / "solutions/extras/vowels.py", "# END SOLUTION", "")
    broken = cli("build", "--course", toy)
    assert broken.code == 2
    assert "vowels.py" in broken.err
    assert "never ended" in broken.err


def test_new(cli: Cli, toy: Path) -> None:
    said = cli("new", "extras/fresh", "--course", toy)
    assert said.code == 0
    for line in said.out.splitlines()[:-1]:
        assert (toy / line).is_file()
    assert "autograder build extras/fresh" in said.out
    assert cli("build", "fresh", "--course", toy).code == 0
    assert cli("check", "fresh", "--course", toy).code == 1


def test_notebooks(cli: Cli, toy: Path, tmp_path: Path) -> None:
    options = ("--course", toy, "--out", tmp_path / "nb")
    said = cli("notebooks", *options, "--lang", "zh")
    assert said.code == 0
    assert said.out.split() == [
        str(tmp_path / "nb/basics/affine.ipynb"),
        str(tmp_path / "nb/extras/vowels.ipynb"),
    ]
    again = cli("notebooks", "extras", *options)
    assert again.code == 1
    assert "--force replaces it" in again.out
    assert cli("notebooks", "extras", *options, "--force").code == 0


def test_audit(cli: Cli, toy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Several exercises, by their own, their unit's or their assignment's name; what each needs is audited in tests/audit."""
    asked: list[Any] = []

    def events(
        course: Course, exercises: Sequence[Exercise], workers: int | None, counterexamples: bool
    ) -> Iterator[Event]:
        assert not counterexamples
        asked.append(([exercise.id for exercise in exercises], workers))
        for exercise in exercises:
            yield Begun(exercise.id)
        for exercise in exercises:
            green = exercise.id == "extras/vowels"
            point = Point(
                number=1, title=Text("One", "一"), problems=() if green else ("It fails.",), seconds=1.5
            )
            yield ExerciseAudit(exercise=exercise.id, green=green, seconds=1.5, points=(point,))
        yield Ended(9.0, 4.0, 2.0)

    monkeypatch.setattr("autograder.audit.audit_events", events)
    said = cli("audit", "vowels", "--course", toy, "--json", "--workers", 3)
    assert said.code == 0
    data = json.loads(said.out)
    assert data["run"] == {"type": "ended", "seconds": 9.0, "start": 4.0, "oracles": 2.0}
    assert [(e["exercise"], [p["seconds"] for p in e["points"]]) for e in data["exercises"]] == [
        ("extras/vowels", [1.5])
    ]
    said = cli("audit", "--course", toy)
    assert said.code == 1
    assert "✗ basics/affine" in said.err and "✓ extras/vowels" in said.err
    assert "It fails." in said.out
    assert cli("audit", "basics", "extras/vowels", "--course", toy).code == 1
    assert cli("audit", "week1", "--course", toy).code == 1
    both = ["basics/affine", "extras/vowels"]
    assert asked == [(["extras/vowels"], 3), *[(both, None)] * 3]


@pytest.mark.parametrize(("level", "code"), [("full", 0), (None, 1)])
def test_doctor(cli: Cli, monkeypatch: pytest.MonkeyPatch, level: str | None, code: int) -> None:
    """How its findings are told; what it finds is tried with the sandbox."""
    from autograder.sandbox import doctor
    from autograder.sandbox.sandbox import Level

    check = doctor.Check("network", "connect [out]", "refused", level is not None, "a remedy")
    report = doctor.DoctorReport(Level(level) if level else None, ("seccomp",), (check,))
    monkeypatch.setattr(doctor, "examine", lambda: report)
    said = cli("doctor", "--json")
    assert (said.code, json.loads(said.out)["level"]) == (code, level)
    table = cli("doctor")
    assert table.code == code
    assert "connect [out]" in table.out
    assert (level or "refuse").upper() in table.out


def test_python_dash_m(python: Callable[..., Any], toy: Path) -> None:
    done = python("-m", "autograder", "build", cwd=toy)
    assert (done.returncode, done.stdout.strip()) == (0, "0 files written, 6 unchanged.")


def test_a_closed_pipe_is_quiet(environment: dict[str, str], toy: Path) -> None:
    import subprocess
    import sys

    command = f"{sys.executable} -m autograder notebooks --force | true"
    done = subprocess.run(
        command, shell=True, cwd=toy, env=environment, capture_output=True, text=True, timeout=120
    )
    assert "Traceback" not in done.stderr
