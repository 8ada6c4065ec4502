"""The grading scheme of a course as it is now, or, where no course is at hand, what a gradebook alone tells of one."""

from __future__ import annotations

from collections.abc import Collection, Sequence

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
    everything = course.graded
    narrowed = student is not None or exercises is not None
    somewhere = book.exercises() if narrowed and course.assignments else begun
    assignments = tuple(_scored(everything, one, somewhere) for one in course.assignments)
    return GradingScheme(versions, course.policy, titles, assignments)


def _scored(course: Course, assignment: Assignment, begun: Collection[str]) -> ScoredAssignment:
    """An assignment as its grade is computed; `begun`: the exercises on which anybody has something."""
    exercises = course.select(assignment.exercises)
    return ScoredAssignment(
        assignment.id,
        assignment.title.text,
        tuple(exercise.id for exercise in exercises),
        assignment.due,
        assignment.weight,
        {exercise.id: _points(exercise) for exercise in exercises},
        any(exercise.id in begun for exercise in exercises),
        frozenset(exercise.id for exercise in course.select(assignment.bonus))
        if assignment.bonus
        else frozenset(),
        assignment.extra_credit,
        assignment.late.over(course.policy.late),
    )


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
