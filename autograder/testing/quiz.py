"""Answers of a quiz: values in the student's file. Harmless variations of their form mean the same."""

from __future__ import annotations

import math
import numbers
import reprlib
import unicodedata
from collections.abc import Sequence
from typing import Any, NoReturn

from autograder.course.quiz import ROUNDING

LONGEST = 1000  # characters of an answer in letters: what a text costs to normalise may grow with the square of its length


class WrongAnswer(AssertionError):
    """An answer of the right form that is not right.

    `meant` tells apart what the wrong answers to this question mean, however they are written; diagnosis compares it.
    """

    def __init__(self, name: str, meant: str) -> None:
        super().__init__(name, meant)
        self.name, self.meant = name, meant

    def __str__(self) -> str:
        return f"{self.name} is not the right answer"


def assert_choice(student: Any, name: str, keys: str, right: str | None = None) -> None:
    """The student's variable `name` is one of the letters `keys`; with `right`, it is that one.

    "B", "b)" and ["b"] mean "b".

    Raises:
        NotImplementedError: it is still the skeleton's; the message is the name.
        AssertionError: it has another form.
        WrongAnswer: it is another letter.
    """
    letters = _letters(student, name, keys)
    if len(letters) != 1:
        _malformed(student, name)
    if right is not None and letters[0] != right:
        raise WrongAnswer(name, letters[0])


def assert_several(student: Any, name: str, keys: str, right: str | None = None) -> None:
    """The student's variable `name` holds letters out of `keys`; with `right`, all of those and no other.

    "ac", "C, A", {"a", "c"} and ["a", "c"] mean the same. Of a wrong answer, what is meant is the first letter that
    should not be there, or else the first one that is missing. Raises as `assert_choice` does.
    """
    letters = set(_letters(student, name, keys))
    if right is None or letters == set(right):
        return
    wrong = next((f"with {key}" for key in keys if key in letters - set(right)), None)
    raise WrongAnswer(name, wrong or next(f"without {key}" for key in keys if key in set(right) - letters))


def assert_ordering(student: Any, name: str, keys: str, right: str | None = None) -> None:
    """The student's variable `name` holds each letter of `keys` once; with `right`, in that order.

    "cab", "C, A, B" and ["c", "a", "b"] mean the same. A set has no order. Raises as `assert_choice` does.
    """
    letters = _letters(student, name, keys)
    if isinstance(getattr(student, name), set | frozenset) or sorted(letters) != sorted(keys):
        _malformed(student, name)
    if right is not None and letters != right:
        raise WrongAnswer(name, letters)


def assert_number(
    student: Any,
    name: str,
    right: float | None = None,
    *,
    absolute: float = 0.0,
    relative: float = 0.0,
    wrong: Sequence[float] = (),
) -> None:
    """The student's variable `name` is a finite number; with `right`, that one up to rounding.

    Args:
        absolute, relative: it may differ by `absolute`, or by `relative` times the expected value, the larger of both.
        wrong: known wrong values; a number as near to one of them means it.

    Raises as `assert_choice` does.
    """
    value = _answer(student, name)
    if not isinstance(value, numbers.Real) or isinstance(value, bool) or not _is_finite(value):
        _malformed(student, name)

    number = float(value)

    def near(target: float) -> bool:
        return abs(number - target) <= max(absolute, max(relative, ROUNDING) * abs(target))

    if right is not None and not near(right):
        raise WrongAnswer(name, str(next((float(known) for known in wrong if near(known)), number)))


def _answer(student: Any, name: str) -> Any:
    """The value of the variable. NotImplementedError(name) if nothing has been filled in."""
    value = getattr(student, name)
    if value is None or value is ... or (isinstance(value, str) and not value.strip()):
        raise NotImplementedError(name)
    return value


def _letters(student: Any, name: str, keys: str) -> str:
    """The letters that an answer holds, as they come; AssertionError if one is not of `keys`."""
    value = _answer(student, name)
    parts = [value] if isinstance(value, str) else value
    if not isinstance(parts, list | tuple | set | frozenset) or not all(isinstance(p, str) for p in parts):
        _malformed(student, name)
    text = "".join(parts)
    if len(text) > LONGEST:
        _malformed(student, name)
    # An input method for Chinese may type full-width letters and punctuation.
    text = unicodedata.normalize("NFKC", text).lower()
    letters = "".join(character for character in text if character.isalnum())
    if not letters or not set(letters) <= set(keys):
        _malformed(student, name)
    return letters


def _malformed(student: Any, name: str) -> NoReturn:
    raise AssertionError(f"{name} = {reprlib.repr(getattr(student, name))}")


def _is_finite(value: Any) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # an int beyond every float
        return False
