"""The scores that a gradebook gives under a grading scheme."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from autograder.gradebook.adjustments import Adjustment
from autograder.gradebook.attempts import Attempt
from autograder.gradebook.extensions import Extension
from autograder.gradebook.policy import GradingScheme, Score, Version
from autograder.gradebook.store import Gradebook
from autograder.gradebook.student_scores import StudentRecord, scores_of
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
    """(student, exercise) -> score, for all that was handed in or given: of one student, on some exercises, if named.

    Where students have late days, all that they handed in is read: on what else they spend them decides each score.
    """
    read = exercises_read(scheme, exercises)
    extensions = extensions_of(book, scheme, student)
    return scores_from(
        book.attempts(student, read), book.adjustments(student, read), extensions, scheme, exercises
    )


def exercises_read(scheme: GradingScheme, exercises: Sequence[str] | None) -> Sequence[str] | None:
    """Of which exercises the record decides the scores on these: of all, where late days may be spent elsewhere."""
    return None if scheme.policy.late_days and scheme.due_with() else exercises


def scores_from(
    attempts: Mapping[tuple[str, str], Sequence[Attempt]],
    adjustments: Mapping[tuple[str, str], Sequence[Adjustment]],
    extensions: Mapping[str, Sequence[Extension]],
    scheme: GradingScheme,
    exercises: Sequence[str] | None = None,
) -> dict[tuple[str, str], Score]:
    """(student, exercise) -> the score that these give, on these exercises or on all of them."""
    due_with = scheme.due_with()
    places: dict[str, list[str]] = {}
    for whose, name in {**attempts, **adjustments}:
        places.setdefault(whose, []).append(name)
    scores = {}
    for whose, names in places.items():
        record = StudentRecord(
            {name: attempts.get((whose, name), []) for name in names},
            {name: adjustments.get((whose, name), []) for name in names},
            extensions.get(whose, []),
        )
        wanted = [name for name in names if exercises is None or name in exercises]
        for name, score in scores_of(record, scheme, due_with, wanted).items():
            scores[whose, name] = score
    return scores


def extensions_of(
    book: Gradebook, scheme: GradingScheme, student: str | None = None
) -> dict[str, list[Extension]]:
    """Student -> the extensions given to them or to their section; none where nothing is due."""
    given = book.extensions(student) if scheme.due_with() else []
    if not given:
        return {}
    by_section: dict[str, list[Extension]] = {}
    found: dict[str, list[Extension]] = {}
    for one in given:
        (by_section if one.section else found).setdefault(one.whose, []).append(one)
    for person in book.roster().values():
        found.setdefault(person.student, []).extend(by_section.get(person.section, ()))
    return found


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
