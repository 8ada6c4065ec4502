"""Which mistake explains a failure: by outputs, on the failing test's inputs, and only where there is something to see."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import torch

from autograder.grading.diagnosis import REFERENCE, Diagnostician, Observation, same
from autograder.remote.errors import student_error
from autograder.remote.proxy import Call
from autograder.results import Outcome

F, P = Outcome.FAILED, Outcome.PASSED


def seen(outcome: Outcome, *values: Any) -> Observation:
    return Observation(outcome, [Call("call", "f", value) for value in values])


def diagnose(
    student: Mapping[str, Observation],
    variants: Mapping[str, Mapping[str, Observation]],
    caught: Mapping[str, str],
) -> dict[str, str]:
    return Diagnostician(caught, lambda name: dict(variants[name])).diagnose(student)


def world(**mistakes: tuple[float, float]) -> dict[str, dict[str, Observation]]:
    """Two tests, a and b, whose right answers are 1 and 2; each mistake answers something else."""

    def behaviour(a: float, b: float) -> dict[str, Observation]:
        return {"test_a": seen(P if a == 1 else F, a), "test_b": seen(P if b == 2 else F, b)}

    return {REFERENCE: behaviour(1, 2), **{name: behaviour(*answers) for name, answers in mistakes.items()}}


def test_the_mistake_that_was_made() -> None:
    variants = world(one=(5, 2), two=(6, 2))
    caught = {"one": "test_a", "two": "test_a"}
    assert diagnose(variants["two"], variants, caught) == {"test_a": "two"}
    assert diagnose(variants["one"], variants, caught) == {"test_a": "one"}


def test_no_known_mistake() -> None:
    variants = world(one=(5, 2))
    assert diagnose({"test_a": seen(F, 7), "test_b": seen(P, 2)}, variants, {"one": "test_a"}) == {}


def test_nothing_failed() -> None:
    variants = world(one=(5, 2))
    assert diagnose(variants[REFERENCE], variants, {"one": "test_a"}) == {}


def test_the_one_that_explains_most() -> None:
    variants = world(narrow=(5, 2), wide=(5, 6))
    student = variants["wide"]
    assert diagnose(student, variants, {"narrow": "test_a", "wide": "test_a"}) == {
        "test_a": "wide",
        "test_b": "wide",
    }


def test_the_first_listed_wins_a_tie() -> None:
    variants = world(one=(5, 2), two=(5, 2))
    assert diagnose(variants["one"], variants, {"one": "test_a", "two": "test_a"}) == {"test_a": "one"}
    assert diagnose(variants["one"], variants, {"two": "test_a", "one": "test_a"}) == {"test_a": "two"}


def test_two_mistakes_at_once() -> None:
    variants = world(one=(5, 2), two=(1, 6))
    student = {"test_a": seen(F, 5), "test_b": seen(F, 6)}
    assert diagnose(student, variants, {"one": "test_a", "two": "test_b"}) == {
        "test_a": "one",
        "test_b": "two",
    }


@pytest.mark.parametrize("outcome", [Outcome.NOT_IMPLEMENTED, Outcome.PASSED])
def test_silent_outcomes_are_never_diagnosed(outcome: Outcome) -> None:
    variants = world(one=(5, 2))
    variants["one"]["test_a"] = seen(outcome, 5)
    assert diagnose({"test_a": seen(outcome, 5), "test_b": seen(P, 2)}, variants, {"one": "test_a"}) == {}


def test_a_failure_without_a_trace_is_not_diagnosed() -> None:
    variants = world(one=(5, 2))
    variants["one"]["test_a"] = Observation(F, [])
    assert diagnose({"test_a": Observation(F, []), "test_b": seen(P, 2)}, variants, {"one": "test_a"}) == {}


def test_a_mistake_that_was_not_caught_is_not_run() -> None:
    ran: list[str] = []
    variants = world(one=(5, 2), two=(1, 6))

    def observe(name: str) -> dict[str, Observation]:
        ran.append(name)
        return variants[name]

    diagnostician = Diagnostician({"one": "test_a", "two": "test_b"}, observe)
    for _ in range(3):
        diagnostician.diagnose(variants["one"])
    assert sorted(ran) == [REFERENCE, "one"]  # once each


@pytest.mark.parametrize("outcome", [Outcome.MEMORY, Outcome.TIMEOUT])
def test_running_out_says_little(outcome: Outcome) -> None:
    """Without a value to compare it is a diagnosis only where everything that fails agrees."""
    variants = world(slow=(1, 2))
    variants["slow"] = {"test_a": seen(outcome, 1), "test_b": seen(P, 2)}
    caught = {"slow": "test_a"}
    assert diagnose({"test_a": seen(outcome, 1), "test_b": seen(P, 2)}, variants, caught) == {
        "test_a": "slow"
    }
    assert diagnose({"test_a": seen(outcome, 1), "test_b": seen(F, 9)}, variants, caught) == {}


def test_the_outcome_must_agree() -> None:
    variants = world(one=(5, 2))
    assert (
        diagnose({"test_a": seen(Outcome.ERROR, 5), "test_b": seen(P, 2)}, variants, {"one": "test_a"}) == {}
    )


def test_a_mistake_that_looks_the_same_in_some_cases_only() -> None:
    """Where the known mistake would have failed, too, but with another answer, it is another mistake."""
    names = {"test_a[1]": "test_a", "test_a[2]": "test_a"}
    variants = {
        REFERENCE: {name: seen(P, 1) for name in names},
        "one": {name: seen(F, 5) for name in names},
        "first_case": {"test_a[1]": seen(F, 5), "test_a[2]": seen(P, 1)},
    }
    student = {"test_a[1]": seen(F, 5), "test_a[2]": seen(F, 6)}
    assert diagnose(student, variants, {"one": "test_a"}) == {}
    # Where it would have passed, the student may have made a second one.
    assert diagnose(student, variants, {"first_case": "test_a"}) == {"test_a[1]": "first_case"}


def test_an_exception_is_refuted_by_a_test_that_passes() -> None:
    broken = Observation(Outcome.ERROR, [Call("call", "f", student_error("TypeError", ["TypeError"]))])
    variants = world(raises=(1, 2))
    variants["raises"] = {"test_a": broken, "test_b": broken}
    caught = {"raises": "test_a"}
    assert diagnose({"test_a": broken, "test_b": broken}, variants, caught) != {}
    assert diagnose({"test_a": broken, "test_b": seen(P, 2)}, variants, caught) == {}


T = torch.tensor


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        (T([1.0, 2.0]), T([1.0, 2.00001]), True),
        (T([1.0, 2.0]), T([1.0, 2.1]), False),
        (T([math.nan]), T([math.nan]), True),
        (T([math.inf]), T([math.inf]), True),
        (T([1.0]), T([1.0], dtype=torch.float64), False),
        (T([1.0]), T([[1.0]]), False),
        (T([1.0], requires_grad=True), T([1.0]), False),
        (T([1]), T([1]), True),
        (T([1]), T([2]), False),
        (np.array([1.0]), np.array([1.0]), True),
        (np.array([1.0]), T([1.0]), False),
        (1.0, 1.0 + 1e-9, True),
        (math.nan, math.nan, True),
        (1, 1.0, False),
        (True, 1, False),
        ([1, [2.0]], [1, [2.0]], True),
        ([1], [1, 2], False),
        ({"a": T([1.0])}, {"a": T([1.0])}, True),
        ({"a": 1}, {"b": 1}, False),
        ("a", "a", True),
        (
            student_error("ValueError", ["ValueError"], "one"),
            student_error("ValueError", ["ValueError"], "two"),
            True,
        ),
        (student_error("ValueError", ["ValueError"]), student_error("TypeError", ["TypeError"]), False),
        (Call("call", "f", 1), Call("call", "f", 1), True),
        (Call("call", "f", 1), Call("call", "g", 1), False),
    ],
)
def test_same(left: Any, right: Any, expected: bool) -> None:
    assert same(left, right) is expected
    assert same(right, left) is expected
