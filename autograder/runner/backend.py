"""Where a student's code runs, and how a test reaches it: the interface that both backends have."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any, Protocol, Self

from autograder.guest.cell_runner import SkippedCell
from autograder.results import Limits
from autograder.testing.ranks import RankRun


class Backend(Protocol):
    """One submission, or a learner's own file. A context manager: leaving it ends what it started."""

    output: bytes  # the end of what it printed, where that is kept
    load_error: BaseException | None  # why the file could not be loaded, if it could not
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


def fixtures_of(backend: Backend, reference: Any) -> dict[str, Any]:
    """The fixtures that a test of an exercise may use."""
    return {
        "student": backend.student,
        "reference": reference,
        **backend.helpers,
        "ranks": backend.ranks,
    }
