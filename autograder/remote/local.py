"""The same proxies as of a confined process, of objects in this one: a test's operations on a learner's module, recorded.

Nothing is isolated. What crosses takes the way of the wire all the same, so that a test is answered here what it would be
answered there: plain data and tensors are copies, everything else is a handle.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from autograder.guest.helpers import HELPERS, KEPT, Gradients
from autograder.remote import wire
from autograder.remote.decode import Decoder
from autograder.remote.encode import Encoder
from autograder.remote.errors import student_error
from autograder.remote.operations import Exhausted, builtin_bases, perform
from autograder.remote.proxy import Call, Handle, is_echo
from autograder.remote.values import MODULE, type_name

T = TypeVar("T")


class LocalModule:
    """A module in this process, as tests see one in another process: `student` is a handle, `trace` what it answered."""

    alive = True

    def __init__(self, module: Any) -> None:
        self._objects: dict[int, Any] = {MODULE: module}
        self._numbers = itertools.count(1)
        self.definitions: dict[str, Handle] = {}
        self.trace: list[Call] = []
        self.student = Handle(self, MODULE, "", "module")

    def operate(
        self,
        kind: str,
        path: str,
        target: Handle | None,
        name: str = "",
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Do one operation, and record it. Raises what the learner's code raises."""
        owner = self._objects[MODULE if target is None else target._handle_number]
        return self._record(
            kind, path, args, lambda: perform(kind, owner, name, *self._given(args, kwargs or {}))
        )

    def help(self, name: str, *args: Any, **kwargs: Any) -> Any:
        """One of `autograder.guest.helpers.HELPERS`, on the learner's objects."""
        target = args[0] if args else ""
        path = f"{name}({target._handle_path if isinstance(target, Handle) else target})"

        def call() -> Any:
            values, named = self._given(args, kwargs)
            return HELPERS[name](*values, **named)

        answer = self._record("help", path, (), call, kept=name in KEPT)
        return Gradients(*answer) if name == "gradients" else answer

    def expect(self, kind: type[T], operation: str, target: Handle, name: str, args: Sequence[Any] = ()) -> T:
        answer = self.operate(operation, f"{name or operation}({target._handle_path})", target, name, args)
        if type(answer) is not kind:
            raise TypeError(f"{name or operation} gave something that is no {kind.__name__}")
        return answer

    def next_item(self, handle: Handle) -> Any:
        return self.operate("next", f"next({handle._handle_path})", handle)

    def release(self, number: int) -> None:
        if number != MODULE:
            self._objects.pop(number, None)

    # --- what crosses ---

    def _record(
        self, kind: str, path: str, args: Sequence[Any], do: Callable[[], Any], kept: bool = False
    ) -> Any:
        try:
            value = do()
        except Exhausted:
            raise StopIteration from None
        except Exception as error:
            message = str(error)
            told = student_error(type(error).__name__, builtin_bases(error, message), message)
            self.trace.append(Call(kind, path, told))
            raise
        result = self._handle(value, path) if kept else self._received(value, path)
        self.trace.append(Call(kind, path, result, is_echo(result, args)))
        return result

    def _given(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> tuple[list[Any], dict[str, Any]]:
        """A test's arguments as the learner's code gets them."""
        return [_copied(arg, self._own) for arg in args], {
            key: _copied(value, self._own) for key, value in kwargs.items()
        }

    def _received(self, value: Any, path: str) -> Any:
        """A value of the learner's as the test gets it."""
        return _copied(value, lambda opaque: self._handle(opaque, path))

    def _handle(self, value: Any, path: str) -> Handle:
        number = next(self._numbers)
        self._objects[number] = value
        return Handle(self, number, path, type_name(type(value)))

    def _own(self, value: Any) -> Any:
        """What stands behind a handle; a test's function as one that takes and gives what crosses."""
        if isinstance(value, Handle):
            return self._objects[value._handle_number]
        if hasattr(type(value), "__remote__") or not callable(value):
            return value

        def call_back(*args: Any, **kwargs: Any) -> Any:
            shown = {key: self._received(item, "") for key, item in kwargs.items()}
            return _copied(value(*(self._received(arg, "") for arg in args), **shown), self._own)

        return call_back


def _copied(value: Any, opaque: Callable[[Any], Any]) -> Any:
    """A copy by way of the wire, in which `opaque` stands for what the wire does not take apart."""
    kept: list[Any] = []

    def keep(found: Any) -> wire.HandleNode:
        kept.append(opaque(found))
        return wire.HandleNode(len(kept) - 1)

    encoder = Encoder(keep)
    frame = b"".join(wire.pack(wire.Returned(0, encoder.node(value)), encoder.payload))
    begin = wire.HEAD.size
    end = begin + wire.lengths(frame[:begin])[0]
    message = wire.unpack_from_child(frame[begin:end])
    assert isinstance(message, wire.Returned)
    return Decoder(bytearray(frame[end:]), lambda node: kept[node.number]).value(message.value)
