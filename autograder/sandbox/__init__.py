"""Running any Python module confined, and using it from here as if it were not.

    with Sandbox() as sandbox, sandbox.open({"a.py": source}, "a.py", limits=Limits()) as child:
        child.load()
        child.student.softmax(torch.randn(3))

The names below are imported when first used: the child's side of this package must not load the trusted side,
and importing it must work where there is no Linux.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from autograder.sandbox.child import Child
    from autograder.sandbox.errors import (
        ArchiveError,
        Blocked,
        Crashed,
        Ended,
        Frame,
        OutOfMemory,
        SandboxFault,
        SandboxUnavailable,
        StudentError,
        TimedOut,
    )
    from autograder.sandbox.host import Level, Sandbox
    from autograder.sandbox.proxy import Call, Handle

_HOME = {
    "Sandbox": "host",
    "Level": "host",
    "Child": "child",
    "Call": "proxy",
    "Handle": "proxy",
    **dict.fromkeys(
        (
            "ArchiveError",
            "Blocked",
            "Crashed",
            "Ended",
            "Frame",
            "OutOfMemory",
            "SandboxFault",
            "SandboxUnavailable",
            "StudentError",
            "TimedOut",
        ),
        "errors",
    ),
}

__all__ = [
    "ArchiveError",
    "Blocked",
    "Call",
    "Child",
    "Crashed",
    "Ended",
    "Frame",
    "Handle",
    "Level",
    "OutOfMemory",
    "Sandbox",
    "SandboxFault",
    "SandboxUnavailable",
    "StudentError",
    "TimedOut",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
