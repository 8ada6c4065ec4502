"""The grading scheme of a course as it is now, or, where no course is at hand, what a gradebook alone tells of one."""

from __future__ import annotations

from collections.abc import Sequence

from autograder.course import Assignment, Course, CourseError, Exercise
from autograder.gradebook import Gradebook, GradingScheme, Version
from autograder.gradebook.policy import ScoredAssignment
from autograder.grading.bundle import bundle_of


def scheme_of(
    book: Gradebook, course: Course, exercises: Sequence[Exercise] | None = None, student: str | None = None
) -> GradingScheme:
    """The scheme for some of the course's exercises, or for all. Files are read and hashed; none is run.

    Only those of which the gradebook holds something, of one student where named, are hashed: no score of another could
    be out of date.
    """
    begun = book.exercises(student, None if exercises is None else [exercise.id for exercise in exercises])
    versions = {
        exercise.id: Version(_bundle(exercise) if exercise.id in begun else "", _points(exercise))
        for exercise in (course if exercises is None else exercises)
    }
    titles = {unit.id: unit.title.text for unit in course.units}
    assignments = tuple(
        ScoredAssignment(one.id, one.title.text, _names(course, one), one.due) for one in course.assignments
    )
    return GradingScheme(versions, course.policy, titles, assignments)


def _names(course: Course, assignment: Assignment) -> tuple[str, ...]:
    return tuple(exercise.id for exercise in course.select(assignment.exercises))


def _points(exercise: Exercise) -> float:
    """What an exercise is worth: the thirds in its public file are rounded one by one, so their sum is not quite whole."""
    return round(exercise.public.max_score, 6)


def _bundle(exercise: Exercise) -> str:
    """What an exercise is graded with now; "" where one of its files can't be read, or is not at hand."""
    try:
        return bundle_of(exercise).fingerprint
    except CourseError:
        return ""


def recorded_scheme(book: Gradebook) -> GradingScheme:
    """The exercises of which a gradebook holds something, each worth the most that anybody was graded on."""
    points: dict[str, float] = {}
    for (_, name), attempts in book.attempts().items():
        points[name] = max(points.get(name, 0.0), *(attempt.result.max_score for attempt in attempts))
    names = sorted({*points, *(name for _, name in book.adjustments())})
    return GradingScheme({name: Version("", points.get(name, 0.0)) for name in names})
