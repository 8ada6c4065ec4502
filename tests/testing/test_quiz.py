"""Answers of a quiz: which forms mean the same, what is no answer yet, and what is of a wrong form."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from autograder.testing import assert_choice, assert_number, assert_ordering, assert_several
from autograder.testing.quiz import WrongAnswer

Check = Callable[[Any], None]


def choice(value: Any) -> None:
    assert_choice(SimpleNamespace(x=value), "x", "abcd", right="b")


def several(value: Any) -> None:
    assert_several(SimpleNamespace(x=value), "x", "abcd", right="ac")


def ordering(value: Any) -> None:
    assert_ordering(SimpleNamespace(x=value), "x", "abc", right="cab")


def number(value: Any) -> None:
    assert_number(SimpleNamespace(x=value), "x", right=250, relative=0.01, wrong=(500, 25))


CHECKS = [choice, several, ordering, number]
FORMS = {
    choice: lambda value: assert_choice(SimpleNamespace(x=value), "x", "abcd"),
    several: lambda value: assert_several(SimpleNamespace(x=value), "x", "abcd"),
    ordering: lambda value: assert_ordering(SimpleNamespace(x=value), "x", "abc"),
    number: lambda value: assert_number(SimpleNamespace(x=value), "x"),
}


@pytest.mark.parametrize(
    ("check", "values"),
    [
        (choice, ["b", "B", " b ", "b)", "(b)", "ｂ", ["b"], ("B",), {"b"}]),
        (several, ["ac", "CA", "a, c", "a、c", ["c", "a"], ("a", "c"), {"a", "c"}, frozenset("ca"), "aac"]),
        (ordering, ["cab", "CAB", "c, a, b", "c > a > b", "c→a→b", ["c", "a", "b"], ("C", "A", "B")]),
        (number, [250, 250.0, 252.4, 247.6, np.float64(250), np.int64(250)]),
    ],
)
def test_harmless_forms(check: Check, values: list[Any]) -> None:
    for value in values:
        check(value)


@pytest.mark.parametrize("check", CHECKS)
def test_not_answered(check: Check) -> None:
    for value in (..., None, "", "  "):
        for either in (check, FORMS[check]):
            with pytest.raises(NotImplementedError, match=r"\Ax\Z"):
                either(value)


@pytest.mark.parametrize(
    ("check", "values"),
    [
        (choice, ["e", "ab", "yes", 1, ["a", "b"], b"b", {"b": 1}, [1], "?"]),
        (several, ["ae", 3, [0, 2], {"a": True}, [["a"], ["c"]], True]),
        (ordering, ["ca", "caba", "cad", {"c", "a", "b"}, 3]),
        (number, ["250", True, [250], float("nan"), float("inf"), 10**400, 250j, "b"]),
    ],
)
def test_wrong_forms(check: Check, values: list[Any]) -> None:
    """A failure that shows the answer; the form itself is in the sentence of the test."""
    for value in values:
        for either in (check, FORMS[check]):
            with pytest.raises(AssertionError, match=r"^x = ") as caught:
                either(value)
            assert not isinstance(caught.value, WrongAnswer)
            assert len(str(caught.value)) < 200


@pytest.mark.parametrize(
    ("check", "value", "meant"),
    [
        (choice, "C", "c"),
        (choice, ["c"], "c"),
        (several, "acd", "with d"),
        (several, {"d", "b"}, "with b"),  # the first that should not be there goes before what is missing
        (several, "a", "without c"),
        (ordering, ("A", "b", "c"), "abc"),
        (number, 25, "25.0"),
        (number, 25.2, "25.0"),  # as near to a known wrong value as counts for the same
        (number, 253, "253.0"),
    ],
)
def test_what_a_wrong_answer_means(check: Check, value: Any, meant: str) -> None:
    FORMS[check](value)
    with pytest.raises(WrongAnswer) as caught:
        check(value)
    assert (caught.value.name, caught.value.meant) == ("x", meant)


def test_tolerances() -> None:
    student = SimpleNamespace(x=10.04)
    assert_number(student, "x", right=10, absolute=0.05)
    assert_number(student, "x", right=10, absolute=0.001, relative=0.005)  # the larger of both
    for narrow in ({}, {"absolute": 0.03}, {"relative": 0.003}):
        with pytest.raises(WrongAnswer):
            assert_number(student, "x", right=10, **narrow)
    assert_number(SimpleNamespace(x=0.1 + 0.2), "x", right=0.3)
