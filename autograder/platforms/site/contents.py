"""What the pages of a site are made from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from autograder.course import Course, Exercise
from autograder.course.quiz import Quiz
from autograder.platforms.site.guides import Guide


@dataclass(frozen=True)
class Contents:
    """A released course, and what is shown beside it.

    course, exercises: as students receive them. root: where they come from. hidden_tests: how many each exercise has, 0
    where that is not known. quizzes: those that can be practised; none for a class.
    """

    course: Course
    root: Path
    exercises: Mapping[str, Exercise]
    hidden_tests: Mapping[str, int]
    quizzes: Mapping[str, Quiz]
    guides: Sequence[Guide]
    for_class: bool
