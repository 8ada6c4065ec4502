"""One exercise's tests as a small table: text in a terminal, HTML in a notebook."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from autograder.feedback.progress import NOT_IMPLEMENTED
from autograder.results import Outcome, TestResult, function_of, total
from autograder.text import Text, encodable, number

if TYPE_CHECKING:
    from rich.console import Console

POINTS = Text("{score} of {max_score} points", "得分 {score} / {max_score}")
# Where they are worth nothing, as a quiz's public ones.
PASSED = Text("{passed} of {tests} tests passed", "通过 {passed} / {tests} 项测试")
FORM = Text(  # of a quiz whose answers may all be wrong
    "{tests} of {tests} answers have the right form; grading tells whether they are right.",
    "{tests} 个答案的格式都正确；是否答对，评分后才知道。",
)
SAME = Text("the same as {name}", "与 {name} 相同")
A_HINT = Text("A hint", "提示")
SYMBOLS = {Outcome.PASSED: "✓", Outcome.NOT_IMPLEMENTED: "·"}
COLOURS = {Outcome.PASSED: "#1a7f37", Outcome.NOT_IMPLEMENTED: "#6e7781"}
NARROWEST = 20  # columns for a line's text, whatever the terminal has
FAILED_SYMBOL, FAILED_COLOUR = "✗", "#cf222e"


@dataclass(frozen=True)
class Report:
    """What a check shows: one line for each test, and one for each question that is not begun."""

    exercise: str
    title: str
    tests: Sequence[TestResult]
    lang: str
    shares: bool = False  # whether to say what each line is worth
    message: Text = field(default_factory=Text)  # what is said of the whole file
    failing: Sequence[str] = ()  # the questions that lost points, those that were begun first
    hint: str = ""  # a step of help, folded up in a notebook until it is asked for

    @property
    def score(self) -> float:
        return total(test.score for test in self.tests)

    @property
    def max_score(self) -> float:
        return total(test.max_score for test in self.tests)

    @property
    def complete(self) -> bool:
        return bool(self.tests) and all(test.outcome is Outcome.PASSED for test in self.tests)

    @property
    def points(self) -> str:
        if not self.max_score:
            passed = sum(test.outcome is Outcome.PASSED for test in self.tests)
            told = FORM if self.complete else PASSED
            return told.pick(self.lang).format(passed=passed, tests=len(self.tests))
        return POINTS.pick(self.lang).format(score=number(self.score), max_score=number(self.max_score))

    def lines(self) -> list[tuple[Outcome, str, str]]:
        """(outcome, name, message) to show: one line for each test function, one for each unanswered question."""
        shown: dict[str, tuple[Outcome, str, str]] = {}
        told: dict[str, str] = {}
        for test in self.tests:
            name = _name(test)
            if name in shown and (shown[name][0] is not Outcome.PASSED or test.outcome is Outcome.PASSED):
                continue  # the first parameter set that fails speaks for its function
            message = test.message.pick(self.lang)
            if message and test.outcome is not Outcome.NOT_IMPLEMENTED:
                first = told.setdefault(message, name)
                message = message if first == name else SAME.pick(self.lang).format(name=first)
            shown[name] = (test.outcome, name, message)
        return list(shown.values())

    def share_of(self, name: str) -> str:
        """The points of one of the lines, all parameter sets together; nothing where it is worth nothing."""
        tests = [test for test in self.tests if _name(test) == name]
        worth = total(t.max_score for t in tests)
        return f"{number(total(t.score for t in tests))}/{number(worth)}" if worth else ""

    def __str__(self) -> str:
        lines = [f"{self.exercise}  {self.points}"]
        for outcome, name, message in self.lines():
            unanswered = outcome is Outcome.NOT_IMPLEMENTED
            words = [f"  {SYMBOLS.get(outcome, FAILED_SYMBOL)} {name}"]
            words += [self.share_of(name)] if self.shares else []
            words += [NOT_IMPLEMENTED.pick(self.lang)] if unanswered else []
            lines.append("  ".join(filter(None, words)))
            lines += [f"      {line}" for line in message.splitlines() if not unanswered]
        lines += [f"  {line}" for line in self.message.pick(self.lang).splitlines()]
        return "\n".join(lines)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        rows = []
        for outcome, name, message in self.lines():
            colour = COLOURS.get(outcome, FAILED_COLOUR)
            rows.append(
                f'<tr><td style="color:{colour};text-align:center;font-weight:bold">'
                f"{SYMBOLS.get(outcome, FAILED_SYMBOL)}</td>"
                f'<td style="text-align:left"><code>{html.escape(name)}</code></td>'
                f'<td style="text-align:left;white-space:pre-wrap">{html.escape(message)}</td></tr>'
            )
        # A message may quote the student's code: MathJax is to take nothing in it for a formula with a link.
        return (
            f'<div class="tex2jax_ignore mathjax_ignore"><table class="autograder-check" data-complete="{str(self.complete).lower()}">'
            f'<thead><tr><th colspan="3" style="text-align:left">{html.escape(self.title)} · {self.points}</th></tr></thead>'
            f"<tbody>{''.join(rows)}</tbody>{self._foot()}</table></div>"
        )

    def _foot(self) -> str:
        """What is said of the whole file, and the hint."""
        told = html.escape(self.message.pick(self.lang))
        hint = f"<details><summary>{A_HINT.pick(self.lang)}</summary>{html.escape(self.hint)}</details>"
        cells = [*([told] if told else []), *([hint] if self.hint else [])]
        rows = [
            f'<tr><td colspan="3" style="text-align:left;white-space:pre-wrap">{cell}</td></tr>'
            for cell in cells
        ]
        return f"<tfoot>{''.join(rows)}</tfoot>" if rows else ""


def _name(test: TestResult) -> str:
    """The line that a test belongs to: its question's while that is unanswered, else its function's."""
    unanswered = test.outcome is Outcome.NOT_IMPLEMENTED and test.question
    return test.question.split(".")[0] if unanswered and test.question else function_of(test.name)


def print_report(console: Console, report: str) -> None:
    """A report's text. Where a terminal is too narrow, the rest of a line stands below its beginning."""
    from rich.text import Text as Words

    for line in encodable(report, console.encoding).splitlines():
        said = line.lstrip(" ")
        indent = " " * (len(line) - len(said))
        room = max(console.width - len(indent), NARROWEST)
        parts = Words(said).wrap(console, room) if console.is_terminal else [Words(said)]
        for part in parts or [Words()]:
            console.print(Words(indent + part.plain.rstrip()), soft_wrap=True)
