"""A loop that does not end costs two time-outs, and no other question a point."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from autograder.course import Exercise
from autograder.grading.bundle import bundle_of
from autograder.grading.submissions import Submission
from autograder.grading.worker import Mode, Worker
from autograder.learn.check import check_file
from autograder.results import ExerciseResult, Limits, Outcome, TestResult
from autograder.runner import in_process
from autograder.runner.collect import TestCase
from autograder.runner.run import Ending
from autograder.runner.timeouts import run_in_turn
from autograder.text import Text

Edit = Callable[[Path, str, str], None]
ANSWER = """
def affine(x, scale, shift):
    {affine}
    return x * scale + shift


def normalise(x):
    {normalise}
    return (x - x.mean(-1, keepdim=True)) / x.std(-1, keepdim=True, correction=0)
"""
LOOP = "while True: pass"
BOTH = '''

@pytest.mark.parametrize("width", [2, 3, 4])
def test_{name}(student, width):
    """One after the other.

    zh: 先后调用。
    """
    student.affine(student.normalise(torch.randn(2, width)), 1.0, 0.0)


@pytest.mark.points(4)
@pytest.mark.parametrize("width", [3, 7])
def test_affine('''


@pytest.fixture
def grade(affine: Exercise, edited: Edit, shared_sandbox: Any) -> Callable[..., ExerciseResult]:
    """`grade(affine=..., normalise=...)`: statements to put before the right answers."""
    edited(affine.spec_file, "minutes = 20", "minutes = 20\nlimits.seconds = 0.3")

    def run(affine_: str = "pass", normalise: str = "pass", more: str = "") -> ExerciseResult:
        exercise = Exercise(affine.root, affine.unit, affine.topic)
        source = ANSWER.format(affine=affine_, normalise=normalise) + more
        files = {"affine.py": source.encode()}
        return Worker(Mode()).grade(
            bundle_of(exercise), Submission("s001", affine.id, "affine.py", "affine.py", files)
        )

    return run


def outcomes(tests: tuple[TestResult, ...]) -> dict[str, str]:
    return {test.name: test.outcome.value for test in tests}


def test_two_time_outs_tell_enough(grade: Callable[..., ExerciseResult]) -> None:
    result = grade(affine_=LOOP)
    found = outcomes(result.tests)
    assert [found["test_affine_by_hand"], found["test_affine[3]"], found["test_affine[7]"]] == [
        "timeout",
        "timeout",
        "not_run",
    ]
    assert result.score == 6.0  # all of the other question
    message = next(test.message for test in result.tests if test.name == "test_affine[7]")
    assert "was not run" in message.en and "ran out of time" in message.en
    assert "没有运行" in message.zh and "超时" in message.zh


@pytest.mark.parametrize("slow", ["affine", "normalise"])
def test_which_of_two_questions_is_slow_no_test_of_both_tells(
    grade: Callable[..., ExerciseResult], affine: Exercise, edited: Edit, slow: str
) -> None:
    """Whichever it is, the other one keeps its points."""
    head = '\n\n@pytest.mark.points(4)\n@pytest.mark.parametrize("width", [3, 7])\ndef test_affine('
    edited(affine.hidden_tests, head, BOTH.format(name="both"))
    result = grade(**{"affine_" if slow == "affine" else "normalise": "import time\n    " + LOOP})
    found = outcomes(result.tests)
    other = {"affine": "normalise", "normalise": "affine"}[slow]
    assert all(outcome == "passed" for name, outcome in found.items() if name.startswith(f"test_{other}"))
    assert list(found.values()).count("timeout") <= 4
    assert found["test_both[4]"] == "not_run"


def test_a_file_that_does_not_load_is_no_such_case(grade: Callable[..., ExerciseResult]) -> None:
    """It is tried once, and every test says so."""
    tests = grade(more="import sys\nsys.exit()\n").tests
    assert {test.outcome for test in tests} == {tests[0].outcome}
    assert tests[0].outcome is not Outcome.NOT_RUN


def test_a_mistake_that_loops_is_named_all_the_same(
    grade: Callable[..., ExerciseResult], affine: Exercise, edited: Edit
) -> None:
    """By the tests that ran, where the one that catches it did not."""
    edited(affine.public_tests, "def test_affine_by_hand(student):", "@pytest.mark.parametrize('again', [1, 2])\ndef test_affine_by_hand(student, again):")  # fmt: skip
    edited(affine.spec_file, 'with = "x * scale"', 'with = "x * scale if [0 for _ in iter(int, 1)] else x"')
    result = grade(affine_="return [0 for _ in iter(int, 1)]")
    assert outcomes(result.tests)["test_affine[3]"] == "not_run"
    assert {test.diagnosis for test in result.tests if test.outcome is Outcome.TIMEOUT} == {"unshifted"}


def case(name: str, *uses: str, seconds: float = 3.0) -> TestCase:
    return TestCase(
        name, lambda: None, (), {}, 1.0, Text(), own_limits={"seconds": seconds}, uses=frozenset(uses)
    )


@pytest.mark.parametrize(
    ("cases", "expected"),
    [
        ([case(f"a{n}", "a") for n in range(5)], 2),
        ([case(f"a{n}", "a", seconds=10) for n in range(5)], 1),  # two would take more than 12 s
        ([case(f"{q}{n}", q) for q in "ab" for n in range(5)], 4),
        ([case(f"{q}{n}", q) for q in "abc" for n in range(5)], 5),
        ([case("whole"), case("whole again"), case("a", "a"), case("third")], 3),
        ([case("ab", "a", "b"), case("ba", "a", "b"), case("b", "b"), case("again", "a", "b")], 3),
    ],
)
def test_how_many_run_out_of_time(cases: list[TestCase], expected: int) -> None:
    """Where every test does that is run."""

    class Loaded:
        load_error = None

    def run(case: TestCase) -> Ending:
        return Ending(Outcome.TIMEOUT)

    backend: Any = Loaded()
    found = [ending.outcome for _, ending in run_in_turn(cases, run, backend, ("a", "b", "c"), Limits())]
    assert found.count(Outcome.TIMEOUT) == expected
    assert found.count(Outcome.NOT_RUN) == len(cases) - expected


@pytest.mark.timeout(
    900, method="thread"
)  # with a signal's timer of its own set, pytest-timeout's, ours is not
def test_check_goes_by_the_same_rule(affine: Exercise, edited: Edit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(in_process, "PATIENCE", 0.1)
    monkeypatch.setattr(in_process, "AFTERWARDS", 0.1)
    edited(affine.public_tests, "[0.0, 5.0]", "[0.0, 5.0, 6.0, 7.0]")
    edited(affine.skeleton, 'raise NotImplementedError("normalise")', LOOP)
    report = check_file(affine, "zh")
    assert [test.outcome for test in report.tests][1:] == [*2 * [Outcome.TIMEOUT], *2 * [Outcome.NOT_RUN]]
    assert "没有运行" in report.tests[-1].message.zh
