"""Exercises that an assignment derives: tests of one's own and a mistake to find, from the course file to the export."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from autograder.course import Course, Exercise
from autograder.grading.bundle import bundle_of
from autograder.remote.module_sandbox import ModuleSandbox
from autograder.runner.tester import PROGRAM

Cli = Callable[..., Any]
Edited = Callable[[Path, str, str], None]
HandIn = Callable[..., Path]

ASSIGNMENT = """exercises = ["basics/affine", "extras"]

[[assignment]]
id = "week2"
title.en = "Second week"
title.zh = "第二周"
exercises = ["basics/own_test_affine", "debug_affine"]
"""
HEAD = "import pytest\nimport torch\n\nfrom autograder.testing import assert_close\n\n\n"
SOME = HEAD + (
    "def test_affine(student):\n"
    "    assert_close(student.affine(torch.tensor([[1.0, 2.0]]), 3.0, 4.0), torch.tensor([[7.0, 10.0]]))\n"
)


@pytest.fixture(scope="module")
def testers() -> Iterator[ModuleSandbox]:
    with ModuleSandbox(PROGRAM) as started:
        yield started


@pytest.fixture(autouse=True)
def started_once(shared_sandbox: Any, testers: ModuleSandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """No command starts a sandbox of its own, and no loop takes long."""
    monkeypatch.setattr("autograder.grading.own_tests.SECONDS", 2.0)
    lent = SimpleNamespace(open=testers.open, await_ready=testers.await_ready, close=lambda: None)
    monkeypatch.setattr("autograder.grading.own_tests.ModuleSandbox", lambda program, **options: lent)


@pytest.fixture
def assigned(toy: Path, edited: Edited) -> Course:
    """The toy course with an assignment of both kinds."""
    edited(toy / "course/course.toml", 'exercises = ["basics/affine", "extras"]\n', ASSIGNMENT)
    return Course.load(toy)


@pytest.fixture
def graded(assigned: Course, cli: Cli, tmp_path: Path) -> Callable[..., dict[str, dict[str, Any]]]:
    """`graded(folder)`: student -> topic -> what the gradebook has of it."""

    def grade(folder: Path) -> dict[str, dict[str, Any]]:
        book = tmp_path / "book.db"
        done = cli(
            "grade", folder, "--course", assigned.root, "--gradebook", book, "--only", "week2", "--json"
        )
        assert done.code == 0, done.err
        found: dict[str, dict[str, Any]] = {}
        for result in json.loads(done.out)["results"]:
            found.setdefault(result["student"], {})[result["exercise"].rpartition("/")[2]] = result
        return found

    return grade


def mended(given: str) -> str:
    assert given.count("return x * scale\n") == 1
    return given.replace("return x * scale\n", "return x * scale + shift\n")


def test_from_the_release_to_the_export(
    assigned: Course, graded: Any, cli: Cli, tmp_path: Path, hand_in: HandIn
) -> None:
    out, exercise = tmp_path / "out", assigned.exercise("affine")
    released = cli("release", out, "--to", "plain", "--assignment", "week2", "--course", assigned.root)
    assert released.code == 0, released.err
    template = (out / "exercises/basics/own_test_affine.py").read_text()
    given = (out / "exercises/basics/debug_affine.py").read_text()
    assert (out / "exercises/basics/affine.py").read_text() == exercise.skeleton.read_text()
    assert "own_test_affine" in (out / "README.md").read_text()
    assert cli("list", "--course", out).code == 0  # what was given out is a course

    hand_in(
        "good", {"own_test_affine.py": exercise.hidden_tests.read_text(), "debug_affine.py": mended(given)}
    )
    hand_in("good", {"affine.py": exercise.solution.read_text()})  # the `reference` that these tests ask for
    hand_in("poor", {"own_test_affine.py": SOME, "debug_affine.py": given})
    hand_in("idle", {"own_test_affine.py": template})
    folder = hand_in("bad", {"own_test_affine.py": SOME.replace("7.0", "8.0")})
    found = graded(folder)

    assert found["good"]["own_test_affine"]["score"] == 10
    assert found["good"]["debug_affine"]["score"] == 10
    assert found["poor"]["own_test_affine"]["score"] == 5
    assert found["poor"]["debug_affine"]["score"] == 0
    assert found["idle"]["own_test_affine"]["score"] == 0
    assert "does each of them assert something" in found["idle"]["own_test_affine"]["message"]["en"]
    assert found["bad"]["own_test_affine"]["score"] == 0
    assert [t["name"] for t in found["poor"]["own_test_affine"]["tests"]] == [
        "right_answers",
        *(f"mistake_{n}" for n in range(1, 9)),
    ]

    book = ("--gradebook", tmp_path / "book.db", "--course", assigned.root)
    shown = cli("gradebook", "show", "--student", "poor", *book).out
    assert "Your tests accept a program with this mistake" in shown
    assert "The hint of variance" in shown
    assert "unshifted" not in shown  # caught, and no name is told
    assert cli("gradebook", "show", "--student", "bad", *book).out.count("test_affine fails") == 1
    sheet = tmp_path / "grades.csv"
    assert cli("gradebook", "export", sheet, *book).code == 0
    rows = {row["student"]: row for row in csv.DictReader(sheet.open(encoding="utf-8"))}
    assert float(rows["good"]["basics/own_test_affine"]) == 10
    assert float(rows["poor"]["basics/debug_affine"]) == 0
    again = cli("grade", folder, *book, "--only", "week2")
    assert "0 graded, 6 known already" in again.err


# ------------------------------------------------------------------------------------------- own tests


HOSTILE = {
    "endless": (
        "def test_it(student):\n    while True:\n        pass\n",
        "test_it did not end within its time",
    ),
    "exits": ("def test_it(student):\n    __import__('os')._exit(0)\n", "test_it ended its process"),
    "exits_early": ("__import__('os')._exit(0)\n", "can't be run"),
    "reads": ("def test_it(student):\n    open('/etc/hostname').read()\n", "without a network, files"),
    "looks": ("def test_it(student):\n    student.affine.__code__\n", "not how it is written"),
    "no_python": ("def test_(student)\n", "can't be run"),
    "no_tests": ("x = 1\n", "holds no tests"),
    "strange": ("def test_it(tmp_path):\n    pass\n", "None of your tests could begin"),
    "asks": ("def test_it(student, reference):\n    assert reference.affine\n", "there is none"),
    # What a right answer gave, in a name and in a text of an error.
    "tells": (
        "def test_it(student):\n    told = str(student.affine(torch.tensor([1234.0]), 2.0, 1.0))\n"
        "    raise type('Told2469', (Exception,), {})(told)\n",
        "test_it fails",
    ),
}


def test_no_file_of_tests_is_worth_more_or_tells_more_than_it_should(graded: Any, hand_in: HandIn) -> None:
    for name, (source, _) in HOSTILE.items():
        hand_in(name, {"own_test_affine.py": HEAD + source})
    found = graded(hand_in("honest", {"own_test_affine.py": SOME}))
    assert found["honest"]["own_test_affine"]["score"] == 5
    for name, (_, said) in HOSTILE.items():
        result = found[name]["own_test_affine"]
        told = json.dumps([result["message"], [test["message"] for test in result["tests"]]])
        assert result["score"] == 0, name
        assert result["status"] != "ungraded", name
        assert said in told, name
        assert "2469" not in told
        assert "affine.py" not in told.replace("own_test_affine.py", "")


def test_what_a_test_s_process_says_of_itself_is_not_repeated(graded: Any, hand_in: HandIn) -> None:
    """The name of the running test is its word, too."""
    source = HEAD + (
        "def test_it(student):\n"
        "    found = object.__getattribute__(student, '_handle_remote')._process._programs\n"
        "    found.began('test_' + str(int(student.affine(torch.tensor([1234.0]), 2.0, 1.0))))\n"
        "    __import__('os')._exit(0)\n"
    )
    result = graded(hand_in("s001", {"own_test_affine.py": source}))["s001"]["own_test_affine"]
    told = json.dumps([test["message"] for test in result["tests"]])
    assert "2469" not in told
    assert "One of your tests" in told


def test_unsafe_grades_no_tests(assigned: Course, cli: Cli, hand_in: HandIn, tmp_path: Path) -> None:
    folder = hand_in("s001", {"own_test_affine.py": SOME})
    book = ("--gradebook", tmp_path / "book.db", "--course", assigned.root)
    done = cli("grade", folder, *book, "--only", "own_test_affine", "--unsafe")
    assert done.code == 3
    assert "in a sandbox only" in done.err


# ------------------------------------------------------------------------------------------- a mistake to find


def test_a_mend_is_worth_half_for_its_size(assigned: Course, graded: Any, hand_in: HandIn) -> None:
    given = bundle_of(assigned.graded.exercise("debug_affine")).given  # type: ignore[attr-defined]
    solution = assigned.exercise("affine").solution.read_text()
    rewritten = given.replace("centred = x - x.mean", "mean = 0.0\n    other = 1.0\n    centred = x - x.mean")
    mends = {
        "new": (mended(rewritten), 5),
        "imports": (given + "\nfrom affine import *\n", 0),
        "long": (mended(given) + "x = 1\n" * 3000, 5),
        "deep": (mended(given) + "x = " + "-" * 900 + "1\n", 5),
        "no_python": (given + "\n)", 0),
        "elsewhere": (given + "\naffine = lambda x, scale, shift: x * scale + shift\n", 5),
        "again": (given + "\ndef affine(x, scale, shift): return x * scale + shift\n", 5),
        "imported": (mended(given).replace("import torch\n", "import torch\nimport math\n", 1), 10),
        "comments": (mended(given).replace("# Find the bug", "# Found"), 10),
    }
    for name, (source, _) in mends.items():
        hand_in(name, {"debug_affine.py": source, "affine.py": solution})
    notebook = {"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    found = graded(hand_in("notebook", {"debug_affine.ipynb": json.dumps(notebook)}))
    assert {name: found[name]["debug_affine"]["score"] for name in mends} == {
        name: score for name, (_, score) in mends.items()
    }
    assert "is a notebook" in found["notebook"]["debug_affine"]["message"]["en"]
    assert "put back what was right" in json.dumps(found["new"])
    assert not any(test["diagnosis"] for result in found.values() for test in result["debug_affine"]["tests"])


# ------------------------------------------------------------------------------------------- what they leave alone


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("basics/own_test_nothing", "there is no exercise 'basics/nothing'"),
        ("debug_afine", "did you mean"),
        ("basics/debug_quiz", "basics/quiz is a quiz"),
    ],
)
def test_a_wrong_name(name: str, said: str, quiz: Exercise, cli: Cli, edited: Edited) -> None:
    edited(quiz.root / "course/course.toml", '"basics/affine", ', f'"{name}", ')
    done = cli("list", "--course", quiz.root)
    assert done.code == 2
    for part in ("course.toml", "week1", repr(name), said):
        assert part in done.err


def test_what_has_no_known_mistakes(assigned: Course, cli: Cli, tmp_path: Path, hand_in: HandIn) -> None:
    spec = assigned.exercise("affine").spec_file
    spec.write_text(spec.read_text().partition("[[misconception]]")[0])
    book = ("--gradebook", tmp_path / "book.db", "--course", assigned.root)
    done = cli("grade", hand_in("s001", {"affine.py": "x = 1"}), *book)
    assert done.code == 2
    assert "affine.toml lists no `[[misconception]]`" in done.err


def test_only_who_is_asked_for_them_gets_them(assigned: Course, cli: Cli, tmp_path: Path) -> None:
    """Neither a release of the whole course nor one of a unit shows a line of a solution."""
    for number, options in enumerate([(), ("--assignment", "basics"), ("--assignment", "week1")]):
        out = tmp_path / str(number)
        assert cli("release", out, "--to", "plain", "--course", assigned.root, *options).code == 0
        assert not [path for path in out.rglob("*") if path.name.startswith(("own_test_", "debug_"))]
        assert not [p for p in out.rglob("*.py") if "x * scale" in p.read_text(encoding="utf-8")]
    for target in ("nbgrader", "otter", "gradescope"):
        options = ("--to", target, "--course", assigned.root, "--assignment", "week2")
        done = cli("release", tmp_path / target, *options)
        assert done.code == 2
        assert "--to plain or --to github" in done.err
    whole = cli("release", tmp_path / "all", "--to", "gradescope", "--course", assigned.root)
    assert whole.code == 2


def test_work_is_not_overwritten(assigned: Course, cli: Cli, tmp_path: Path) -> None:
    options = (
        tmp_path / "out",
        "--to",
        "plain",
        "--course",
        assigned.root,
        "--assignment",
        "week2",
        "--force",
    )
    assert cli("release", *options).code == 0
    tests = tmp_path / "out/exercises/basics/own_test_affine.py"
    tests.write_text(SOME)
    done = cli("release", *options)
    assert done.code == 2
    assert "holds somebody's work" in done.err
    assert tests.read_text() == SOME


def test_other_commands_pass_them_over(assigned: Course, cli: Cli) -> None:
    course = ("--course", assigned.root)
    assert [e.id for e in assigned] == ["basics/affine", "extras/vowels"]
    assert [e.id for e in assigned.select(["week2"])] == []
    assert [e.id for e in assigned.graded] == [
        "basics/affine", "basics/own_test_affine", "basics/debug_affine", "extras/vowels",
    ]  # fmt: skip
    assert [e.id for e in assigned.graded.select(["basics"])] == ["basics/affine"]
    listed = json.loads(cli("list", "--json", *course).out)["exercises"]
    assert [e["kind"] for e in listed] == ["exercise", "tests", "debug", "exercise"]
    assert "own_test" not in cli("build", *course).out
    assert cli("audit", "week2", *course).code == 0  # nothing is left to audit


def test_being_assigned_makes_no_other_result_out_of_date(toy: Path, edited: Edited) -> None:
    before = bundle_of(Course.load(toy).exercise("affine"))
    edited(toy / "course/course.toml", 'exercises = ["basics/affine", "extras"]\n', ASSIGNMENT)
    assert bundle_of(Course.load(toy).graded.exercise("affine")).fingerprint == before.fingerprint


def test_what_nobody_assigned_is_no_answer(toy: Path, cli: Cli, hand_in: HandIn) -> None:
    """Learners practise in the folder that they hand in."""
    folder = hand_in("s001", {"own_test_affine.py": SOME, "debug_affine.py": "def affine(x, a, b): pass\n"})
    book = ("--gradebook", toy.parent / "book.db", "--course", toy)
    done = cli("grade", folder, "--accept-names", "--json", *book)
    assert json.loads(done.out)["results"] == []
    assert json.loads(done.out)["unrecognised"] in ([], {})
