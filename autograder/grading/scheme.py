"""The grading scheme of a course as it is now, or, where no course is at hand, what a gradebook alone tells of one."""

from __future__ import annotations

from collections.abc import Iterable

from autograder.course import Course, CourseError, Exercise
from autograder.gradebook import Gradebook, GradingScheme, Version
from autograder.grading.bundle import bundle_of


def scheme_of(course: Course, exercises: Iterable[Exercise] | None = None) -> GradingScheme:
    """The scheme for some of the course's exercises, or for all. Files are read and hashed; none is run."""
    chosen = course if exercises is None else exercises
    titles = {unit.id: unit.title.text for unit in course.units}
    return GradingScheme({e.id: version_of(e) for e in chosen}, course.policy, titles)


def version_of(exercise: Exercise) -> Version:
    """What an exercise is graded with now. Without a bundle where one of its files can't be read, or isn't at hand."""
    try:
        fingerprint = bundle_of(exercise).fingerprint
    except CourseError:
        fingerprint = ""
    return Version(fingerprint, exercise.public.max_score)


def recorded_scheme(book: Gradebook) -> GradingScheme:
    """The exercises of which a gradebook holds something, each worth the most that anybody was graded on."""
    points: dict[str, float] = {}
    for (_, name), attempts in book.attempts().items():
        points[name] = max(points.get(name, 0.0), *(attempt.result.max_score for attempt in attempts))
    names = sorted({*points, *(name for _, name in book.adjustments())})
    return GradingScheme({name: Version("", points.get(name, 0.0)) for name in names})
