"""How near a wrong answer is to a correct one: few lines, in the student's own numbering, and never what stands there instead."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest

from autograder.course import Course, Exercise
from autograder.grading.bundle import bundle_of
from autograder.grading.nearest import Near, nearest
from autograder.grading.submissions import Submission
from autograder.grading.worker import Mode, Worker
from autograder.results import ExerciseResult

SOLUTION = '''
def running(values: list[int], start: int = 0) -> list[int]:
    """Sums so far."""
    total = start
    sums = []
    for value in values:
        if value is None:
            continue
        total += value
        sums.append(total)
    return sums
'''
BY_INDEX = """
def running(values, start=0):
    sums = [start]
    for i in range(len(values)):
        sums.append(sums[-1] + values[i])
    return sums[1:]
"""
RENAMED = """
# A student's own words, layout and names.
def running(xs, first=0):
    s: int = first   # so far

    out = []
    for x in xs:
        if x is None:
            continue
        s += x
        out.append(s)
    return out
"""


def near(source: str, *solutions: str) -> list[Near]:
    return nearest(source, ["running"], solutions or (SOLUTION, BY_INDEX))


@pytest.mark.parametrize(
    ("old", "new", "lines"),
    [
        ("s += x", "s -= x", (10,)),
        ("    return out", "    return out[1:]", (12,)),
        ("        s += x\n", "", (9,)),  # a line that is missing: the one before it
        ("            continue\n", "            continue\n        print(x)\n", (10,)),
        ("out.append(s)", "out.append(x)", (11,)),  # a right name in a wrong place
        ("    return out", "    return s", (12,)),
        ("s += x\n        out.append(s)", "s -= x\n        out.append(x)", (10, 11)),
    ],
)
def test_lines_that_differ(old: str, new: str, lines: tuple[int, ...]) -> None:
    assert RENAMED.count(old) == 1
    assert near(RENAMED.replace(old, new)) == [Near("running", lines)]


@pytest.mark.parametrize(
    "source",
    [
        RENAMED,  # nothing differs: the mistake is elsewhere
        RENAMED.replace("s: int = first", "s = 1")
        .replace("s += x", "s -= x")
        .replace("return out", "return xs"),
        "def running(values, start=0):\n    return values\n",  # one line, as every answer of one line
        "def running(values, start=0):\n    raise NotImplementedError('running')\n",
        "def other(values): pass\n",
        "def running(values:\n",
        "def running(v):\n    return " + "-" * 5000 + "v\n",
        "def running(v):\n    return " + "(" * 150 + "v" + ")" * 150 + "\n    a\n    b\n    c\n",
        "\0",
        "x = 1\n" * 100_000,
    ],
)
def test_nothing_is_said(source: str) -> None:
    assert near(source) == []


def test_another_accepted_solution_may_be_the_nearest() -> None:
    assert near(BY_INDEX.replace("sums[1:]", "sums")) == [Near("running", (6,))]
    assert near(BY_INDEX.replace("sums[1:]", "sums"), SOLUTION) == []


def test_a_solution_s_helper_must_be_there() -> None:
    """A line that calls a helper of the solution's is right only beside that helper."""
    helper = "def add(a, b):\n    return a + b\n"
    solution = helper + SOLUTION.replace("total += value", "total = add(total, value)")
    wrong = solution.replace("sums.append(total)", "sums.append(value)")
    assert near(wrong, solution) == [Near("running", (12,))]
    assert near(wrong.replace("a + b", "a - b"), solution) == []


# ------------------------------------------------------------------------------------------ as students read it

WRONG = """import torch

def affine(x, scale, shift):
    return x * scale + shift


def normalise(rows):
    c = rows - rows.mean(dim=-1, keepdim=True)
    size = c.square().mean(dim=-1, keepdim=True)
    return torch.div(c, size)
"""
LINE = "One line of normalise differs from a correct solution:\n  line {n}: size = c.square().mean(dim=-1, keepdim=True)"


@pytest.fixture
def worker(shared_sandbox: Any) -> Worker:
    return Worker(Mode())


def graded(worker: Worker, exercise: Exercise, main: str, raw: bytes) -> ExerciseResult:
    return worker.grade(bundle_of(exercise), Submission("s001", exercise.id, main, main, {main: raw}))


def test_the_exercise_s_message(affine: Exercise, worker: Worker) -> None:
    """In the student's own numbering, for the function that lost points; not a word of the solution."""
    result = graded(worker, affine, "affine.py", WRONG.encode())
    assert 0 < result.score < result.max_score
    assert result.message.en == LINE.format(n=9)
    assert result.message.zh.startswith("normalise 与一个正确解法只差一行：\n  line 9: ")
    assert ".sqrt()" not in result.message.en + result.message.zh


def test_in_a_notebook_as_other_messages_count(affine: Exercise, worker: Worker) -> None:
    first, second = WRONG.split("\n\n\n")
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(f"%matplotlib inline\n{first}"), nbformat.v4.new_code_cell(second)]
    )
    result = graded(worker, affine, "affine.ipynb", nbformat.writes(notebook).encode())
    assert "size = c.square().mean(dim=-1, keepdim=True)" in result.message.en
    assert result.message.en.startswith("One line of normalise differs")


def test_right_answers_and_other_ways_are_told_nothing(affine: Exercise, worker: Worker) -> None:
    right = WRONG.replace("keepdim=True)\n    return", "keepdim=True).sqrt()\n    return")
    assert graded(worker, affine, "affine.py", right.encode()).message.en == ""
    other = "def affine(x, scale, shift): return x * scale + shift\ndef normalise(x): return x\n"
    assert graded(worker, affine, "affine.py", other.encode()).message.en == ""


def test_who_looks_for_a_planted_mistake_is_not_told_where_it_is(
    toy: Path, worker: Worker, edited: Callable[[Path, str, str], None]
) -> None:
    """Of a mend that is a line from right only what it fails is told."""
    edited(
        toy / "course/course.toml", '"basics/affine", "extras"', '"basics/affine", "debug_affine", "extras"'
    )
    exercise = Course.load(toy).graded.exercise("debug_affine")
    bundle = bundle_of(exercise)
    main, near = f"{exercise.topic}.py", bundle.right.replace(".sqrt()", "")  # type: ignore[attr-defined]
    assert near != bundle.right  # type: ignore[attr-defined]
    result = worker.grade(bundle, Submission("s001", exercise.id, main, main, {main: near.encode()}))
    assert result.score == 0.0
    said = "\n".join([result.message.en, *(test.message.en for test in result.tests)])
    assert "differs" not in said and "example" not in said
