"""Handles: objects of the student's that stay in the child, used through here as if they were at hand.

Attributes, calls, items, iteration and arithmetic are forwarded. What would let a hostile object decide a
test by itself is not: `==`, `!=`, `<`, truth value and hash raise TypeError with advice, and `repr` never
asks the remote.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol, TypeVar

import numpy as np
import torch

from autograder.remote.values import LASTING, MODULE, type_name

MAX_ITERATION = 100_000
LASTING_NAMES = frozenset(map(type_name, LASTING))


class Call(NamedTuple):
    """One completed operation: what was asked, of what, and the value or student's exception that came back.

    echo: what came back is an argument, as it was given.
    """

    kind: str
    path: str
    result: Any
    echo: bool = False


T = TypeVar("T")


def is_echo(result: Any, args: Iterable[Any]) -> bool:
    """Whether a result is one of the call's arguments, unchanged."""
    return any(type(arg) is type(result) and _equal(arg, result) for arg in args)


def _equal(left: Any, right: Any) -> bool:
    if isinstance(left, torch.Tensor):
        return left.dtype == right.dtype and torch.equal(left.detach(), right.detach())
    if isinstance(left, np.ndarray):
        return left.dtype == right.dtype and np.array_equal(left, right)
    try:
        return bool(left == right)
    except (TypeError, ValueError, RuntimeError):  # it is a handle, or holds handles or tensors
        return False


class Remote(Protocol):
    """What a handle asks of the process that its object lives in."""

    trace: list[Call]
    definitions: dict[str, Handle]  # of the module, by name

    @property
    def alive(self) -> bool: ...

    def operate(
        self,
        kind: str,
        path: str,
        target: Handle | None,
        name: str = "",
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Do one operation there; its result."""

    def expect(self, kind: type[T], operation: str, target: Handle, name: str, args: Sequence[Any] = ()) -> T:
        """An operation whose answer Python itself needs to be of one type."""

    def next_item(self, handle: Handle) -> Any:
        """The next item of an iterator."""

    def release(self, number: int) -> None:
        """No handle to this object is left."""


class Handle:
    """A proxy of one object in a remote. It has no public attributes of its own, so as not to hide the student's."""

    __slots__ = ("__weakref__", "_handle_number", "_handle_path", "_handle_remote", "_handle_type")
    __array_ufunc__ = None  # numpy then leaves `array + handle` to __radd__
    __hash__: None  # type: ignore[assignment]

    def __init__(self, remote: Remote, number: int, path: str, type_name: str) -> None:
        for name, value in (("remote", remote), ("number", number), ("path", path), ("type", type_name)):
            object.__setattr__(self, f"_handle_{name}", value)

    def __del__(self) -> None:
        self._handle_remote.release(self._handle_number)

    def __repr__(self) -> str:
        return f"<{self._handle_path or 'student'}: {self._handle_type}, in the student's process>"

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name.endswith("__"):
            raise AttributeError(f"{self!r} does not forward {name}")
        path = f"{self._handle_path}.{name}" if self._handle_path else name
        if self._handle_number == MODULE:
            return _definition(self, path, name)
        return self._handle_remote.operate("get", path, self, name)

    def __setattr__(self, name: str, value: Any) -> None:
        self._handle_remote.definitions.clear()
        self._handle_remote.operate("set", f"{self._handle_path}.{name}", self, name, (value,))

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._handle_remote.operate("call", f"{self._handle_path}()", self, "", args, kwargs)

    def __getitem__(self, index: Any) -> Any:
        return self._handle_remote.operate("getitem", f"{self._handle_path}[]", self, "", (index,))

    def __setitem__(self, index: Any, value: Any) -> None:
        self._handle_remote.operate("setitem", f"{self._handle_path}[]", self, "", (index, value))

    def __contains__(self, item: Any) -> bool:
        return self._handle_remote.expect(bool, "contains", self, "", (item,))

    def __len__(self) -> int:
        return self._handle_remote.expect(int, "unary", self, "len")

    def __float__(self) -> float:
        return self._handle_remote.expect(float, "unary", self, "float")

    def __int__(self) -> int:
        return self._handle_remote.expect(int, "unary", self, "int")

    def __iter__(self) -> Iterator[Any]:
        iterator = self._handle_remote.operate("unary", f"iter({self._handle_path})", self, "iter")
        return iterator if isinstance(iterator, Handle) else iter(iterator)

    def __next__(self) -> Any:
        return self._handle_remote.next_item(self)

    def __eq__(self, other: object) -> bool:
        raise TypeError(_advice(self, "compared with == or !="))

    __ne__ = __eq__

    def __lt__(self, other: object) -> bool:
        raise TypeError(_advice(self, "ordered with <, <=, > or >="))

    __le__ = __gt__ = __ge__ = __lt__

    def __bool__(self) -> bool:
        raise TypeError(_advice(self, "used as a truth value"))

    def __reduce__(self) -> str:
        raise TypeError(_advice(self, "pickled or copied"))


def _definition(module: Handle, path: str, name: str) -> Any:
    """An attribute of the module: from the child, unless it is known and lasts. The trace is the same."""
    remote = module._handle_remote
    known = remote.definitions.get(name)
    if known is not None and remote.alive:
        remote.trace.append(Call("get", path, known))
        return known
    value = remote.operate("get", path, module, name)
    if isinstance(value, Handle) and value._handle_type in LASTING_NAMES:
        remote.definitions[name] = value
    return value


def _refuse_hash(self: Handle) -> int:
    raise TypeError(_advice(self, "hashed (used in a set or as a key)"))


def _advice(handle: Handle, what: str) -> str:
    return (
        f"{handle!r} can't be {what}: it is an object of the student's code, which would decide the outcome itself. "
        "Use a plain value of it (an attribute, an item, a call that returns a number, string or tensor)."
    )


def _binary(name: str, reflected: bool) -> Callable[[Handle, Any], Any]:
    kind = "reflected" if reflected else "binary"

    def operator(self: Handle, other: Any) -> Any:
        return self._handle_remote.operate(kind, f"{self._handle_path}.{name}", self, name, (other,))

    return operator


def _unary(name: str) -> Callable[[Handle], Any]:
    def operator(self: Handle) -> Any:
        return self._handle_remote.operate("unary", f"{self._handle_path}.{name}", self, name)

    return operator


_OPERATORS = "add sub mul truediv floordiv mod pow matmul and or xor lshift rshift"
for _name in _OPERATORS.split():
    _function = f"{_name}_" if _name in ("and", "or") else _name
    setattr(Handle, f"__{_name}__", _binary(_function, reflected=False))
    setattr(Handle, f"__r{_name}__", _binary(_function, reflected=True))
for _name in ("neg", "pos", "abs", "invert"):
    setattr(Handle, f"__{_name}__", _unary(_name))
Handle.__hash__ = _refuse_hash  # type: ignore[method-assign,assignment]
