"""What a test drives: the student's module and the helpers that run beside it, here in this process.

The autograder has a second side with the same names, whose module lives in a confined process.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

from autograder.course import Exercise, find_course
from autograder.course.catalogue import Course
from autograder.results import Limits
from autograder.student.backward import Gradients, run_backward
from autograder.student.forbid import forbidden, seal
from autograder.student.loading import filename_of, load_module
from autograder.student.seed import seed_everything
from autograder.student.torch_build import build_torch
from autograder.student.unchanged import leaves_unchanged
from autograder.testing.ranks import RankRun, arguments_of, run_ranks


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

    @property
    def student(self) -> ModuleType:
        return self._module

    def gradients(
        self, target: Any, *args: Any, upstream: Any = None, output: int | None = None, **kwargs: Any
    ) -> Gradients:
        """See `autograder.student.backward.run_backward`."""
        return run_backward(target, args, kwargs, upstream, output)

    def unchanged(self, target: Any, *args: Any, **kwargs: Any) -> bool:
        """See `autograder.student.unchanged.leaves_unchanged`."""
        return leaves_unchanged(target, args, kwargs)

    def build(self, name: str, *args: Any, **kwargs: Any) -> Any:
        """See `autograder.student.torch_build.build_torch`."""
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
        """Seeds the generators; caps memory where the system can; refuses the exercise's forbidden calls."""
        seed_everything(seed)
        self._limits = limits
        with memory_cap(limits.memory_mb), forbidden(self._forbidden, self._is_student):
            yield

    def made_by_student(self, error: BaseException) -> bool:
        """The innermost frame that is the student's or a test's decides; libraries are nobody's."""
        owner = None
        trace = error.__traceback__
        while trace is not None:
            filename = trace.tb_frame.f_code.co_filename
            if self._is_student(filename):
                owner = "student"
            elif Path(filename).name.startswith("test_"):
                owner = "test"
            trace = trace.tb_next
        return owner == "student"


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


def load_local(path: Path) -> ModuleType:
    """A file of the course as a module, with the files beside it importable, under its real name for debuggers."""
    directory = path.parent.resolve()
    files = {path.name: path.read_bytes()}
    for sibling in directory.glob("*.py"):
        if sibling.name != path.name and not sibling.name.startswith("test_"):
            files[sibling.name] = sibling.read_bytes()
    return load_module(files, path.name, directory=str(directory))


def load_reference(exercise: Exercise | str) -> ModuleType:
    """The reference solution of an exercise, given by id (then the course is found from the working folder)."""
    if isinstance(exercise, str):
        exercise = Course.load(find_course(), authoring=True).exercise(exercise)
    return load_local(exercise.solution)


def local_side(path: Path, exercise: Exercise) -> LocalSide:
    """The side of one file of this exercise. Aliases of forbidden calls are refused, too."""
    calls = exercise.public.forbidden if exercise.public_spec_file.is_file() else exercise.spec.forbidden
    filename = filename_of(path.name, str(path.parent.resolve()))

    def is_student(name: str) -> bool:
        return name == filename

    with forbidden(calls, is_student):
        module = load_local(path)
    seal(module)
    return LocalSide(module, calls, is_student)
