"""Sandboxes for the tests: each kind is started once, because a zygote takes seconds."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import NoReturn

import pytest

from autograder.remote.client import Child
from autograder.results import Limits
from autograder.sandbox.errors import SandboxUnavailable
from autograder.sandbox.sandbox import Sandbox

collect_ignore_glob = [] if platform.system() == "Linux" else ["*"]


@pytest.fixture(scope="session")
def best(unavailable: Callable[[object], NoReturn]) -> Iterator[Sandbox]:
    """The best level that this machine gives."""
    try:
        sandbox = Sandbox()
    except SandboxUnavailable as reason:
        unavailable(reason)
    with sandbox:
        yield sandbox


@pytest.fixture(scope="session")
def standard(unavailable: Callable[[object], NoReturn]) -> Iterator[Sandbox]:
    """Landlock and the system-call filter, without namespaces."""
    sandbox = Sandbox(without=["namespaces"])
    with sandbox:
        try:
            _ = sandbox.level
        except SandboxUnavailable as reason:
            unavailable(reason)
        yield sandbox


@pytest.fixture
def run(best: Sandbox) -> Iterator[Callable[..., Child]]:
    """`run(source, seconds=..., memory_mb=...)` -> a child that has loaded it, closed after the test."""
    with ExitStack() as stack:

        def load(
            source: str, *, forbidden: tuple[str, ...] = (), on: Sandbox = best, **limits: float
        ) -> Child:
            files = {"submission.py": source.encode()}
            child = on.open(files, "submission.py", limits=Limits(**limits), forbidden=forbidden)  # type: ignore[arg-type]
            stack.enter_context(child)
            child.load()
            return child

        yield load
