"""A mistake in an earlier question costs that question, and no more."""

from __future__ import annotations

from types import ModuleType, SimpleNamespace

import pytest

from autograder.testing import check_any, with_answers

SOURCE = """
def double(x):
    return 2 * x

def total(xs, *, start=0):
    return start + sum(double(x) for x in xs)
"""


def module() -> ModuleType:
    made = ModuleType("made")
    exec(SOURCE, vars(made))
    return made


def check_seven(value: object) -> None:
    assert value == 7, f"{value} is not 7"


def test_the_right_answer_is_enough() -> None:
    def broken() -> object:
        raise RuntimeError("the student's earlier answer is not needed")

    check_any(check_seven, lambda: 7, broken)


def test_what_follows_from_an_own_mistake_is_right_too() -> None:
    check_any(check_seven, lambda: 8, lambda: 7)


def test_the_first_failure_is_told() -> None:
    def broken() -> object:
        raise NotImplementedError("double")

    with pytest.raises(AssertionError, match="8 is not 7"):
        check_any(check_seven, lambda: 8, broken, lambda: 9)


def test_the_reference_calls_the_students_answer() -> None:
    reference = module()
    own = with_answers(reference, SimpleNamespace(double=lambda x: 3 * x), "double")
    assert own.total([1, 2], start=1) == 10
    assert reference.total([1, 2], start=1) == 7
    assert own.double(1) == 3
