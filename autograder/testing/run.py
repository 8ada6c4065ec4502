"""Run one test case against one side, and say how it ended."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import pytest

from autograder.results import Limits, Outcome
from autograder.sandbox.errors import (
    Blocked,
    Crashed,
    Ended,
    OutOfMemory,
    SandboxFault,
    StudentError,
    TimedOut,
)
from autograder.student.loading import MODULE
from autograder.student.seed import seed_everything, seed_of
from autograder.testing.cases import TestCase
from autograder.testing.ranks import CollectiveError
from autograder.testing.sides import Side, fixtures_of

_ENDINGS: dict[type[Ended], Outcome] = {
    TimedOut: Outcome.TIMEOUT,
    OutOfMemory: Outcome.MEMORY,
    Crashed: Outcome.CRASHED,
    Blocked: Outcome.BLOCKED,
}


# What Python says of a name that the student's module lacks.
MISSING = re.compile(rf"module '{MODULE}' has no attribute '(\w+)'")


@dataclass(frozen=True)
class Ending:
    """How a test ended: its outcome, and the exception that says why.

    `doubtful` marks an exception that is neither an assertion nor the student's own: usually the test met a value of an
    unexpected type, but a broken test looks the same. The grader settles it by running the reference.
    """

    outcome: Outcome
    error: BaseException | None = None
    doubtful: bool = False

    @property
    def passed(self) -> bool:
        return self.outcome is Outcome.PASSED


def run_case(case: TestCase, side: Side, reference: Any, limits: Limits) -> Ending:
    """Call the test with everything seeded and limited. Never raises but for KeyboardInterrupt."""
    seed = seed_of(case.name)
    try:
        with side.begin(seed + 1, case.limits(limits)):
            seed_everything(
                seed
            )  # after begin(): in process both sides share the generators, and the test's draws decide
            case.call(fixtures_of(side, reference))
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        return classify(error, side)
    return Ending(Outcome.PASSED)


def classify(error: BaseException, side: Side) -> Ending:
    """The outcome that an exception stands for."""
    for kind, outcome in _ENDINGS.items():
        if isinstance(error, kind):
            return Ending(outcome, error)
    if isinstance(error, SandboxFault):
        return Ending(Outcome.UNGRADED, error)
    if isinstance(error, CollectiveError):
        return Ending(Outcome.FAILED, error)
    if isinstance(error, StudentError) or side.made_by_student(error) or unanswered(error):
        return Ending(_students_own(error), error)
    if isinstance(error, AssertionError | pytest.fail.Exception):
        return Ending(Outcome.FAILED, error)
    return Ending(Outcome.FAILED, error, doubtful=True)


def unanswered(error: BaseException) -> str | None:
    """The question that an untouched skeleton, or a file without that definition, leaves open; None for other errors.

    Other errors include torch's own NotImplementedError, whose message is no name.
    """
    message = error.message if isinstance(error, StudentError) else str(error)
    if isinstance(error, NotImplementedError) and all(part.isidentifier() for part in message.split(".")):
        return message
    missing = MISSING.fullmatch(message) if isinstance(error, AttributeError) else None
    return missing[1] if missing else None


def _students_own(error: BaseException) -> Outcome:
    if unanswered(error):
        return Outcome.NOT_IMPLEMENTED
    if isinstance(error, MemoryError) or "can't allocate memory" in str(error):
        return Outcome.MEMORY
    return Outcome.ERROR
