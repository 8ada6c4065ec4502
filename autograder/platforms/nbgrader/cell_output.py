"""A graded question as its student may see it on a platform: hidden tests without their names."""

from __future__ import annotations

import html
from collections.abc import Sequence

from autograder.feedback.markdown import literal
from autograder.feedback.redact import without_hidden_names
from autograder.feedback.report import Report
from autograder.platforms.nbgrader.autograded import CellOutput
from autograder.results import Outcome, TestResult
from autograder.text import Text


def cell_output(question: str, tests: Sequence[TestResult], message: Text, lang: str) -> CellOutput:
    """The table of one question's tests, and its comment: what failed, or `message` where no test was run."""
    told = message.pick(lang)
    if not tests:
        return CellOutput(f"<p>{html.escape(told)}</p>", told, literal(told))
    report = Report(question, question, without_hidden_names(tests, lang), lang)
    failing = [
        f"* {literal(name)}" + (f": {literal(' '.join(said.split()))}" if said else "")
        for outcome, name, said in report.lines()
        if outcome is not Outcome.PASSED
    ]
    return CellOutput(report._repr_html_(), str(report), "\n".join(failing))
