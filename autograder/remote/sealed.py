"""What tests that somebody else has written may ask of a program: what it answers, and never how it is written.

A learner's own tests run against programs of ours, a reference with a mistake in it among them. Both sides are confined,
each in a process of its own. What could show the program's text is refused here, on the program's side.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from types import ModuleType, SimpleNamespace
from typing import Any

import torch

# Beginnings of the names by which Python shows code and frames.
INSIDE = re.compile(r"_|(?:gi|cr|ag|tb|co|f)_")
# What `build` makes, and the only functions that it calls: others of torch tell a function's source.
MADE = (torch.nn.Module, torch.optim.Optimizer)
CALLED = ("torch.is_grad_enabled",)


class Hidden(AttributeError):
    """A test asked how the program is written."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"{name!r} is not to be had: tests see what a program answers, not how it is written"
        )


def check_question(kind: str, name: str, value: Any, args: Sequence[Any]) -> None:
    """Raise Hidden where an operation on `value` asks for more than answers."""
    if (
        kind in ("load", "check_syntax", "unpack")
        or (kind in ("get", "set") and _shows_text(value, name))
        or (kind == "help" and name == "build" and not _is_made(args))
    ):
        raise Hidden(name or kind)


def _shows_text(value: Any, name: str) -> bool:
    """Whether an attribute leads to code: by its name, or because a file has it from elsewhere."""
    if INSIDE.match(name):
        return True
    if isinstance(value, SimpleNamespace):  # the parts of a capstone, which are modules and given
        return False
    return isinstance(getattr(value, name, None), ModuleType) or (
        isinstance(value, ModuleType) and not _is_own(value, name)
    )


def _is_own(module: ModuleType, name: str) -> bool:
    """Whether a name of the module is what it defines itself, and no function or class that it imported."""
    value = getattr(module, name, None)
    return not callable(value) or getattr(value, "__module__", module.__name__) == module.__name__


def _is_made(args: Sequence[Any]) -> bool:
    """Whether these are the arguments of a `build` that makes a layer or an optimiser, or asks for a setting."""
    if not args or not isinstance(args[0], str):
        return False
    if args[0] in CALLED:
        return True
    found: Any = torch
    for part in args[0].split(".")[1:]:
        if part.startswith("_"):
            return False
        found = getattr(found, part, None)
    return isinstance(found, type) and issubclass(found, MADE)
