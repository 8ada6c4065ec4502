"""A graded question as its student may see it on a platform: hidden tests without their names."""

from __future__ import annotations

import html
from collections.abc import Sequence

from msgspec.structs import replace

from autograder.feedback.report import Report
from autograder.platforms.nbgrader.autograded import Shown, literal
from autograder.results import Outcome, TestResult, Visibility
from autograder.text import Text

HIDDEN = Text("hidden test {number}", "隐藏测试 {number}")


def shown(question: str, tests: Sequence[TestResult], message: Text, lang: str) -> Shown:
    """The table of one question's tests, and its comment: what failed, or `message` where no test was run."""
    told = message.pick(lang)
    if not tests:
        return Shown(f"<p>{html.escape(told)}</p>", told, literal(told))
    report = Report(question, question, unnamed(tests, lang), lang)
    failing = [
        f"* {literal(name)}" + (f": {literal(' '.join(said.split()))}" if said else "")
        for outcome, name, said in report.lines()
        if outcome is not Outcome.PASSED
    ]
    return Shown(report._repr_html_(), str(report), "\n".join(failing))


def unnamed(tests: Sequence[TestResult], lang: str) -> list[TestResult]:
    """The same results, hidden tests numbered: a test's name is often half an answer."""
    functions: dict[str, int] = {}
    concealed = []
    for test in tests:
        if test.visibility is Visibility.HIDDEN:
            number = functions.setdefault(test.name.split("[")[0], len(functions) + 1)
            test = replace(test, name=HIDDEN.pick(lang).format(number=number))
        concealed.append(test)
    return concealed
