"""The backend whose student is a module in this process."""

from __future__ import annotations

import ctypes
import math
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, Self

from autograder.course import Exercise
from autograder.course.catalogue import require_file
from autograder.guest.cell_runner import OutOfTime, SkippedCell
from autograder.guest.deadline import time_limit
from autograder.guest.forbid import forbidden, seal
from autograder.guest.helpers import HELPERS
from autograder.guest.loading import filename_of, load_module
from autograder.guest.seed import seed_everything
from autograder.guest.settings import read_settings, restore_settings
from autograder.results import Limits
from autograder.runner.backend import dotted
from autograder.sandbox.errors import TimedOut
from autograder.testing.ranks import RankRun, arguments_of, run_ranks
from autograder.testing.reference import load_local

# Seconds on the wall for each second of a test's limit, as the confined backend allows for waiting: a learner's machine may
# be slow, or busy. When a test has run out of that, the same loop is not waited for as long in each of the others.
PATIENCE, AFTERWARDS = 6.0, 2.0
M_MMAP_THRESHOLD = -3  # of mallopt


class InProcessBackend:
    """A student's module in this process: fast and debuggable, and nothing protects anything.

    Args:
        load: gives the module, and puts what was left out of a notebook into the list. Called once, when the module is
            first needed.
        forbidden_calls: what the student's functions may not call.
        is_student: tells the student's file by its name in a traceback.
    """

    def __init__(
        self,
        load: Callable[[list[SkippedCell]], ModuleType],
        forbidden_calls: Sequence[str],
        is_student: Callable[[str], bool],
    ) -> None:
        self._load = load
        self._module: ModuleType | None = None
        self._is_student = is_student
        self._forbidden = tuple(forbidden_calls)
        self._limits = Limits()
        self._patience = PATIENCE
        self.timed = True  # False: somebody sits at a debugger's prompt
        self.load_error: BaseException | None = None
        self.skipped: list[SkippedCell] = []
        self.output = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        return None

    @property
    def student(self) -> ModuleType:
        if self.load_error is not None:
            raise self.load_error
        if self._module is None:
            try:
                with forbidden(self._forbidden, self._is_student):
                    module = self._load(self.skipped)
                seal(module)
            except BaseException as error:
                self.load_error = error
                raise
            self._module = module
        return self._module

    @property
    def helpers(self) -> dict[str, Callable[..., Any]]:
        return HELPERS

    def ranks(self, world_size: int, run: str | Callable[..., Any], *args: Any) -> RankRun:
        """One thread for each rank."""
        function = dotted(self.student, run) if isinstance(run, str) else run
        with memory_cap(self._limits.memory_mb * world_size):
            return run_ranks(
                world_size, lambda rank, comm: function(comm, *arguments_of(rank, world_size, args))
            )

    @contextmanager
    def begin(self, seed: int, limits: Limits) -> Iterator[None]:
        """Seeds the generators; refuses the exercise's forbidden calls; caps memory and time where the system can; puts settings back.

        Time: see `autograder.guest.deadline`. In the block it is an OutOfTime, which leaves it as TimedOut.
        """
        _ = self.student  # loaded before anything is limited: its imports are not the test's
        seed_everything(seed)
        self._limits = limits
        settings = read_settings()
        try:
            with memory_cap(limits.memory_mb), forbidden(self._forbidden, self._is_student), self._in_time():
                yield
        finally:
            restore_settings(settings)

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
        if error is self.load_error:
            return True
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

    def trace(self) -> list[Any]:
        """Nothing: see `autograder.runner.recorded`."""
        return []


def _is_test(filename: str) -> bool:
    return Path(filename).name.startswith("test_")


@contextmanager
def ended_in_time() -> Iterator[None]:
    """OutOfTime, which no `except Exception` of a student's swallows, becomes what the confined backend raises."""
    try:
        yield
    except OutOfTime as error:
        raise TimedOut(str(error)).with_traceback(error.__traceback__) from None


@cache
def _give_back_freed_memory() -> None:
    """From now on blocks of 128 KiB go back to the system once they are freed: what an earlier test left says nothing.

    glibc otherwise raises that size as it goes, and keeps what it once had.
    """
    if set_option := getattr(ctypes.CDLL(None), "mallopt", None):
        set_option(M_MMAP_THRESHOLD, 1 << 17)


@contextmanager
def memory_cap(megabytes: int) -> Iterator[None]:
    """Let this process map at most so many MiB more than it has now. Does nothing where the system can't (not Linux)."""
    if not sys.platform.startswith("linux"):
        yield
        return
    import resource

    _give_back_freed_memory()
    mapped = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    cap = mapped + (megabytes << 20)
    resource.setrlimit(resource.RLIMIT_AS, (cap if hard == resource.RLIM_INFINITY else min(cap, hard), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def unsafe_backend(files: Mapping[str, bytes], main: str, forbidden_calls: Sequence[str]) -> InProcessBackend:
    """A submission in this process. It can do whatever this process can; results say so."""
    filename = filename_of(main)
    return InProcessBackend(
        lambda skipped: load_module(files, main, skipped=skipped), forbidden_calls, filename.__eq__
    )


def local_backend(path: Path, exercise: Exercise, parts: Mapping[str, bytes]) -> InProcessBackend:
    """The backend of one file of this exercise, loaded, with the parts of a capstone. Aliases of forbidden calls are refused, too.

    Raises what the file raises; TimedOut if it does not end; CourseError if it is not there.
    """
    require_file(path, exercise)
    spec = exercise.basics
    filename = filename_of(path.name, str(path.parent.resolve()))
    backend = InProcessBackend(lambda skipped: load_local(path, parts), spec.forbidden_calls, filename.__eq__)
    with ended_in_time(), time_limit(PATIENCE * spec.limits.seconds, filename.__eq__):
        _ = backend.student
    return backend
