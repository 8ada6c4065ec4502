"""What people decided in nbgrader, as adjustments of our gradebook.

An adjustment is never changed: where a decision is revised, another one is added, so that those made for nbgrader add up
to what nbgrader says now. Whose they are is told by `WHO`, which question by the beginning of the reason.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from autograder.gradebook import Adjustment, Gradebook
from autograder.platforms.nbgrader.course_dir import POINTS_SUFFIX
from autograder.platforms.nbgrader.database import ManualGrade
from autograder.results import total

WHO = "nbgrader"
TAKEN_BACK = "taken back"

Key = tuple[str, str, str]  # student, exercise, question


def import_manual_grades(
    book: Gradebook,
    decisions: Iterable[ManualGrade],
    exercises: Mapping[tuple[str, str], str],
) -> int:
    """Bring the gradebook's adjustments up to these decisions; how many were added.

    Args:
        book: the gradebook.
        decisions: everything that people decided about these exercises.
        exercises: (assignment, notebook) -> the exercise it is.
    """
    wanted = _wanted(decisions, exercises)
    made = _made(book, set(exercises.values()))
    book.add_students(sorted({student for student, _, _ in wanted}))
    added: list[tuple[str, str, float, str]] = []
    for key in sorted(wanted.keys() | made.keys()):
        student, exercise, question = key
        worth, reason = wanted.get(key, (0.0, TAKEN_BACK))
        before = made.get(key, [])
        difference = total([worth, *(-adjustment.points for adjustment in before)])
        told = f"{question}: {reason}"
        if not difference and before and before[-1].reason == told:
            continue
        added.append((student, exercise, difference, told))
    book.adjust_all(added, who=WHO)
    return len(added)


def _wanted(
    decisions: Iterable[ManualGrade], exercises: Mapping[tuple[str, str], str]
) -> dict[Key, tuple[float, str]]:
    """Points and reason for each question that somebody decided something about."""
    gathered: dict[Key, list[ManualGrade]] = {}
    for decision in decisions:
        exercise = exercises.get((decision.assignment, decision.notebook))
        if exercise is not None:
            question = decision.cell.removesuffix(POINTS_SUFFIX)
            gathered.setdefault((decision.student, exercise, question), []).append(decision)
    return {key: (total(map(_points, found)), _reason(found)) for key, found in gathered.items()}


def _points(decision: ManualGrade) -> float:
    """What a decision adds to the automatic score."""
    by_hand = 0.0 if decision.manual is None else decision.manual - decision.auto
    return by_hand + (decision.extra or 0.0)


def _reason(decisions: Iterable[ManualGrade]) -> str:
    """What was decided, and the comment if there is one."""
    said, comments = [], []
    for decision in decisions:
        if decision.manual is not None:
            said.append(f"{decision.manual:g} points by hand in place of {decision.auto:g}")
        if decision.extra:
            said.append(f"extra credit {decision.extra:+g}")
        if decision.comment:
            comments.append(decision.comment)
    return "; ".join([", ".join(said), *comments] if said else comments)


def _made(book: Gradebook, exercises: set[str]) -> dict[Key, list[Adjustment]]:
    """The adjustments that were made for nbgrader, by question, oldest first."""
    found: dict[Key, list[Adjustment]] = {}
    for (student, exercise), adjustments in book.adjustments().items():
        for adjustment in adjustments:
            if adjustment.who == WHO and exercise in exercises:
                question = adjustment.reason.partition(":")[0]
                found.setdefault((student, exercise, question), []).append(adjustment)
    return found
