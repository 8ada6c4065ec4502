"""The sandbox at every level that may be used for grading: with all layers, and with each one removed in turn."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Iterator
from typing import NoReturn

import pytest

from autograder.remote.module_sandbox import ModuleSandbox
from autograder.sandbox.errors import SandboxUnavailable

collect_ignore_glob = [] if platform.system() == "Linux" else ["*"]

# Without the system-call filter nothing is graded: see test_confined.py.
LEVELS = {
    "full": (),
    "no-namespaces": ("namespaces",),
    "no-landlock": ("landlock",),
    "no-user": ("user",),
}


@pytest.fixture(scope="session", params=LEVELS)
def confined(
    request: pytest.FixtureRequest, unavailable: Callable[[object], NoReturn]
) -> Iterator[ModuleSandbox]:
    if request.param == "no-user" and os.getuid() != 0:
        pytest.skip("only root can give a child a user of its own: every level is without it here")
    sandbox = ModuleSandbox(without=LEVELS[request.param])
    with sandbox:
        try:
            _ = sandbox.level
        except SandboxUnavailable as reason:
            unavailable(reason)
        yield sandbox
