"""The plain data that crosses rooms: limits, outcomes, test results, exercise results. Knows nothing else."""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Literal

from msgspec import Struct

from autograder.text import Text

MAX_DAYS = 10_000


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


class TimeSource(StrEnum):
    """Who says when something was handed in."""

    GIVEN = "times"  # the instructor's own list: grade --times
    NBGRADER = "nbgrader"  # the timestamp file of its exchange
    COMMIT = "commit"  # the date of the commit, which is written by whoever commits
    CANVAS_ON_TIME = (
        "canvas_on_time"  # Canvas's name for the file doesn't say LATE; the time is the download's
    )
    CANVAS = "canvas"  # the time of the download: no earlier one is known
    MOODLE = "moodle"  # the same
    FILE = "file"  # when the file was last changed
    RECORDED = "recorded"  # when it was graded, because nothing else is known


class Submitted(Struct, frozen=True):
    """When something was handed in (UTC), and who says so."""

    at: datetime
    source: TimeSource


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
    submitted: Submitted | None = None  # when it was handed in, where that is known

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


class LateRule(Struct, frozen=True, forbid_unknown_fields=True):
    """What follows from handing in late (`late` in course.toml). What is None is as the course has it, or not at all.

    grace_minutes: so much later is still on time. penalty: share of the points earned, for each started day or hour after
    the due date. cap: the largest share that is taken. cutoff_days: what is handed in later than this counts nothing.
    """

    grace_minutes: float | None = None
    penalty: float | None = None
    per: Literal["day", "hour"] | None = None
    cap: float | None = None
    cutoff_days: float | None = None

    def __post_init__(self) -> None:
        for name in ("penalty", "cap"):
            share = getattr(self, name)
            if share is not None and not 0 <= share <= 1:
                raise ValueError(f"`{name}` is a share of the points earned, from 0 to 1: 0.1 takes 10 %")
        for name in ("grace_minutes", "cutoff_days"):
            length = getattr(self, name)
            if length is not None and not 0 <= length <= MAX_DAYS:
                raise ValueError(f"`{name}` is a number from 0 to {MAX_DAYS}")

    def over(self, general: LateRule) -> LateRule:
        """This rule, with what it leaves open taken from the general one."""
        return LateRule(
            *(
                given if (given := getattr(self, name)) is not None else getattr(general, name)
                for name in self.__struct_fields__
            )
        )

    @property
    def grace(self) -> timedelta:
        return timedelta(minutes=self.grace_minutes or 0.0)

    @property
    def cutoff(self) -> timedelta | None:
        return None if self.cutoff_days is None else timedelta(days=self.cutoff_days)

    @property
    def period(self) -> timedelta:
        """What the penalty is for."""
        return timedelta(hours=1) if self.per == "hour" else timedelta(days=1)


class Policy(Struct, frozen=True, forbid_unknown_fields=True):
    """The course's rules for turning attempts into a grade (`[policy]` in course.toml).

    max_attempts: only so many different hand-ins of an exercise count, the first ones. timezone: IANA name; times are shown
    in it, and one without an offset is read in it. late_days: of each student, for the whole course. drop_lowest: so many
    assignments of each student don't count.
    """

    attempts: AttemptPolicy = AttemptPolicy.LATEST
    max_attempts: int | None = None
    timezone: str = "UTC"
    late: LateRule = LateRule()
    late_days: int = 0
    drop_lowest: int = 0

    def __post_init__(self) -> None:
        if self.max_attempts is not None and self.max_attempts < 1:
            raise ValueError("`max_attempts` is at least 1; without a limit, leave it out")
        for name, most in (("late_days", MAX_DAYS), ("drop_lowest", MAX_DAYS)):
            if not 0 <= getattr(self, name) <= most:
                raise ValueError(f"`{name}` is a whole number from 0 to {most}")
