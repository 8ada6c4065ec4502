"""Which question each test of an exercise belongs to: nbgrader's points are those of cells, one or more for a question."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from autograder.course import Exercise
from autograder.results import ExerciseResult, TestResult, Visibility
from autograder.runner.collect import collect


@dataclass(frozen=True)
class Outline:
    """The questions of one exercise in the file's order, and whose each test is."""

    questions: tuple[str, ...]
    owners: Mapping[tuple[Visibility, str], str]  # a test's visibility and name -> its question

    def tests(self, result: ExerciseResult) -> dict[str, list[TestResult]]:
        """Each question's tests of a result. A test that is not in the outline belongs to the last question."""
        shares: dict[str, list[TestResult]] = {question: [] for question in self.questions}
        for test in result.tests:
            shares[self.owners.get((test.visibility, test.name), self.questions[-1])].append(test)
        return shares


def outline_of(exercise: Exercise) -> Outline:
    """Read it from both test files. CourseError where one is missing or can't be collected."""
    questions = exercise.public.questions
    files = ((exercise.public_tests, Visibility.PUBLIC), (exercise.hidden_tests, Visibility.HIDDEN))
    owners = {
        (visibility, case.name): case.question(questions)
        for path, visibility in files
        for case in collect(path, visibility)
    }
    return Outline(questions, owners)
