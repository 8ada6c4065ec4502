"""What one process keeps between submissions: its sandbox, and each exercise it has met, ready."""

from __future__ import annotations

import gc
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import torch

from autograder.errors import UserError
from autograder.grading.bundle import Bundle
from autograder.grading.collector import MAX_ARCHIVE, MAX_ENTRIES
from autograder.grading.grader import ExerciseGrader, ungraded
from autograder.grading.internal_errors import internal_error
from autograder.grading.names import SUFFIXES
from autograder.grading.submissions import Submission
from autograder.remote.errors import ArchiveError
from autograder.remote.module_sandbox import ModuleSandbox
from autograder.results import ExerciseResult, Isolation, Status
from autograder.runner.backend import Backend
from autograder.runner.confined import ConfinedBackend
from autograder.runner.in_process import unsafe_backend
from autograder.sandbox.errors import SandboxUnavailable
from autograder.sandbox.sandbox import Level


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
        # Tests work on tiny tensors; handing those to a pool of threads costs fifty times what it saves.
        torch.set_num_threads(1)
        # What is imported stays; the garbage collector need not go through all of torch again and again.
        gc.freeze()
        self.mode = mode
        self._sandbox: ModuleSandbox | None = None
        self._graders: dict[str, ExerciseGrader] = {}

    @property
    def sandbox(self) -> ModuleSandbox:
        if self._sandbox is None:
            self._sandbox = ModuleSandbox(
                level=self.mode.level, hide=self.mode.hide, nothing_hidden=self.mode.nothing_hidden
            )
        return self._sandbox

    @property
    def isolation(self) -> Isolation:
        """What stands between a submission and this process. SandboxUnavailable where nothing does."""
        return Isolation.UNSAFE if self.mode.unsafe else Isolation(self.sandbox.level.value)

    def _open(self, bundle: Bundle, files: Mapping[str, bytes], main: str) -> Backend:
        if self.mode.unsafe:
            return unsafe_backend(files, main, bundle.spec.forbidden_calls)
        return ConfinedBackend(self.sandbox, files, main, bundle.spec.limits, bundle.spec.forbidden_calls)

    def grader(self, bundle: Bundle) -> ExerciseGrader:
        """The grader of this very bundle; it takes the place of an older one of the same exercise."""
        known = self._graders.get(bundle.exercise)
        if known is None or known.bundle != bundle:
            self._graders[bundle.exercise] = ExerciseGrader(bundle, self._open, self.isolation)
        return self._graders[bundle.exercise]

    def keep_only(self, exercise: str) -> None:
        """Drop the graders of all other exercises, with their traces and tensors."""
        others = self._graders.keys() - {exercise}
        if others:
            for name in others:
                self._graders.pop(name).close()
            gc.collect()  # a grader and its diagnostician refer to each other

    def grade(self, bundle: Bundle, submission: Submission) -> ExerciseResult:
        """One result. A fault of ours is tried once more from a clean start; a second one is nobody's zero."""
        detail = ""
        for _ in range(2):
            try:
                result = self.grader(bundle).grade(submission)
            except (UserError, SandboxUnavailable):
                raise  # every other submission would meet it, too
            except Exception as error:
                detail = internal_error("grading", error)
            else:
                if result.status is not Status.UNGRADED:
                    return result
                detail = result.detail
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
