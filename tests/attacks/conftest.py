"""Every attack is tried on each combination of layers that may be used for grading."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator
from typing import NoReturn

import pytest

from autograder.remote.module_sandbox import ModuleSandbox
from autograder.sandbox.errors import SandboxUnavailable

collect_ignore_glob = [] if platform.system() == "Linux" else ["*"]

COMBINATIONS = {"full": (), "no-namespaces": ("namespaces",), "no-landlock": ("landlock",)}


@pytest.fixture(scope="session", params=COMBINATIONS)
def confined(
    request: pytest.FixtureRequest, unavailable: Callable[[object], NoReturn]
) -> Iterator[ModuleSandbox]:
    sandbox = ModuleSandbox(without=COMBINATIONS[request.param])
    with sandbox:
        try:
            _ = sandbox.level
        except SandboxUnavailable as reason:
            unavailable(reason)
        yield sandbox
