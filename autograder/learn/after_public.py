"""What follows a run of the public tests by pytest: it is noted, and the hidden tests run where the solutions are at hand."""

from __future__ import annotations

from collections.abc import Sequence

from autograder.course import Course, Exercise
from autograder.feedback.progress import ExerciseProgress
from autograder.learn.attempts import attempt_in, note_public
from autograder.results import total


def note_and_test_hidden(course: Course, rows: Sequence[ExerciseProgress], lang: str) -> None:
    """Note how far each exercise is, and put the points of hidden tests into the rows of those whose public ones pass.

    An exercise of which only some tests were run says nothing about all of them.
    """
    whole = [row for row in rows if row.begun and _is_whole(course.exercises[row.exercise], row)]
    for row in whole:
        exercise = course.exercises[row.exercise]
        note_public(exercise, attempt_in(exercise.skeleton), row.score, row.max_score, passes=row.passes)
    passing = {row.exercise: row for row in whole if row.passes}
    ready = [course.exercises[name] for name in passing if course.exercises[name].hidden_tests.is_file()]
    if not ready:
        return
    from autograder.learn.hidden import hidden_points

    for name, points in hidden_points(ready, lang).items():
        passing[name].hidden, passing[name].advice = (points.score, points.max_score), points.message


def _is_whole(exercise: Exercise, row: ExerciseProgress) -> bool:
    """Whether all public tests were run. Those of a quiz are worth nothing, and there is one for each question."""
    points = total(share.public for share in exercise.public.points)
    return row.max_score >= points if points else row.tests >= len(exercise.public.questions)
