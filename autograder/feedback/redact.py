"""Results as a student may see them on a platform: hidden tests without their names."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from autograder.results import TestResult, Visibility, by_function, function_of
from autograder.text import Text

HIDDEN = Text("hidden test {number}", "隐藏测试 {number}")


def without_hidden_names(tests: Sequence[TestResult], lang: str) -> list[TestResult]:
    """The same results, hidden tests numbered: a test's name is often half an answer."""
    hidden = by_function(test for test in tests if test.visibility is Visibility.HIDDEN)
    numbers = {function: number for number, function in enumerate(hidden, 1)}
    concealed = []
    for test in tests:
        if test.visibility is Visibility.HIDDEN:
            number = numbers[function_of(test.name)]
            test = replace(test, name=HIDDEN.pick(lang).format(number=number))
        concealed.append(test)
    return concealed
