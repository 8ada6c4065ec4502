"""The scores that a gradebook gives under a grading scheme."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from autograder.gradebook.policy import GradingScheme, Score, Version, score_of
from autograder.gradebook.store import Gradebook
from autograder.results import ExerciseResult, Isolation, Status
from autograder.text import Text

Scores = Mapping[tuple[str, str], Score]  # (student, exercise) -> score
MISSING = Text("Nothing was handed in.", "没有提交。")


class Counted(NamedTuple):
    """The result that counts, in full, and when (UTC) it was recorded: never, where nothing was handed in."""

    result: ExerciseResult
    recorded_at: datetime | None
    stale: bool


def current_scores(
    book: Gradebook,
    scheme: GradingScheme,
    student: str | None = None,
    exercises: Sequence[str] | None = None,
) -> dict[tuple[str, str], Score]:
    """(student, exercise) -> score, for all that was handed in or given: of one student, on some exercises, if named."""
    attempts, adjustments = book.attempts(student, exercises), book.adjustments(student, exercises)
    scores = {}
    for place in attempts | adjustments:
        version = scheme.versions.get(place[1])
        score = score_of(attempts.get(place, []), adjustments.get(place, []), scheme.policy, version)
        if score is not None:
            scores[place] = score
    return scores


def class_places(book: Gradebook, scheme: GradingScheme, student: str | None = None) -> list[tuple[str, str]]:
    """(student, exercise) of the class, or of one student, for the exercises on which anybody has something.

    What nobody has begun is nobody's missing work; where nothing is recorded at all, every exercise is listed.
    """
    begun = book.exercises()
    names = [name for name in scheme.versions if name in begun] or list(scheme.versions)
    students = book.students() if student is None else [student]
    return [(student, name) for student in students for name in names]


def counted_results(book: Gradebook, scheme: GradingScheme, scores: Scores | None = None) -> list[Counted]:
    """The result that counts of each student and exercise, in the course's order; where there is none, one that says so.

    Args:
        scores: those of all exercises of the scheme, where they are at hand.
    """
    scores = current_scores(book, scheme, exercises=list(scheme.versions)) if scores is None else scores
    places = class_places(book, scheme)
    attempts = {place: score.attempt for place, score in scores.items() if score.attempt is not None}
    full = iter(book.in_full(attempts[place] for place in places if place in attempts))
    return [
        Counted(next(full), attempts[place].recorded_at, scores[place].stale)
        if place in attempts
        else Counted(missing_result(*place, scheme.versions[place[1]]), None, False)
        for place in places
    ]


def last_results(book: Gradebook, scheme: GradingScheme, student: str | None = None) -> list[ExerciseResult]:
    """The latest result of each student and exercise, in full; where nothing was handed in, one that says so."""
    if student is not None:
        book.check_student(student)
    last = {place: history[-1] for place, history in book.attempts(student).items()}
    missing = [place for place in class_places(book, scheme, student) if place not in last]
    return [
        *book.in_full(last.values()),
        *(missing_result(*place, scheme.versions[place[1]]) for place in missing),
    ]


def missing_result(student: str, exercise: str, version: Version) -> ExerciseResult:
    """What stands for work that was not handed in."""
    return ExerciseResult(
        student=student,
        exercise=exercise,
        status=Status.MISSING,
        score=None,
        max_score=version.max_score,
        isolation=Isolation.NONE,
        message=MISSING,
    )
