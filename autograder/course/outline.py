"""An exercise question by question: which test belongs to which, and what each is worth.

Platforms that grade cell by cell need it. The release and the way back read the same outline.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from autograder.authoring.script import questions
from autograder.course import Exercise
from autograder.course.toml import read_text
from autograder.results import ExerciseResult, TestResult, Visibility, total
from autograder.runner.collect import collect


@dataclass(frozen=True)
class Outline:
    """The questions of one exercise in the file's order, with their points (public and hidden) and their tests."""

    questions: tuple[str, ...]
    points: Mapping[str, float]
    owners: Mapping[tuple[Visibility, str], str]  # a test's visibility and name -> its question

    def tests(self, result: ExerciseResult) -> dict[str, list[TestResult]]:
        """Each question's tests of a result. A test that is not in the outline belongs to the last question."""
        shares: dict[str, list[TestResult]] = {question: [] for question in self.questions}
        for test in result.tests:
            shares[self.owners.get((test.visibility, test.name), self.questions[-1])].append(test)
        return shares


def outline_of(exercise: Exercise) -> Outline:
    """Read it from the solution and both test files. CourseError where one is missing or can't be collected."""
    names = tuple(questions(read_text(exercise.solution), str(exercise.solution)))
    owners = {}
    points: dict[str, list[float]] = {name: [] for name in names}
    for path, visibility in (
        (exercise.public_tests, Visibility.PUBLIC),
        (exercise.hidden_tests, Visibility.HIDDEN),
    ):
        for case in collect(path, visibility):
            owner = owners[visibility, case.name] = case.question(names)
            points[owner].append(case.points)
    return Outline(names, {name: total(points[name]) for name in names}, owners)
