"""Sandboxes for the tests: each kind is started once, because a zygote takes seconds."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import NoReturn

import pytest

from autograder.remote.client import RemoteModule
from autograder.remote.module_sandbox import ModuleSandbox
from autograder.results import Limits
from autograder.sandbox.errors import SandboxUnavailable

collect_ignore_glob = [] if platform.system() == "Linux" else ["*"]


@pytest.fixture(scope="session")
def best(unavailable: Callable[[object], NoReturn]) -> Iterator[ModuleSandbox]:
    """The best level that this machine gives."""
    try:
        sandbox = ModuleSandbox()
    except SandboxUnavailable as reason:
        unavailable(reason)
    with sandbox:
        yield sandbox


@pytest.fixture(scope="session")
def standard(unavailable: Callable[[object], NoReturn]) -> Iterator[ModuleSandbox]:
    """Landlock and the system-call filter, without namespaces."""
    sandbox = ModuleSandbox(without=["namespaces"])
    with sandbox:
        try:
            _ = sandbox.level
        except SandboxUnavailable as reason:
            unavailable(reason)
        yield sandbox


@pytest.fixture
def run(best: ModuleSandbox) -> Iterator[Callable[..., RemoteModule]]:
    """`run(source, seconds=..., memory_mb=...)` -> a child that has loaded it, closed after the test."""
    with ExitStack() as stack:

        def load(
            source: str, *, forbidden: tuple[str, ...] = (), on: ModuleSandbox = best, **limits: float
        ) -> RemoteModule:
            files = {"submission.py": source.encode()}
            child = on.open(files, "submission.py", limits=Limits(**limits), forbidden=forbidden)  # type: ignore[arg-type]
            stack.enter_context(child)
            child.load()
            return child

        yield load
