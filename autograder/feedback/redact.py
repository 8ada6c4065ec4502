"""Results as a student may see them on a platform: hidden tests without their names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from msgspec.structs import replace

from autograder.results import TestResult, Visibility, by_function, function_of
from autograder.text import Text

HIDDEN = Text("hidden test {number}", "隐藏测试 {number}")


def hidden_names(tests: Iterable[TestResult]) -> Mapping[str, Text]:
    """Function of a hidden test -> what students know it by: a test's name is often half an answer."""
    hidden = by_function(test for test in tests if test.visibility is Visibility.HIDDEN)
    return {function: HIDDEN.format(number=number) for number, function in enumerate(hidden, 1)}


def without_hidden_names(tests: Sequence[TestResult], lang: str) -> list[TestResult]:
    """The same results, hidden tests numbered."""
    names = hidden_names(tests)
    return [
        replace(test, name=names[function_of(test.name)].pick(lang))
        if test.visibility is Visibility.HIDDEN
        else test
        for test in tests
    ]
