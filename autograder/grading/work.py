"""What a run hands to its workers, and what they hand back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from autograder.grading.bundle import Bundle
from autograder.grading.submissions import Submission
from autograder.results import ExerciseResult


@dataclass(frozen=True)
class Settled:
    """One submission is settled: graded now, or known already (`cached`)."""

    result: ExerciseResult
    cached: bool


# What is to be graded, or was settled without being run.
Work = tuple[Bundle, Submission] | Settled
# Grades what comes, and hands on what is settled. The results are recorded.
Runner = Callable[[Iterable[Work]], Iterator[Settled]]
