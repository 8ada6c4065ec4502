"""What one process keeps between submissions: its sandbox, and each exercise it has met, ready.

Nothing heavy is imported with this module: a run that has nothing new to grade needs neither torch nor pytest.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol, cast

from msgspec.structs import replace

from autograder.errors import UserError
from autograder.grading.bundle import Bundle, DebugBundle, OwnTestsBundle
from autograder.grading.collector import MAX_ARCHIVE, MAX_ENTRIES
from autograder.grading.internal_errors import internal_error
from autograder.grading.names import SUFFIXES
from autograder.grading.submissions import Submission
from autograder.grading.without_running import refused, ungraded
from autograder.remote.errors import ArchiveError
from autograder.remote.module_sandbox import ModuleSandbox
from autograder.results import ExerciseResult, Isolation, Status
from autograder.sandbox.errors import SandboxUnavailable
from autograder.sandbox.sandbox import Level

if TYPE_CHECKING:
    from autograder.grading.board import Board
    from autograder.grading.grader import ExerciseGrader
    from autograder.grading.own_tests import Tester
    from autograder.runner.backend import Backend


CONFINED_ONLY = (
    "grading: tests that students wrote run in a sandbox only, and --unsafe has none; grade them without it"
)


class AnyGrader(Protocol):
    """What grades submissions to one bundle's exercise."""

    @property
    def bundle(self) -> Bundle: ...

    def grade(self, submission: Submission) -> ExerciseResult: ...

    def close(self) -> None: ...


@dataclass(frozen=True)
class Mode:
    """How isolated to run. `level` None: the best this machine can prove."""

    unsafe: bool = False
    level: Level | None = None
    hide: tuple[Path, ...] = ()  # folders that no submission may see, whatever else happens
    nothing_hidden: bool = False  # on this machine: see `autograder.sandbox.sandbox.level_of`


