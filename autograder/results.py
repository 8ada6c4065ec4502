"""The plain data that crosses rooms: limits, outcomes, test results, exercise results. Knows nothing else."""

from __future__ import annotations

import math
from collections.abc import Iterable
from enum import StrEnum

from msgspec import Struct

from autograder.text import Text


def total(points: Iterable[float]) -> float:
    """A sum of points without the dust of binary fractions: three thirds of a point are one point."""
    return round(math.fsum(points), 9)


class Limits(Struct, frozen=True, forbid_unknown_fields=True):
    """What one test may use: seconds of CPU, and MiB of memory above what was mapped before the student's file."""

    seconds: float = 3.0
    memory_mb: int = 512


class Outcome(StrEnum):
    """How one test ended. Every outcome but PASSED earns nothing; UNGRADED is a fault of ours and costs nothing."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_IMPLEMENTED = "not_implemented"
    ERROR = "error"
    TIMEOUT = "timeout"
    NOT_RUN = "not_run"  # other tests of what it needs ran out of time
    MEMORY = "memory"
    CRASHED = "crashed"
    BLOCKED = "blocked"
    UNGRADED = "ungraded"


class Visibility(StrEnum):
    """Whether students see a test's code and its assertion messages."""

    PUBLIC = "public"
    HIDDEN = "hidden"


class Isolation(StrEnum):
    """What stood between the submission and the grader. UNSAFE: nothing; NONE: no code was run."""

    FULL = "full"
    STANDARD = "standard"
    UNSAFE = "unsafe"
    NONE = "none"


class Status(StrEnum):
    """The state of one exercise of one student."""

    GRADED = "graded"
    NOT_BEGUN = "not_begun"  # every question is still the skeleton's
    INVALID = "invalid"  # the submission can't be read; `message` says why
    MISSING = "missing"  # nothing was handed in
    UNGRADED = "ungraded"  # a fault of ours; graded by the next run, never recorded as a score


class TestResult(Struct, frozen=True, kw_only=True):
    """One test of one submission. `message` is what the student may read; it never holds a hidden value."""

    __test__ = False  # not a test class, whatever pytest makes of the name

    name: str
    visibility: Visibility
    outcome: Outcome
    score: float
    max_score: float
    message: Text = Text()
    diagnosis: str | None = None  # the name of the misconception whose outputs the student's equal
    question: str | None = None  # for NOT_IMPLEMENTED: what is still the skeleton's, or not defined at all


def function_of(test: str) -> str:
    """The function of a test, all of whose parameter sets have names of their own: `test_sums[3]` -> `test_sums`."""
    return test.partition("[")[0]


def by_function(tests: Iterable[TestResult]) -> dict[str, list[TestResult]]:
    """Test function -> the results of its parameter sets, in order."""
    functions: dict[str, list[TestResult]] = {}
    for test in tests:
        functions.setdefault(function_of(test.name), []).append(test)
    return functions


class ExerciseResult(Struct, frozen=True, kw_only=True):
    """One exercise of one student. `score` is None while a fault of ours keeps it from being known."""

    student: str
    exercise: str
    status: Status
    score: float | None
    max_score: float
    isolation: Isolation
    # Of its bundle and engine, a dash, of the submission; "" for what is not known by its content.
    key: str = ""
    path: str = ""  # the file that was graded, relative to the submissions folder
    message: Text = Text()
    own_stack: Text = Text()  # of a capstone graded just now: what the student's own parts reached
    detail: str = ""  # why it is UNGRADED, for the instructor: the first line says it, a traceback follows
    output: str = ""  # the end of what the submission printed
    tests: tuple[TestResult, ...] = ()

    @property
    def bundle(self) -> str:
        """The fingerprint of the exercise's files that it was graded with; "" where that is not known."""
        return self.key.rpartition("-")[0]

    @property
    def content(self) -> str:
        """The hash of what was handed in; "" where that is not known."""
        return self.key.rpartition("-")[2]


class Why(StrEnum):
    """Why a file that a student handed in answers nothing."""

    NEAR = "near"  # its name resembles an exercise's
    EXTRA = "extra"  # another file was taken for the exercise that it names
    UNKNOWN = "unknown"  # its name says nothing
    CLOSED = "closed"  # an archive or a folder that can't be looked into
    LOOSE = "loose"  # it lies beside the students' folders
    BRANCH = "branch"  # of a repository: it lies on a branch that does not count


class Unrecognised(Struct, frozen=True):
    """A file that may have been meant as an answer and was not graded."""

    path: str  # relative to the submissions folder
    why: Why
    looks_like: tuple[str, ...] = ()  # exercises
    prefix: str = ""  # what a platform has put before its name


class AttemptPolicy(StrEnum):
    """Which attempt counts."""

    LATEST = "latest"
    BEST = "best"


class Policy(Struct, frozen=True, forbid_unknown_fields=True):
    """The course's rules for turning attempts into a score (`[policy]` in course.toml)."""

    attempts: AttemptPolicy = AttemptPolicy.LATEST
