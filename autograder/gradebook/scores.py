"""The scores that a gradebook gives under a policy."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from autograder.gradebook.policy import Score, score_of
from autograder.gradebook.store import Gradebook
from autograder.results import ExerciseResult, Policy

Graded = tuple[ExerciseResult, datetime]  # a result, and when (UTC) it was recorded


def current_scores(
    book: Gradebook, policy: Policy, student: str | None = None, exercises: Sequence[str] | None = None
) -> dict[tuple[str, str], Score]:
    """(student, exercise) -> score, for all that was handed in: by one student, or on some exercises, where named."""
    adjustments = book.adjustments(student, exercises)
    scores = {}
    for place, attempts in book.attempts(student, exercises).items():
        score = score_of(attempts, adjustments.get(place, []), policy)
        if score is not None:
            scores[place] = score
    return scores


def counted_results(book: Gradebook, policy: Policy, exercises: Sequence[str]) -> list[Graded]:
    """The result that counts of each student and exercise, in full, in the course's order."""
    scores = current_scores(book, policy, exercises=exercises)
    places = [(student, name) for student in book.students() for name in exercises]
    counted = [scores[place].attempt for place in places if place in scores]
    times = [attempt.recorded_at for attempt in counted]
    return list(zip(book.in_full(counted), times, strict=True))
