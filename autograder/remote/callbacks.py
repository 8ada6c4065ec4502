"""Functions and objects of a test that the student's code may call: what was given, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from autograder.remote import wire
from autograder.remote.wire import WireError


class Callbacks:
    """What one child was given, by number.

    A callable is sent as itself. An object whose class lists method names in `__remote__` is sent as a stub with these
    methods, and with copies of the attributes listed in `__shared__`.
    """

    def __init__(self) -> None:
        self._given: dict[int, Any] = {}
        self._numbers: dict[int, int] = {}

    def send(self, value: Any) -> wire.Node:
        """The node for a callable or an object with remote methods. TypeError for anything else."""
        methods = getattr(type(value), "__remote__", None)
        if methods is not None:
            shared = list(getattr(type(value), "__shared__", ()))
            return wire.StubNode(self._register(value), list(methods), shared, [])
        # An nn.Module is callable, but what its forward computes here has no graph there.
        if callable(value) and not hasattr(value, "state_dict"):
            return wire.CallbackNode(self._register(value))
        kind = f"{type(value).__module__}.{type(value).__qualname__}"
        raise TypeError(
            f"a {kind} can't be sent to the student's process: send plain data and tensors, functions, or objects "
            "made there with build()"
        )

    def _register(self, value: Any) -> int:
        number = self._numbers.setdefault(id(value), len(self._given) + 1)
        self._given[number] = value  # kept alive: the student's code may call it in a later operation
        return number

    def find(self, number: int, method: str) -> Callable[..., Any]:
        """What the child asks to call. WireError unless it was given exactly that."""
        given = self._given.get(number)
        if given is None:
            raise WireError("it called a function that it was not given")
        remote = getattr(type(given), "__remote__", None)
        if not method and remote is None:
            return given
        if method not in (remote or ()):
            raise WireError("it called a method that it was not given")
        return getattr(given, method)
