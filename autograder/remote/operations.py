"""What a test may do with an object of the student's, wherever that lives: one function for all operations."""

from __future__ import annotations

import builtins
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

BUILTINS = {
    id(kind): name
    for name, kind in vars(builtins).items()
    if isinstance(kind, type) and kind.__name__ == name
}
TORCH_OUT_OF_MEMORY = ("can't allocate memory", "not enough memory")

_BINARY = "add sub mul truediv floordiv mod pow matmul and_ or_ xor lshift rshift"
BINARY: dict[str, Callable[[Any, Any], Any]] = {name: getattr(operator, name) for name in _BINARY.split()}
UNARY: dict[str, Callable[[Any], Any]] = {
    "neg": operator.neg,
    "pos": operator.pos,
    "abs": operator.abs,
    "invert": operator.invert,
    "float": float,
    "int": int,
    "len": len,
    "iter": iter,
}


class Exhausted(Exception):
    """An iterator is at its end."""


def perform(kind: str, target: Any, name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    """One operation on `target`. Raises whatever the object raises; Exhausted for an iterator's end."""
    match kind:
        case "call":
            return target(*args, **kwargs)
        case "get":
            return getattr(target, name)
        case "set":
            return setattr(target, name, args[0])
        case "getitem":
            return target[args[0]]
        case "setitem":
            return operator.setitem(target, args[0], args[1])
        case "contains":
            return bool(args[0] in target)
        case "next":
            return _next(target)
        case "binary":
            return BINARY[name](target, args[0])
        case "reflected":
            return BINARY[name](args[0], target)
        case "unary":
            return UNARY[name](target)
    raise ValueError(f"unknown operation {kind!r}")


def _next(target: Any) -> Any:
    try:
        return next(target)
    except StopIteration:
        raise Exhausted from None


def builtin_bases(error: BaseException, message: str) -> list[str]:
    """The builtin classes that an exception is of, most derived first. Torch's lack of memory is a MemoryError, too."""
    kind = type(error)
    # Known by identity: a class made by exec may have no `__module__`, or say that it is a builtin.
    bases = [BUILTINS[id(base)] for base in kind.__mro__ if id(base) in BUILTINS][:16]
    if kind is RuntimeError and any(text in message for text in TORCH_OUT_OF_MEMORY):
        bases.insert(0, "MemoryError")
    return bases
