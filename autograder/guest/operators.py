"""Operators an exercise forbids, watched where all ways to them meet: in torch's dispatcher.

A name such as `torch.softmax` has many others beside it, and libraries call it for whoever calls them. They all come to an
operator's kernel for the processor, in whatever thread. While an operator is watched, its kernel is a function of ours,
which looks at who is calling and then calls torch's own. Other operators are as they were, so they cost nothing.

This is a deterrent, not a wall: code in the same process can put the kernel back. `tests/guest/test_routes.py` lists the
ways that are seen, and those that are known and not seen.
"""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator
from functools import cache, wraps
from types import CodeType, FrameType
from typing import Any

from autograder.guest.loading import is_file_beside, is_loading

PREFIX = "torch.ops.aten."  # a forbidden name that begins so is an operator, with all of its overloads

_KEYS = ("CPU", "SparseCPU", "NestedTensorCPU")
_COMPOSITE = "CompositeImplicitAutograd"  # the one kernel of an operator that is made of others


def watch(
    names: Iterable[str], is_student: Callable[[str], bool], refusal: Callable[[str], Exception]
) -> Callable[[], None]:
    """Raise `refusal(name)` where the student's code comes to one of these operators. Returns the undo."""
    found = [(name, *kernel) for name in dict.fromkeys(names) for kernel in _kernels(name)]
    if not found:
        return lambda: None
    from torch.library import Library

    library = Library("aten", "IMPL")
    with warnings.catch_warnings(action="ignore"):  # torch says once that a kernel is replaced
        for name, overload, key, kernel in found:
            watched = _watched(kernel, lambda: is_student_calling(is_student), refusal, name)
            library.impl(overload, watched, key, with_keyset=True, allow_override=True)
    undo: Callable[[], None] = library._destroy
    return undo


@cache
def _kernels(name: str) -> tuple[tuple[str, str, Any], ...]:
    """Of each overload: its name, the dispatch key of a kernel, and the kernel itself, which is torch's."""
    return tuple(_find_kernels(name.removeprefix(PREFIX)))


def _find_kernels(operator: str) -> Iterator[tuple[str, str, Any]]:
    import torch

    for overload in getattr(torch.ops.aten, operator).overloads():
        name = operator if overload == "default" else f"{operator}.{overload}"
        if torch._C._dispatch_has_kernel_for_dispatch_key(f"aten::{name}", _COMPOSITE):
            yield name, _COMPOSITE, torch.library.get_kernel(f"aten::{name}", "CPU")
            continue
        for key in _KEYS:
            if torch._C._dispatch_has_computed_kernel_for_dispatch_key(f"aten::{name}", key):
                yield name, key, torch.library.get_kernel(f"aten::{name}", key)


def _watched(
    kernel: Any, is_refused: Callable[[], bool], refusal: Callable[[str], Exception], name: str
) -> Callable[..., Any]:
    def watched(keys: Any, *args: Any, **kwargs: Any) -> Any:
        if is_refused():
            raise refusal(name)
        return kernel.call_boxed(keys, *args, **kwargs)

    return watched


def is_student_calling(is_student: Callable[[str], bool]) -> bool:
    """Whether the code that calls, through whatever library, is the student's rather than a test's or ours.

    Comparing one's own answer with the library's while the file is loaded is good practice.
    """
    if is_loading():
        return False
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        code = frame.f_code
        if code is _ALIAS or is_student(code.co_filename) or is_file_beside(code.co_filename):
            return True
        if _is_tests(code.co_filename, str(frame.f_globals.get("__name__"))):
            return False
        frame = frame.f_back
    return True  # a thread in which only libraries run: a pool's, to which the student gave one of their functions


def _is_tests(filename: str, module: str) -> bool:
    """A test, or what calls the student's functions on its behalf. Of ours, `guest` runs below the student's code, too."""
    return os.path.basename(filename).startswith("test_") or (
        module.startswith("autograder.") and not module.startswith("autograder.guest.")
    )


def as_students(function: Callable[..., Any]) -> Callable[..., Any]:
    """The same function, called on behalf of the student whoever calls it."""

    @wraps(function)
    def called_as_student(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return called_as_student


_ALIAS: CodeType = as_students(len).__code__
