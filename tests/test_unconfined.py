"""A machine that can't confine submissions fails the tests that need it, instead of leaving them out unseen."""

from __future__ import annotations

import platform
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
UNCONFINED = """
import sys

import pytest
from autograder.remote import module_sandbox
from autograder.sandbox.errors import SandboxUnavailable

def refuse(*args, **options):
    raise SandboxUnavailable("namespaces: not permitted. Remedy: permit them")

module_sandbox.ModuleSandbox = refuse
sys.exit(pytest.main(["-q", "-p", "no:cacheprovider", *sys.argv[1:]]))
"""
NEEDS = (
    "tests/runner/test_confined.py::test_forbidden_calls",
    "tests/sandbox/test_limits.py::test_cpu_time",
)


@pytest.mark.skipif(platform.system() != "Linux", reason="submissions are confined on Linux only")
@pytest.mark.parametrize("known", [False, True])
def test_no_isolation_is_a_failure_unless_it_is_known(python: Callable[..., Any], known: bool) -> None:
    told = {"AUTOGRADER_TESTS_UNCONFINED": "1"} if known else {}
    done = python("-c", UNCONFINED, *NEEDS, cwd=ROOT, env=told)
    last = done.stdout.splitlines()[-1]
    if known:
        assert done.returncode == 0 and "skipped" in last and "error" not in last, done.stdout
    else:
        assert done.returncode == 1 and "error" in last and "skipped" not in last, done.stdout
        assert "Remedy: permit them" in done.stdout
        assert "AUTOGRADER_TESTS_UNCONFINED=1" in done.stdout