class Worker:
    """What one process keeps between submissions: its sandbox, and a grader for each exercise it has met."""

    def __init__(self, mode: Mode) -> None:
        self.mode = mode
        self._sandbox: ModuleSandbox | None = None
        self._graders: dict[str, AnyGrader] = {}
        self._broken: set[str] = set()  # bundles whose reference fails after a clean start, too
        self._share: Callable[[ExerciseGrader], None] = lambda grader: None

    @property
    def sandbox(self) -> ModuleSandbox:
        if self._sandbox is None:
            self._sandbox = ModuleSandbox(**self._options)
        return self._sandbox

    @property
    def _options(self) -> dict[str, Any]:
        return {
            "level": self.mode.level,
            "hide": self.mode.hide,
            "nothing_hidden": self.mode.nothing_hidden,
        }

    def tester(self) -> Tester:
        """What tries a learner's own tests, as confined as all else here."""
        from autograder.grading.own_tests import Tester

        return Tester(self.sandbox, **self._options)

    def start(self) -> None:
        """Start what submissions run in, without waiting for it. SandboxUnavailable where nothing protects."""
        _ = self.isolation

    def await_ready(self) -> None:
        """Import what grading needs, while what submissions run in starts, and wait for that."""
        self.start()
        _exercise_grader()
        if not self.mode.unsafe:
            self.sandbox.await_ready()

    def take_up(self, bundle: Bundle) -> None:
        """Have this exercise, and no other, ready to grade. Its tests are collected while the sandbox still starts."""
        self.keep_only(bundle.exercise)
        self.start()
        with suppress(Exception):  # grading meets it again, and says what it is
            self._ready(bundle)
        self.await_ready()

    @property
    def isolation(self) -> Isolation:
        """What stands between a submission and this process. SandboxUnavailable where nothing does."""
        return Isolation.UNSAFE if self.mode.unsafe else Isolation(self.sandbox.level.value)

    def _open(self, bundle: Bundle, files: Mapping[str, bytes], main: str) -> Backend:
        from autograder.runner.confined import ConfinedBackend
        from autograder.runner.in_process import unsafe_backend

        if self.mode.unsafe:
            return unsafe_backend(files, main, bundle.spec.forbidden_calls)
        return ConfinedBackend(self.sandbox, files, main, bundle.spec.limits, bundle.spec.forbidden_calls)

    def grader(self, bundle: Bundle) -> ExerciseGrader:
        """As `_ready`, of an exercise that somebody wrote."""
        return cast("ExerciseGrader", self._ready(bundle))

    def _ready(self, bundle: Bundle) -> AnyGrader:
        """The grader of this very bundle; it takes the place of an older one of the same exercise."""
        known = self._graders.get(bundle.exercise)
        if known is None or known.bundle != bundle:
            if known is not None:
                known.close()
            self._graders[bundle.exercise] = self._made(bundle)
        return self._graders[bundle.exercise]

    def _made(self, bundle: Bundle) -> AnyGrader:
        isolation = self.isolation  # first: while the sandbox starts, this process imports
        make = _exercise_grader()
        if isinstance(bundle, OwnTestsBundle):
            from autograder.grading.derived import OwnTestsGrader

            tester = self.tester()
            tester.await_ready()
            return OwnTestsGrader(bundle, tester, isolation)
        if isinstance(bundle, DebugBundle):
            from autograder.grading.derived import DebugGrader

            return DebugGrader(bundle, make(bundle.base, self._open, isolation, remarks=False))
        grader = make(bundle, self._open, isolation)
        self._share(grader)
        return grader

    def share(self, board: Board, first: float) -> None:
        """Share what graders see of misconceptions with the other processes that have this board.

        first: as in Diagnostician; each process has another.
        """

        def share(grader: ExerciseGrader) -> None:
            diagnostician = grader.diagnostician
            diagnostician.observe, diagnostician.first = board.shared(diagnostician.observe), first

        self._share = share
        for grader in self._graders.values():
            if hasattr(grader, "diagnostician"):
                share(cast("ExerciseGrader", grader))

    def keep_only(self, exercise: str) -> None:
        """Drop the graders of all other exercises, with their traces and tensors."""
        others = self._graders.keys() - {exercise}
        if others:
            for name in others:
                self._graders.pop(name).close()
            gc.collect()  # a grader and its diagnostician refer to each other

    def grade(self, bundle: Bundle, submission: Submission) -> ExerciseResult:
        """One result. A fault of ours is tried once more from a clean start; a second one is nobody's zero.

        Where the reference itself fails a test, one clean start is enough for everybody.
        """
        if submission.problem is not None:
            return refused(bundle, submission)
        if self.mode.unsafe and isinstance(bundle, OwnTestsBundle):
            return ungraded(bundle, submission, CONFINED_ONLY)
        detail = ""
        for tried in range(2):
            try:
                result = self._ready(bundle).grade(submission)
            except (UserError, SandboxUnavailable):
                raise  # every other submission would meet it, too
            except Exception as error:
                detail = internal_error("grading", error)
            else:
                if result.status is not Status.UNGRADED:
                    return replace(result, submitted=submission.submitted)
                detail = result.detail
            grader = self._graders.get(bundle.exercise)
            if getattr(grader, "reference_faults", None):
                if bundle.fingerprint in self._broken:
                    break
                self._broken |= {bundle.fingerprint} if tried else set()
            self.close()
        return ungraded(bundle, submission, detail)

    def unpack(
        self,
        archive: BinaryIO,
        max_bytes: int = MAX_ARCHIVE,
        max_files: int = MAX_ENTRIES,
        suffixes: Sequence[str] = SUFFIXES,
    ) -> dict[str, bytes]:
        """An archive's members, taken apart in a confined process; those of other suffixes come empty."""
        if self.mode.unsafe:
            raise ArchiveError("archives are unpacked in the sandbox only, and --unsafe has none")
        return self.sandbox.unpack(archive, max_bytes=max_bytes, max_files=max_files, suffixes=suffixes)

    def close(self) -> None:
        self.keep_only("")
        if self._sandbox is not None:
            self._sandbox.close()
            self._sandbox = None


@cache
def _exercise_grader() -> type[ExerciseGrader]:
    """The class, and this process made ready for it."""
    # numpy's library would start threads as it is loaded, and workers are forked from a process of one thread.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    import torch

    from autograder.grading.grader import ExerciseGrader

    # Tests work on tiny tensors; handing those to a pool of threads costs fifty times what it saves.
    torch.set_num_threads(1)
    # What is imported stays; the garbage collector need not go through all of torch again and again.
    gc.freeze()
    return ExerciseGrader
