"""What a test drives: the student's module and the helpers that run beside it, here in this process.

The autograder has a second side with the same names, whose module lives in a confined process.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

from autograder.course import CourseError, Exercise
from autograder.course.catalogue import BUILD, TAKE_BACK, WRITE
from autograder.guest.cell_runner import OutOfTime
from autograder.guest.deadline import time_limit
from autograder.guest.forbid import forbidden, seal
from autograder.guest.helpers import Gradients, build_torch, leaves_unchanged, run_backward
from autograder.guest.loading import filename_of
from autograder.guest.seed import seed_everything
from autograder.results import Limits
from autograder.sandbox.errors import TimedOut
from autograder.testing.ranks import RankRun, arguments_of, run_ranks
from autograder.testing.reference import load_local

# Seconds on the wall for each second of a test's limit, as the confined side allows for waiting: a learner's machine may
# be slow, or busy. When a test has run out of that, the same loop is not waited for as long in each of the others.
PATIENCE, AFTERWARDS = 6.0, 2.0


class Side(Protocol):
    """Where the student's code runs, and how a test reaches it."""

    @property
    def student(self) -> Any: ...

    def gradients(
        self, target: Any, *args: Any, upstream: Any = None, output: int | None = None, **kwargs: Any
    ) -> Any: ...

    def unchanged(self, target: Any, *args: Any, **kwargs: Any) -> bool: ...

    def build(self, name: str, *args: Any, **kwargs: Any) -> Any: ...

    def ranks(self, world_size: int, run: str | Callable[..., Any], *args: Any) -> RankRun: ...

    def begin(self, seed: int, limits: Limits) -> Any:
        """A context manager around one test: seeds the student's generators and sets its limits."""

    def made_by_student(self, error: BaseException) -> bool:
        """Whether this exception came out of the student's code rather than out of the test's."""


def fixtures_of(side: Side, reference: Any) -> dict[str, Any]:
    """The fixtures a test of an exercise may use."""
    return {
        "student": side.student,
        "reference": reference,
        "gradients": side.gradients,
        "unchanged": side.unchanged,
        "build": side.build,
        "ranks": side.ranks,
    }


class LocalSide:
    """The student's module in this process: fast and debuggable, and nothing protects anything."""

    def __init__(
        self, module: ModuleType, forbidden_calls: Sequence[str], is_student: Callable[[str], bool]
    ) -> None:
        self._module = module
        self._is_student = is_student
        self._forbidden = tuple(forbidden_calls)
        self._limits = Limits()
        self._patience = PATIENCE
        self.timed = True  # False: somebody sits at a debugger's prompt

    @property
    def student(self) -> ModuleType:
        return self._module

    def gradients(
        self, target: Any, *args: Any, upstream: Any = None, output: int | None = None, **kwargs: Any
    ) -> Gradients:
        """See `autograder.guest.helpers.run_backward`."""
        return run_backward(target, args, kwargs, upstream, output)

    def unchanged(self, target: Any, *args: Any, **kwargs: Any) -> bool:
        """See `autograder.guest.helpers.leaves_unchanged`."""
        return leaves_unchanged(target, args, kwargs)

    def build(self, name: str, *args: Any, **kwargs: Any) -> Any:
        """See `autograder.guest.helpers.build_torch`."""
        return build_torch(name, *args, **kwargs)

    def ranks(self, world_size: int, run: str | Callable[..., Any], *args: Any) -> RankRun:
        """One thread for each rank."""
        function = _dotted(self._module, run) if isinstance(run, str) else run
        with memory_cap(self._limits.memory_mb * world_size):
            return run_ranks(
                world_size, lambda rank, comm: function(comm, *arguments_of(rank, world_size, args))
            )

    @contextmanager
    def begin(self, seed: int, limits: Limits) -> Iterator[None]:
        """Seeds the generators; refuses the exercise's forbidden calls; caps memory and time where the system can.

        Time: see `autograder.guest.deadline`. In the block it is an OutOfTime, which leaves it as TimedOut.
        """
        seed_everything(seed)
        self._limits = limits
        with memory_cap(limits.memory_mb), forbidden(self._forbidden, self._is_student), self._in_time():
            yield

    @contextmanager
    def _in_time(self) -> Iterator[None]:
        def impatient() -> None:
            self._patience = AFTERWARDS

        def inside(filename: str) -> bool:
            return self._is_student(filename) or _is_test(filename)

        seconds = self._patience * self._limits.seconds if self.timed else math.inf
        with ended_in_time(), time_limit(seconds, inside, impatient):
            yield

    def made_by_student(self, error: BaseException) -> bool:
        """The innermost frame that is the student's or a test's decides; libraries are nobody's."""
        owner = None
        trace = error.__traceback__
        while trace is not None:
            filename = trace.tb_frame.f_code.co_filename
            if self._is_student(filename):
                owner = "student"
            elif _is_test(filename):
                owner = "test"
            trace = trace.tb_next
        return owner == "student"


def _is_test(filename: str) -> bool:
    return Path(filename).name.startswith("test_")


@contextmanager
def ended_in_time() -> Iterator[None]:
    """OutOfTime, which no `except Exception` of a student's swallows, becomes what the confined side raises."""
    try:
        yield
    except OutOfTime as error:
        raise TimedOut(str(error)).with_traceback(error.__traceback__) from None


def _dotted(module: Any, name: str) -> Any:
    for part in name.split("."):
        module = getattr(module, part)
    return module


@contextmanager
def memory_cap(megabytes: int) -> Iterator[None]:
    """Let this process map at most so many MiB more than it has now. Does nothing where the system can't (not Linux)."""
    if not sys.platform.startswith("linux"):
        yield
        return
    import resource

    mapped = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    cap = mapped + (megabytes << 20)
    resource.setrlimit(resource.RLIMIT_AS, (cap if hard == resource.RLIM_INFINITY else min(cap, hard), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def local_side(path: Path, exercise: Exercise) -> LocalSide:
    """The side of one file of this exercise. Aliases of forbidden calls are refused, too.

    Raises what the file raises; TimedOut if it does not end; CourseError if it is not there.
    """
    require_file(path, exercise)
    spec = exercise.public if exercise.public_spec_file.is_file() else exercise.spec
    filename = filename_of(path.name, str(path.parent.resolve()))

    def is_student(name: str) -> bool:
        return name == filename

    limit = time_limit(PATIENCE * spec.limits.seconds, is_student)
    with forbidden(spec.forbidden, is_student), ended_in_time(), limit:
        module = load_local(path)
    seal(module)
    return LocalSide(module, spec.forbidden, is_student)


def require_file(path: Path, exercise: Exercise) -> None:
    """CourseError if there is no such file."""
    if path.is_file():
        return
    remedy = WRITE
    if path == exercise.skeleton:
        remedy = BUILD if exercise.solution.is_file() else TAKE_BACK
    shown = (path.relative_to(exercise.root) if path.is_relative_to(exercise.root) else path).as_posix()
    raise CourseError(f"{shown} is missing; {remedy.en}", f"缺少 {shown}；{remedy.zh}")
