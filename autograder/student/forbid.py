"""Calls an exercise forbids, because making them would be the exercise.

The named attribute is replaced by a wrapper that looks at who is calling: the student's own file gets an error, every
library goes on as before. This is a rule of the course, not a wall: a submission that works around it is still confined
and still has to compute the right values.
"""

from __future__ import annotations

import functools
import importlib
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any


class ForbiddenCall(RuntimeError):
    """The student's file called something that this exercise asks them to build."""


def resolve(name: str) -> tuple[Any, str]:
    """`torch.Tensor.softmax` -> (torch.Tensor, "softmax"). LookupError where the name doesn't exist."""
    parts = name.split(".")
    for split in range(len(parts) - 1, 0, -1):
        try:
            owner: Any = importlib.import_module(".".join(parts[:split]))
        except ImportError:
            continue
        for part in parts[split:-1]:
            owner = getattr(owner, part, None)
        if hasattr(owner, parts[-1]):
            return owner, parts[-1]
    raise LookupError(f"forbidden call {name!r} names nothing that can be imported; correct it in the toml")


def _guard(name: str, original: Callable[..., Any], is_student: Callable[[str], bool]) -> Callable[..., Any]:
    def guarded(*args: Any, **kwargs: Any) -> Any:
        if is_student(sys._getframe(1).f_code.co_filename):
            raise ForbiddenCall(f"{name} is what this exercise asks you to build; write it yourself")
        return original(*args, **kwargs)

    try:
        return functools.wraps(original)(guarded)
    except (AttributeError, TypeError):
        return guarded


def forbid(names: Sequence[str], is_student: Callable[[str], bool]) -> Callable[[], None]:
    """Guard each dotted name; `is_student(filename)` tells the student's frames. Returns the undo.

    A class stays itself, for isinstance and for subclasses; it is its construction that is guarded.
    """
    found = [(name, *resolve(name)) for name in names]  # all of them, before any is replaced
    saved: list[tuple[Any, str, Any, bool]] = []
    for name, owner, attribute in found:
        if isinstance(getattr(owner, attribute), type):
            owner, attribute = getattr(owner, attribute), "__init__"
        original = getattr(owner, attribute)
        saved.append((owner, attribute, original, attribute in vars(owner)))
        setattr(owner, attribute, _guard(name, original, is_student))

    def undo() -> None:
        for owner, attribute, original, own in reversed(saved):
            if own:
                setattr(owner, attribute, original)
            else:
                delattr(owner, attribute)

    return undo


@contextmanager
def forbidden(names: Sequence[str], is_student: Callable[[str], bool]) -> Iterator[None]:
    """`forbid` for the length of a with-block."""
    undo = forbid(names, is_student)
    try:
        yield
    finally:
        undo()
