"""Run one test case against one backend, and say how it ended."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from autograder.guest.loading import MODULE
from autograder.guest.seed import seed_everything, seed_of
from autograder.remote.errors import StudentError
from autograder.results import Limits, Outcome
from autograder.runner.backend import Backend, fixtures_of
from autograder.runner.collect import TestCase
from autograder.sandbox.errors import Blocked, Crashed, Ended, OutOfMemory, SandboxFault, TimedOut
from autograder.testing.ranks import CollectiveError

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
    """How a test ended: its outcome, and the exception that says why."""

    outcome: Outcome
    error: BaseException | None = None
    question: str | None = None  # what is not implemented, if that is how it ended

    @property
    def passed(self) -> bool:
        return self.outcome is Outcome.PASSED


def run_case(case: TestCase, backend: Backend, reference: Any, limits: Limits) -> Ending:
    """Call the test with everything seeded and limited. Never raises but for KeyboardInterrupt."""
    seed = seed_of(case.name)
    try:
        with backend.begin(seed + 1, case.limits(limits)):
            seed_everything(
                seed
            )  # after begin(): in process both sides share the generators, and the test's draws decide
            case.call(fixtures_of(backend, reference, case.weights, case.fixtures))
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        return classify(error, backend, case.questions)
    return Ending(Outcome.PASSED)


def classify(error: BaseException, backend: Backend, questions: Collection[str] | None = None) -> Ending:
    """The outcome that an exception stands for; `questions` as in `unanswered`."""
    for kind, outcome in _ENDINGS.items():
        if isinstance(error, kind):
            return Ending(outcome, error)
    if isinstance(error, SandboxFault):
        return Ending(Outcome.UNGRADED, error)
    if isinstance(error, CollectiveError):
        return Ending(Outcome.FAILED, error)
    question = unanswered(error, questions)
    if isinstance(error, StudentError) or backend.made_by_student(error) or question:
        return Ending(_students_own(error, question), error, question)
    # An assertion, or the test met a value of an unexpected type. A broken test looks the same: the grader settles it by
    # running the reference.
    return Ending(Outcome.FAILED, error)


def unanswered(error: BaseException, questions: Collection[str] | None = None) -> str | None:
    """The question that an untouched skeleton, or a file without that definition, leaves open; None for other errors.

    Other errors include torch's own NotImplementedError, whose message is no name.

    Args:
        questions: the names that count. A submission chooses its own messages, so any other name may be a message to
            its author. None: any name counts (in process, where everything is the learner's own).
    """
    message = error.message if isinstance(error, StudentError) else str(error)
    name = None
    if isinstance(error, NotImplementedError) and all(part.isidentifier() for part in message.split(".")):
        name = message.split(".")[0]
    elif isinstance(error, AttributeError) and (missing := MISSING.fullmatch(message)):
        name = missing[1]
    return name if questions is None or name in questions else None


def _students_own(error: BaseException, question: str | None) -> Outcome:
    if question:
        return Outcome.NOT_IMPLEMENTED
    if isinstance(error, MemoryError) or "can't allocate memory" in str(error):
        return Outcome.MEMORY
    return Outcome.ERROR
