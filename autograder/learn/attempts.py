"""An attempt at an exercise: what it is known by, and what its tests said, noted in the journal."""

from __future__ import annotations

import linecache
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import FunctionType
from typing import TYPE_CHECKING, Any

from autograder.course import Exercise
from autograder.course.digests import code_digest
from autograder.feedback.report import Report
from autograder.learn.journal import Entry, HiddenPoints, entry_of
from autograder.results import Outcome, TestResult, Visibility, total
from autograder.text import Text

if TYPE_CHECKING:
    from autograder.runner.collect import TestCase


def attempt_in(path: Path) -> str:
    """By what the attempt in this file is known; "" where there is no such file."""
    try:
        return code_digest(path.read_text(encoding="utf-8-sig", errors="replace"))
    except OSError:
        return ""


def attempt_of(namespace: Mapping[str, Any]) -> str:
    """By what a notebook's attempt is known: the cells that its functions and classes come from.

    The kernel names a cell's code after its content, and keeps the lines for tracebacks.
    """
    own = [value for value in namespace.values() if getattr(value, "__module__", None) == "__main__"]
    members = [member for value in own if isinstance(value, type) for member in vars(value).values()]
    cells = {value.__code__.co_filename for value in [*own, *members] if isinstance(value, FunctionType)}
    return code_digest("".join(sorted("".join(linecache.getlines(cell)) for cell in cells)))


def failing_questions(
    exercise: Exercise, cases: Sequence[TestCase], tests: Sequence[TestResult]
) -> list[str]:
    """The questions whose tests don't all pass: first those that were begun, each in the file's order."""
    questions = exercise.public.questions
    names = {case.name: case for case in cases}
    lost = []
    for test in tests if questions else ():
        if test.outcome is not Outcome.PASSED and test.name in names:
            unanswered = (test.question or "").split(".")[0]
            question = unanswered if unanswered in questions else names[test.name].question(questions)
            lost.append((test.outcome is Outcome.NOT_IMPLEMENTED, questions.index(question), question))
    return list(dict.fromkeys(question for *_, question in sorted(lost)))


def note_public(
    exercise: Exercise,
    attempt: str,
    score: float,
    max_score: float,
    failing: Sequence[str] | None = None,
    *,
    passes: bool,
    in_notebook: bool = False,
) -> Entry:
    """Note what the public tests said; `passes`: all of them do. What the hidden ones said of another attempt is forgotten."""
    with entry_of(exercise) as entry:
        if entry.attempt != attempt:
            entry.hidden = None
        entry.in_notebook = in_notebook
        entry.attempt, entry.score, entry.max_score, entry.passes = attempt, score, max_score, passes
        entry.failing = None if failing is None else list(failing)
    return entry


def note_hidden(exercise: Exercise, attempt: str, report: Report, key: str) -> HiddenPoints:
    """Note what all tests said, hidden ones included."""
    public = [test for test in report.tests if test.visibility is Visibility.PUBLIC]
    lost = [test for test in report.tests if test.score < test.max_score]
    hidden = HiddenPoints(key, report.score, report.max_score, lost[0].message if lost else Text())
    with entry_of(exercise) as entry:
        entry.attempt, entry.hidden, entry.in_notebook = attempt, hidden, False
        entry.score, entry.max_score = (
            total(test.score for test in public),
            total(test.max_score for test in public),
        )
        entry.passes = all(test.outcome is Outcome.PASSED for test in public)
        entry.failing = list(report.failing)
    return hidden
