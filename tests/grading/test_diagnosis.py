"""Which mistake explains a failure: by outputs, on the failing test's inputs, and only where there is something to see."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import torch

from autograder.grading.diagnosis import REFERENCE, Diagnostician, Observation, observed, same
from autograder.remote.errors import student_error
from autograder.remote.proxy import Call
from autograder.results import Outcome

F, P = Outcome.FAILED, Outcome.PASSED
T = torch.tensor


def seen(outcome: Outcome, *values: Any) -> Observation:
    return answers(outcome, *values, path="f")


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


def test_what_two_explain_equally_well_has_no_name() -> None:
    variants = world(one=(5, 2), two=(5, 2), other=(5, 6))
    caught = dict.fromkeys(("one", "two"), "test_a")
    assert diagnose(variants["one"], variants, caught) == {}
    # Another test speaks against one of them.
    assert diagnose(variants["one"], variants, {"one": "test_a", "other": "test_a"}) == {"test_a": "one"}
    assert diagnose(variants["one"], variants, {"other": "test_a", "one": "test_a"}) == {"test_a": "one"}


def answers(outcome: Outcome, *values: Any, path: str = "f()", echo: bool = False) -> Observation:
    return observed(outcome, [Call("call", path, value, echo) for value in values])


LITTLE = ([], (), {}, None, "", 0, 1, True, math.nan, [0, 0], [[], []], [(5, 6), (5, 6)])
LITTLE += (T([0.0, 0.0]), T([[2.0, 2.0]]), T([]), T(0.0), T([math.nan, math.nan]), np.zeros(2))
LITTLE += ((T([0.0, 0.0]), T([1.0, 1.0])),)


@pytest.mark.parametrize("little", LITTLE, ids=repr)
def test_an_answer_of_a_function_that_does_nothing_is_no_match(little: Any) -> None:
    """The mistake spoils test a. Whoever always answers so fails test b, too."""
    right, other = [3, 4], [9, 8]
    variants = {
        REFERENCE: {"test_a": answers(P, right, right), "test_b": answers(P, right)},
        "dropped": {"test_a": answers(F, little), "test_b": answers(P, right)},
    }
    caught = {"dropped": "test_a"}
    lazy = {"test_a": answers(F, little), "test_b": answers(F, little)}
    assert diagnose(lazy, variants, caught) == {}
    # The same answer of a function that works elsewhere is the mistake, whatever other functions do:
    variants["dropped"]["test_c"] = variants[REFERENCE]["test_c"] = answers(P, right, path="g()")
    student = {
        "test_a": answers(F, little),
        "test_b": answers(P, right),
        "test_c": answers(F, other, path="g()"),
    }
    assert diagnose(student, variants, caught) == {"test_a": "dropped"}
    # it works in a test that passes, or on the way to the failure.
    variants["dropped"]["test_a"] = answers(F, right, little)
    del student["test_b"]
    assert diagnose(student, variants, caught) == {}
    student["test_a"] = answers(F, right, little)
    assert diagnose(student, variants, caught) == {"test_a": "dropped"}
    # A failure of the same function that the mistake does not explain speaks for another mistake.
    assert diagnose({**student, "test_b": answers(F, other)}, variants, caught) == {}


def test_an_argument_given_back_is_no_match() -> None:
    variants = {
        REFERENCE: {"test_a": answers(P, [3, 4]), "test_b": answers(P, [3, 4])},
        "unmerged": {"test_a": answers(F, [1, 2], echo=True), "test_b": answers(P, [3, 4])},
    }
    lazy = {"test_a": answers(F, [1, 2], echo=True), "test_b": answers(F, [5, 6], echo=True)}
    assert diagnose(lazy, variants, {"unmerged": "test_a"}) == {}
    assert diagnose(variants["unmerged"], variants, {"unmerged": "test_a"}) == {"test_a": "unmerged"}


def test_a_mistake_that_leaves_nothing_is_itself() -> None:
    """All that fails agrees, so even an empty answer is believed."""
    variants = {
        REFERENCE: {"test_a": answers(P, [3]), "test_b": answers(P, 2.5, path="g()")},
        "drops_all": {"test_a": answers(F, []), "test_b": answers(P, 2.5, path="g()")},
    }
    assert diagnose(variants["drops_all"], variants, {"drops_all": "test_a"}) == {"test_a": "drops_all"}


def test_a_question_that_is_not_begun_says_nothing() -> None:
    variants = world(one=(5, 6))
    variants["one"]["test_a"] = answers(F, 0)
    student = {"test_a": answers(F, 0), "test_b": answers(Outcome.NOT_IMPLEMENTED)}
    assert diagnose(student, variants, {"one": "test_a"}) == {"test_a": "one"}


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
