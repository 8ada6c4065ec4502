"""The two places a submission can run in: the sandbox, and, under `--unsafe`, this very process."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any

from autograder.grading.bundle import Bundle
from autograder.guest.cell_runner import Note
from autograder.guest.forbid import forbidden, seal
from autograder.guest.loading import filename_of, load_module
from autograder.results import Isolation, Limits
from autograder.runner.confined import ConfinedSide
from autograder.runner.in_process import LocalSide
from autograder.sandbox.sandbox import Sandbox
from autograder.testing.ranks import RankRun


class ConfinedRoom:
    """Each submission in a confined child of the sandbox's zygote."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.isolation = Isolation(sandbox.level.value)

    def open(self, bundle: Bundle, files: Mapping[str, bytes], main: str) -> ConfinedSide:
        return ConfinedSide(self.sandbox, files, main, bundle.spec.limits, bundle.spec.forbidden)


class UnsafeSide:
    """A submission in this process. It can do whatever this process can; results say so."""

    def __init__(self, bundle: Bundle, files: Mapping[str, bytes], main: str) -> None:
        self._bundle = bundle
        self._files = files
        self._main = main
        self._side: LocalSide | None = None
        self.load_error: BaseException | None = None
        self.notes: list[Note] = []
        self.output = b""

    def __enter__(self) -> UnsafeSide:
        return self

    def __exit__(self, *exception: object) -> None:
        return None

    def _is_student(self, filename: str) -> bool:
        return filename == filename_of(self._main)

    def _local(self) -> LocalSide:
        if self.load_error is not None:
            raise self.load_error
        if self._side is None:
            calls = self._bundle.spec.forbidden
            try:
                with forbidden(calls, self._is_student):
                    module = load_module(self._files, self._main, notes=self.notes)
                seal(module)
            except BaseException as error:
                self.load_error = error
                raise
            self._side = LocalSide(module, calls, self._is_student)
        return self._side

    @property
    def student(self) -> Any:
        return self._local().student

    def gradients(self, target: Any, *args: Any, **kwargs: Any) -> Any:
        return self._local().gradients(target, *args, **kwargs)

    def unchanged(self, target: Any, *args: Any, **kwargs: Any) -> bool:
        return self._local().unchanged(target, *args, **kwargs)

    def build(self, name: str, *args: Any, **kwargs: Any) -> Any:
        return self._local().build(name, *args, **kwargs)

    def ranks(self, world_size: int, run: str | Callable[..., Any], *args: Any) -> RankRun:
        return self._local().ranks(world_size, run, *args)

    def begin(self, seed: int, limits: Limits) -> AbstractContextManager[None]:
        return self._local().begin(seed, limits)

    def made_by_student(self, error: BaseException) -> bool:
        if self._side is None:
            return True  # the file did not even load
        return self._side.made_by_student(error)

    def trace(self) -> list[Any]:
        """Nothing is traced in process, so nothing is diagnosed."""
        return []


class UnsafeRoom:
    """No isolation at all. Every result is stamped UNSAFE."""

    isolation = Isolation.UNSAFE

    def open(self, bundle: Bundle, files: Mapping[str, bytes], main: str) -> UnsafeSide:
        return UnsafeSide(bundle, files, main)
