"""Calls an exercise forbids, because making them would be the exercise.

The named attribute is replaced by a wrapper that looks at who is calling: the student's functions get an error, every
library goes on as before. This is a rule of the course, not a wall: a submission that works around it is still confined
and still has to compute the right values.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from types import FrameType, ModuleType
from typing import Any

PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep


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


def _refusal(name: str) -> ForbiddenCall:
    return ForbiddenCall(f"{name} is what this exercise asks you to build; write it yourself")


def _is_loading(frame: FrameType | None, is_student: Callable[[str], bool]) -> bool:
    """Whether the student's file is being executed, rather than one of its functions called by a test.

    Comparing one's own answer with the library's at the end of a file or notebook is good practice, not cheating.
    """
    while frame is not None:
        filename = frame.f_code.co_filename
        if is_student(filename):
            if frame.f_code.co_name == "<module>":
                return True
        elif filename.startswith(PACKAGE) or os.path.basename(filename).startswith("test_"):
            return False
        frame = frame.f_back
    return False


def _guard(name: str, original: Callable[..., Any], is_student: Callable[[str], bool]) -> Callable[..., Any]:
    def guarded(*args: Any, **kwargs: Any) -> Any:
        caller = sys._getframe(1)
        if is_student(caller.f_code.co_filename) and not _is_loading(caller, is_student):
            raise _refusal(name)
        return original(*args, **kwargs)

    with suppress(AttributeError, TypeError):
        functools.update_wrapper(guarded, original)
    guarded.forbidden_name = name  # type: ignore[attr-defined]
    return guarded


def seal(module: ModuleType) -> None:
    """After loading: make `softmax = torch.softmax` in the student's module refuse every call.

    Called by a test, such an alias has no frame of the student's, so the guard alone would let it pass.
    """
    holders: list[Any] = [module, *(value for value in vars(module).values() if _is_own_class(value, module))]
    for holder in holders:
        for attribute, value in list(vars(holder).items()):
            function = getattr(value, "__func__", value)  # a staticmethod's
            function = function.func if isinstance(function, functools.partial) else function
            name = getattr(function, "forbidden_name", None)
            if isinstance(name, str) and inspect.isfunction(function):
                setattr(holder, attribute, _refusing(name))


def _is_own_class(value: Any, module: ModuleType) -> bool:
    return isinstance(value, type) and value.__module__ == module.__name__


def _refusing(name: str) -> Callable[..., Any]:
    def refuse(*args: Any, **kwargs: Any) -> Any:
        raise _refusal(name)

    return refuse


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
