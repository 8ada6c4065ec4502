"""Where a student's code runs, and how a test reaches it: the interface that both backends have."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractContextManager
from functools import partial
from typing import Any, Protocol, Self

from autograder.guest.cell_runner import SkippedCell
from autograder.results import Limits
from autograder.testing.ranks import RankRun
from autograder.testing.weights import read_weights


class Backend(Protocol):
    """One submission, or a learner's own file. A context manager: leaving it ends what it started."""

    output: bytes  # the end of what it printed, where that is kept
    load_error: (
        BaseException | None
    )  # why the file could not be loaded, if it could not: the error that each test then meets
    skipped: list[SkippedCell]  # what was left out of a notebook

    def __enter__(self) -> Self: ...

    def __exit__(self, *exception: object) -> None: ...

    @property
    def student(self) -> Any:
        """The module under test."""

    @property
    def helpers(self) -> Mapping[str, Callable[..., Any]]:
        """`autograder.guest.helpers.HELPERS`, each of which runs where the student's objects live."""

    def ranks(self, world_size: int, run: str | Callable[..., Any], *args: Any) -> RankRun:
        """One call for each rank, joined by an interconnect."""

    def begin(self, seed: int, limits: Limits) -> AbstractContextManager[None]:
        """A context manager around one test: seeds the student's generators and sets its limits."""

    def made_by_student(self, error: BaseException) -> bool:
        """Whether this exception came out of the student's code rather than out of the test's."""

    def trace(self) -> list[Any]:
        """What the last test asked and was answered; empty where nothing is traced."""


def fixtures_of(backend: Backend, reference: Any, weights: bytes, wanted: Collection[str]) -> dict[str, Any]:
    """Those of the fixtures that a test of an exercise may use which this one asks for.

    weights: the file of those that ship with the exercise; each test gets tensors of its own.
    """
    helpers = backend.helpers
    every: dict[str, Callable[[], Any]] = {
        "student": lambda: backend.student,
        "reference": lambda: reference,
        "ranks": lambda: backend.ranks,
        "parts": lambda: helpers["parts"](),
        "weights": lambda: read_weights(weights),
        **{name: partial(helpers.get, name) for name in ("gradients", "unchanged", "build")},
    }
    return {name: every[name]() for name in wanted}


def dotted(module: Any, name: str) -> Any:
    """What a name with dots means in a module."""
    for part in name.split("."):
        module = getattr(module, part)
    return module
