"""What one process keeps between submissions: its sandbox, and each exercise it has met, ready."""

from __future__ import annotations

import gc
from dataclasses import dataclass
from pathlib import Path

import torch

from autograder.errors import UserError
from autograder.grading.bundle import Bundle
from autograder.grading.grader import Room, Workbench
from autograder.grading.internal_errors import fault
from autograder.grading.rooms import ConfinedRoom, UnsafeRoom
from autograder.grading.submissions import MAX_ARCHIVE, MAX_ENTRIES, Submission
from autograder.guest.notebook_view import ShownCell, shown_cells
from autograder.platforms.nbgrader.autograded import READING
from autograder.remote.errors import ArchiveError
from autograder.results import ExerciseResult, Status
from autograder.sandbox.errors import SandboxUnavailable
from autograder.sandbox.sandbox import Level, Sandbox


@dataclass(frozen=True)
class Mode:
    """How isolated to run. `level` None: the best this machine can prove."""

    unsafe: bool = False
    level: Level | None = None
    hide: tuple[Path, ...] = ()  # folders that no submission may see, whatever else happens
    bare: bool = False  # no hidden file is left on this machine: see `autograder.sandbox.sandbox.level_of`


class Worker:
    """What one process keeps between submissions: its sandbox, and a workbench for each exercise it has met."""

    def __init__(self, mode: Mode) -> None:
        # Tests work on tiny tensors; handing those to a pool of threads costs fifty times what it saves.
        torch.set_num_threads(1)
        # What is imported stays; the garbage collector need not go through all of torch again and again.
        gc.freeze()
        self.mode = mode
        self._sandbox: Sandbox | None = None
        self._benches: dict[str, Workbench] = {}

    @property
    def sandbox(self) -> Sandbox:
        if self._sandbox is None:
            self._sandbox = Sandbox(level=self.mode.level, hide=self.mode.hide, bare=self.mode.bare)
        return self._sandbox

    @property
    def room(self) -> Room:
        return UnsafeRoom() if self.mode.unsafe else ConfinedRoom(self.sandbox)

    def bench(self, bundle: Bundle) -> Workbench:
        """The workbench of this very bundle; it takes the place of an older one of the same exercise."""
        known = self._benches.get(bundle.exercise)
        if known is None or known.bundle != bundle:
            self._benches[bundle.exercise] = Workbench(bundle, self.room)
        return self._benches[bundle.exercise]

    def grade(self, bundle: Bundle, submission: Submission) -> ExerciseResult:
        """One result. A fault of ours is tried once more from a clean start; a second one is nobody's zero."""
        detail = ""
        for _ in range(2):
            try:
                result = self.bench(bundle).grade(submission)
            except (UserError, SandboxUnavailable):
                raise  # every other submission would meet it, too
            except Exception as error:
                detail = fault("grading", error)
            else:
                if result.status is not Status.UNGRADED:
                    return result
                detail = result.detail
            self.close()
        # Runs nothing of the submission; it only knows the points.
        return Workbench(bundle, UnsafeRoom()).ungraded(submission, detail)

    def unpack(self, archive: bytes) -> dict[str, bytes]:
        """An archive's members, taken apart in a confined process."""
        if self.mode.unsafe:
            raise ArchiveError("archives are unpacked in the sandbox only, and --unsafe has none")
        return self.sandbox.unpack(archive, max_bytes=MAX_ARCHIVE, max_files=MAX_ENTRIES)

    def cells(self, notebook: bytes) -> list[ShownCell]:
        """A notebook's cells, read in a confined process."""
        if self.mode.unsafe:
            return shown_cells(notebook)
        with self.sandbox.open({}, "", limits=READING) as child:
            return child.cells(notebook)

    def close(self) -> None:
        self._benches.clear()
        if self._sandbox is not None:
            self._sandbox.close()
            self._sandbox = None
