"""Calls an exercise forbids, because making them would be the exercise; and imports that every exercise forbids.

The named attribute is replaced by a wrapper that looks at who is calling: the student's functions get an error, every
library goes on as before. An operator (`torch.ops.aten.NAME`) is refused to the student's functions whichever way they come
to it, through libraries and threads, too (see `autograder.guest.operators`). This is a rule of the course and a deterrent,
not a wall: a submission that works around it is still confined and still has to compute the right values.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import chain
from types import ModuleType, new_class
from typing import Any

from autograder.guest.imports import guard_imports
from autograder.guest.loading import is_loading
from autograder.guest.operators import PREFIX, as_students, watch


class ForbiddenCall(RuntimeError):
    """The student's file called something that this exercise asks them to build."""


def resolve(name: str) -> tuple[Any, str]:
    """`torch.Tensor.softmax` -> (torch.Tensor, "softmax"). LookupError where the name doesn't exist."""
    path, _, attribute = name.rpartition(".")
    with suppress(ImportError, ValueError):
        owner = _owner(path)
        if hasattr(owner, attribute):
            return owner, attribute
    raise LookupError(f"forbidden call {name!r} names nothing that can be imported; correct it in the toml")


def _owner(path: str) -> Any:
    """The module or class of this name."""
    if path in sys.modules:
        return sys.modules[path]
    parent, _, name = path.rpartition(".")
    if parent and hasattr(owner := _owner(parent), name):
        return getattr(owner, name)
    return importlib.import_module(path)


def _refusal(name: str) -> ForbiddenCall:
    return ForbiddenCall(f"{name} is not allowed in this exercise's functions; write what it does yourself")


# What forbidden calls have made while a file was loaded, each with the call's name; for `seal`.
_made: list[tuple[str, Any]] = []


def _guard(name: str, original: Callable[..., Any], is_student: Callable[[str], bool]) -> Callable[..., Any]:
    constructs = getattr(original, "__name__", "") == "__init__"

    def guarded(*args: Any, **kwargs: Any) -> Any:
        caller = sys._getframe(1).f_code.co_filename
        # What eval() or exec() makes of a text has such a name, and no library calls these from one.
        if not is_student(caller) and caller != "<string>":
            return original(*args, **kwargs)
        if not is_loading():
            raise _refusal(name)
        # Comparing one's own answer with the library's at the end of a file is good practice, not cheating.
        result = original(*args, **kwargs)
        if constructs or callable(result):
            _made.append((name, args[0] if constructs else result))
        return result

    with suppress(AttributeError, TypeError):
        # Without its docstring: torch makes the text anew each time it is asked for.
        functools.update_wrapper(guarded, original, ("__module__", "__name__", "__qualname__"))
    guarded.forbidden_name = name  # type: ignore[attr-defined]
    return guarded


def seal(module: ModuleType) -> None:
    """After loading: what would get past the guards from now on refuses every call.

    That is `softmax = torch.softmax` in the student's module (called by a test, it has no frame of the student's), and
    `soft = torch.nn.Softmax(-1)` anywhere (called, it is a library that calls on).
    """
    holders: list[Any] = [module, *(value for value in vars(module).values() if _is_own_class(value, module))]
    for holder in holders:
        for attribute, value in list(vars(holder).items()):
            function = getattr(value, "__func__", value)  # a staticmethod's
            function = function.func if isinstance(function, functools.partial) else function
            name = getattr(function, "forbidden_name", None)
            if isinstance(name, str) and inspect.isfunction(function):
                setattr(holder, attribute, _refusing(name))
    for name, made in _made:
        _retire(name, made)
    _made.clear()
    module.__class__ = _Sealed


class _Sealed(ModuleType):
    """A student's module as a test sees it: a library's function under the student's name is the student's to answer for."""

    def __getattribute__(self, name: str) -> Any:
        value = super().__getattribute__(name)
        return as_students(value) if not name.startswith("__") and _is_librarys(value) else value


def _is_librarys(value: Any) -> bool:
    """Whether this is a function of torch's, under whatever name, or is made of one."""
    callable_one = inspect.isroutine(value) or isinstance(value, functools.partial)
    if not callable_one and type(value).__module__ != "torch._ops":
        return False
    module = getattr(value, "__module__", None) or "torch"  # what is made in C may have none
    return str(module).partition(".")[0] in ("torch", "functools")


def _retire(name: str, made: Any) -> None:
    """Make an object refuse all that is its own: its class becomes one that does."""

    def look_up(self: Any, attribute: str) -> Any:
        if attribute.startswith("__"):
            return object.__getattribute__(self, attribute)
        raise _refusal(name)

    kind, refusals = type(made), {"__call__": _refusing(name), "__getattribute__": look_up}
    # What is made in C may keep its class: exercises that forbid making it forbid its `__call__`, too.
    with suppress(Exception):
        retired = new_class(kind.__name__, (kind,), exec_body=lambda body: body.update(refusals))
        object.__setattr__(made, "__class__", retired)


def _is_own_class(value: Any, module: ModuleType) -> bool:
    return isinstance(value, type) and value.__module__ == module.__name__


def _refusing(name: str) -> Callable[..., Any]:
    def refuse(*args: Any, **kwargs: Any) -> Any:
        raise _refusal(name)

    return refuse


def forbid(names: Sequence[str], is_student: Callable[[str], bool]) -> Callable[[], None]:
    """Guard each dotted name, and imports; `is_student(filename)` tells the student's frames. Returns the undo.

    A class stays itself, for isinstance and for subclasses; it is its construction that is guarded, and its methods.
    """
    found = [(name, *resolve(name)) for name in names]  # all of them, before any is replaced
    operators = [name for name in names if name.startswith(PREFIX)]
    found = [part for part in found if part[0] not in operators]
    saved: list[tuple[Any, str, Any, bool]] = []
    for name, owner, attribute in chain.from_iterable(map(_calls, found)):
        original = getattr(owner, attribute)
        saved.append((owner, attribute, original, attribute in vars(owner)))
        setattr(owner, attribute, _guard(name, original, is_student))
    unwatch = watch(operators, is_student, _refusal)
    allow_imports = guard_imports(is_student)

    def undo() -> None:
        allow_imports()
        unwatch()
        for owner, attribute, original, own in reversed(saved):
            if own:
                setattr(owner, attribute, original)
            else:
                delattr(owner, attribute)

    return undo


def _calls(found: tuple[str, Any, str]) -> list[tuple[str, Any, str]]:
    """What stands for a name: itself, or, for a class, what makes one and what its instances can do."""
    name, owner, attribute = found
    value = getattr(owner, attribute)
    if not isinstance(value, type):
        return [found]
    methods = [
        key for key, part in vars(value).items() if inspect.isfunction(part) and not key.startswith("__")
    ]
    return [(name, value, part) for part in ("__init__", *methods)]


@contextmanager
def forbidden(names: Sequence[str], is_student: Callable[[str], bool]) -> Iterator[None]:
    """`forbid` for the length of a with-block."""
    undo = forbid(names, is_student)
    try:
        yield
    finally:
        undo()
