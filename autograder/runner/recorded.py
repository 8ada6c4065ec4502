"""A learner's module in this process, met by the tests through proxies, so that what it answers can be compared."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, Self

from autograder.guest.cell_runner import SkippedCell
from autograder.guest.helpers import HELPERS, KEPT
from autograder.remote.local import LocalModule
from autograder.remote.proxy import Call, Handle
from autograder.results import Limits
from autograder.runner.backend import dotted
from autograder.runner.in_process import InProcessBackend
from autograder.testing.ranks import RankRun


class RecordedBackend:
    """Another way into the same backend: its `trace` has the form that the confined one's has."""

    def __init__(self, backend: InProcessBackend) -> None:
        self._backend = backend
        self._module = LocalModule(None)
        self._ranks: list[LocalModule] = []
        self.output = b""
        self.load_error: BaseException | None = None
        self.skipped: list[SkippedCell] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        return None

    @property
    def student(self) -> Handle:
        return self._module.student

    @property
    def helpers(self) -> dict[str, Callable[..., Any]]:
        return {name: partial(self._help, name) for name in HELPERS}

    def _help(self, name: str, *args: Any, **kwargs: Any) -> Any:
        if name in KEPT or isinstance(args[0], Handle):
            return self._module.help(name, *args, **kwargs)
        return HELPERS[name](*args, **kwargs)

    def ranks(self, world_size: int, run: str | Callable[..., Any], *args: Any) -> RankRun:
        """One thread for each rank, and for each a trace of its own."""
        if callable(run):
            return self._backend.ranks(world_size, run, *args)
        modules = [LocalModule(self._backend.student) for _ in range(world_size)]
        self._ranks += modules

        def call(comm: Any, *own: Any) -> Any:
            return dotted(modules[comm.rank].student, run)(comm, *own)

        return self._backend.ranks(world_size, call, *args)

    @contextmanager
    def begin(self, seed: int, limits: Limits) -> Iterator[None]:
        with self._backend.begin(seed, limits):
            self._module = LocalModule(self._backend.student)
            self._ranks = []
            yield

    def made_by_student(self, error: BaseException) -> bool:
        return self._backend.made_by_student(error)

    def trace(self) -> list[Call]:
        return [call for module in (self._module, *self._ranks) for call in module.trace]
