"""Results as a student may see them on a platform: hidden tests without their names."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from autograder.results import TestResult, Visibility
from autograder.text import Text

HIDDEN = Text("hidden test {number}", "隐藏测试 {number}")


def without_hidden_names(tests: Sequence[TestResult], lang: str) -> list[TestResult]:
    """The same results, hidden tests numbered: a test's name is often half an answer."""
    functions: dict[str, int] = {}
    concealed = []
    for test in tests:
        if test.visibility is Visibility.HIDDEN:
            number = functions.setdefault(test.name.split("[")[0], len(functions) + 1)
            test = replace(test, name=HIDDEN.pick(lang).format(number=number))
        concealed.append(test)
    return concealed
