"""What the sandbox's children run to serve a student's module: see `autograder.sandbox.messages.Program`."""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn

from autograder.guest.forbid import forbid
from autograder.guest.threads import renew_pool
from autograder.remote.server import Server, student_files
from autograder.remote.warmup import warm_up

__all__ = ["prepare", "serve", "warm_up"]


def prepare(forbidden: list[str]) -> Callable[[], None]:
    """Guard the calls that an exercise forbids; returns the undo."""
    return forbid(forbidden, student_files.__contains__)


def serve(channel: int) -> NoReturn:
    """Serve one student's module."""
    renew_pool()
    Server(channel).serve()
