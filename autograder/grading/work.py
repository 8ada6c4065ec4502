"""What a run hands to its workers, and what they hand back."""

from __future__ import annotations

import signal
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

TRIES = 2  # of a submission whose process dies: a second time it is no accident


def how_it_ended(code: int) -> str:
    """A process's exit status, in words for the instructor."""
    return f"{signal.Signals(-code).name} ended it" if code < 0 else f"it ended with exit status {code}"
