"""A later answer that is right for what the student's own earlier answers give: one mistake costs its own question.

A hidden test of question 3, whose answers build on the student's `margins` of question 2:

    def test_mean(student, reference):
        loss = student.loss(x)
        check_any(
            lambda right: assert_close(loss, right.loss(x)),
            lambda: reference,
            lambda: with_answers(reference, student, "margins"),
        )
"""

from __future__ import annotations

from collections.abc import Callable
from types import FunctionType, SimpleNamespace
from typing import Any


def check_any(check: Callable[[Any], None], *bases: Callable[[], Any]) -> None:
    """Raise what `check` raises for the first base, unless it passes for one of them.

    Args:
        check: raises AssertionError where an answer does not follow from the base.
        bases: each gives something that the answer may rest on: first what is right, then what the student's own earlier
            answers make of it. Those are called only where the first does not do, and may fail.
    """
    __tracebackhide__ = True
    first, *others = bases
    try:
        check(first())
    except AssertionError:
        for base in others:
            try:
                check(base())
                return
            except Exception:
                continue
        raise


def with_answers(reference: Any, student: Any, *questions: str) -> SimpleNamespace:
    """The reference's functions, calling the student's answers to these questions in place of its own.

    Classes other than those named stay the reference's.
    """
    names = dict(vars(reference))
    for name, value in vars(reference).items():
        if isinstance(value, FunctionType) and value.__globals__ is vars(reference):
            copy = FunctionType(value.__code__, names, name, value.__defaults__, value.__closure__)
            copy.__kwdefaults__ = value.__kwdefaults__
            names[name] = copy
    names |= {name: getattr(student, name) for name in questions}
    return SimpleNamespace(**names)
