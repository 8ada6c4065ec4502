"""The scores that a gradebook gives under a policy."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from autograder.gradebook.policy import Score, score_of
from autograder.gradebook.store import Gradebook
from autograder.results import ExerciseResult, Policy

Graded = tuple[ExerciseResult, datetime]  # a result, and when (UTC) it was recorded


def current_scores(book: Gradebook, policy: Policy) -> dict[tuple[str, str], Score]:
    """(student, exercise) -> score, for everything that was handed in."""
    adjustments = book.adjustments()
    scores = {}
    for place, attempts in book.attempts().items():
        score = score_of(attempts, adjustments.get(place, []), policy)
        if score is not None:
            scores[place] = score
    return scores


def counted_results(book: Gradebook, policy: Policy, exercises: Sequence[str]) -> list[Graded]:
    """The result that counts of each student and exercise, in the course's order."""
    scores, attempts = current_scores(book, policy), book.attempts()
    places = [
        (student, name) for student in book.students() for name in exercises if (student, name) in scores
    ]
    return [
        (result, next(a.recorded_at for a in reversed(attempts[place]) if a.result == result))
        for place in places
        for result in [scores[place].result]
    ]
