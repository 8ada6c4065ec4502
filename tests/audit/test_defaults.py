"""What the audit says of functions that a test gives to the student with state of its own among their arguments."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from autograder.audit.defaults import overridable_defaults
from autograder.course import Course
from autograder.grading.bundle import bundle_of
from autograder.grading.submissions import Submission
from autograder.grading.worker import Mode, Worker
from autograder.results import Outcome

ROOT = Path(__file__).resolve().parents[2]

GIVEN = {
    "a nested function": "def test(student):\n    def count(x, calls=calls): ...\n    student.f(count)",
    "by name": "def test(student):\n    def count(x, *, calls=calls): ...\n    student.f(of=count)",
    "in a list": "def test(student):\n    def count(x, calls=calls): ...\n    student.f([count])",
    "through a helper": "def test(student):\n    def count(x, calls=calls): ...\n    run(student.f, count)",
    "a stand-in": "def test(student):\n    own_or_given(check, student, f=lambda x, y=1: y)",
    "a lambda": "def test(student):\n    student.f(lambda x, p=p: x < p)",
    "a named lambda": "def test(student):\n    below = lambda x, p=p: x < p\n    student.f(below)",
    "a function of the file": "def count(x, calls=[]): ...\ndef test(student):\n    student.f(count)",
    "a partial": "def test(student):\n    student.f(partial(count, calls=[]))",
    "a partial of names": "def test(student):\n    run = functools.partial(count, **names)\n    student.f(run)",
    "a partial of one": "def count(x, y, calls=[]): ...\ndef test(student):\n    student.f(partial(count, 1))",
    "called and given": "def test(student):\n    def count(x, calls=calls): ...\n    count(1)\n    student.f(count)",
    "an object that is called": "class Count:\n    def __call__(self, x, calls=None): ...",
    "a remote method": "class Peer:\n    __remote__ = ('send',)\n    def send(self, x, log=None): ...",
    "a bound method": "class Log:\n    def add(self, x, to=None): ...\ndef test(student):\n    student.f(Log().add)",
}
KEPT = {
    "no default": "def test(student):\n    def count(x): ...\n    student.f(count)\n    student.f(lambda *x: calls.append(x))",
    "only called": "def test(student):\n    def run(x, y=1): return student.f(x, y)\n    run(1)\n    run(1, 2)",
    "a helper calls it": "def test(student):\n    def check(right, x=x): ...\n    check_any(check, lambda s=s: s)\n"
    "    first_seed(lambda g: g, lambda x, p=p: x < p)\n    sorted(x, key=lambda x, p=p: x - p)",
    "a partial without names": "def count(x, y): ...\ndef test(student):\n    student.f(partial(count, calls))",
    "a partial that is called": "def train(x, y=1): ...\ndef test(student):\n    run = partial(train, y=2)\n    run(student)",
    "an attribute of that name": "def blocks(x, silent=()): ...\ndef test(student):\n    student.GPT().blocks[0](1)",
    "a class": "class Peer:\n    __remote__ = ('send',)\n    def __init__(self, log=None): ...\n    def send(self, x): ...\n"
    "def test(student):\n    student.f(Peer())",
}


@pytest.mark.parametrize("source", GIVEN.values(), ids=GIVEN)
def test_given(source: str) -> None:
    (problem,) = overridable_defaults(source)
    assert "the student's code could call" in problem


@pytest.mark.parametrize("source", KEPT.values(), ids=KEPT)
def test_kept(source: str) -> None:
    assert overridable_defaults(source) == []


def test_what_is_said() -> None:
    assert overridable_defaults(GIVEN["a nested function"]) == [
        "line 2: the student's code could call count with its own calls; let it find that in an enclosing function, "
        "not among its arguments"
    ]


def test_no_test_of_the_course_gives_any() -> None:
    paths = [*ROOT.glob("solutions/*/test_*.py"), *ROOT.glob("exercises/*/test_*.py")]
    assert len(paths) > 10
    found = {path: overridable_defaults(path.read_text(encoding="utf-8")) for path in paths}
    assert {path.name: problems for path, problems in found.items() if problems} == {}


def test_calls_are_counted_where_the_student_can_t_say(shared_sandbox: Any) -> None:
    """A second call of the tokeniser, which is one too many, with a list of one's own to be counted in."""
    exercise = Course.load(ROOT, authoring=True).exercise("rag/fixed_chunks")
    source = exercise.solution.read_text(encoding="utf-8")
    once = "in tokenize(text)]"
    assert source.count(once) == 1
    cheat = source.replace(
        once, f"{once}\n    try:\n        tokenize(text, [])\n    except Exception:\n        tokenize(text)"
    )
    main = "fixed_chunks.py"
    submission = Submission("cheat", exercise.id, main, main, {main: cheat.encode()})
    result = Worker(Mode()).grader(bundle_of(exercise)).grade(submission)
    outcomes = {test.name: test.outcome for test in result.tests}
    assert outcomes.pop("test_token_windows") is not Outcome.PASSED
