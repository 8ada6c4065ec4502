"""What runs in a confined child: it takes one request at a time, lets the student's code work, and answers.

Nothing here is trusted by the other side; the student's code shares this process and may do with it what it
likes.
"""

from __future__ import annotations

import builtins
import itertools
import mmap
import os
import sys
import threading
import traceback
from collections.abc import Callable, Mapping
from types import ModuleType, SimpleNamespace
from typing import Any, NoReturn

from msgspec import Struct

from autograder.guest.cell_runner import SkippedCell
from autograder.guest.forbid import seal
from autograder.guest.helpers import KEPT, REMOTE_HELPERS
from autograder.guest.loading import check_syntax, filename_of, load_module
from autograder.guest.seed import seed_everything
from autograder.guest.settings import read_settings, restore_settings
from autograder.remote import archive, wire
from autograder.remote.decode import Decoder
from autograder.remote.differentiable import METHODS, differentiable
from autograder.remote.encode import Encoder
from autograder.remote.operations import Exhausted, builtin_bases, perform
from autograder.remote.sealed import check_question
from autograder.remote.stream import Inbox
from autograder.remote.values import LASTING, MODULE, type_name
from autograder.sandbox.messages import EXIT_MEMORY

BALLAST = 8 << 20  # given back when memory runs out, so that this can still be said

student_files: set[str] = set()  # their names, as tracebacks show them; each child fills its own

Answer = wire.Returned | wire.Raised | wire.Exhausted


class Kept(Struct):
    """A result that stays here whatever it is."""

    value: Any


class Server:
    """The state of one child: its channel, and the objects that the other side holds handles to."""

    def __init__(self, channel: int) -> None:
        """`channel` is the descriptor of its end of the channel."""
        self._channel = channel
        self._handles: dict[int, Any] = {}
        self._given: dict[str, Any] = {}  # of the module, by name: the other side may keep these
        self._numbers = itertools.count(1)
        self._turn = threading.RLock()  # the student's threads may call back, too: one exchange at a time
        self._call = 0
        self._sealed = False
        self._settings = read_settings()
        # Address space is what the limit counts; to touch the pages as well would cost every child 4 ms.
        self._ballast: mmap.mmap | None = mmap.mmap(-1, BALLAST, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        self._inbox = Inbox(self._read)

    def serve(self) -> NoReturn:
        """Answer requests until the other side goes away."""
        while True:
            message, payload = self._receive()
            if isinstance(message, wire.Request):
                self._answer(message, payload)

    # --- frames ---

    def _receive(self) -> tuple[wire.ToChild, bytearray]:
        try:
            header, payload = self._inbox.frame()
            return wire.unpack_to_child(header), payload
        except MemoryError:
            os._exit(EXIT_MEMORY)  # half of a frame is read, so nothing can be answered any more

    def _read(self, buffer: memoryview) -> int:
        count = os.readv(self._channel, [buffer])
        if not count:
            os._exit(0)  # the trusted side is gone
        return count

    def _send(self, message: Struct, payload: list[memoryview | bytes]) -> None:
        self._write(wire.pack(message, payload))

    def _write(self, pieces: list[memoryview | bytes]) -> None:
        for piece in pieces:
            view = memoryview(piece)
            while view:
                view = view[os.write(self._channel, view) :]

    def _answer(self, request: wire.Request, payload: bytearray) -> None:
        outer, self._call = self._call, request.call
        try:
            for number in request.free:
                self._handles.pop(number, None)
            answer, attached = self.run(request, payload)
            answer.rebound = self._rebound()
            try:
                pieces = wire.pack(answer, attached)
            except wire.WireError as error:  # each part can be sent, all of them are too much
                pieces = wire.pack(_unsendable(request.call, error, answer.rebound))
        except MemoryError:
            pieces = wire.pack(self._out_of_memory(request.call))
        _flush()
        with self._turn:
            self._call = outer
            self._write(pieces)

    def _rebound(self) -> bool:
        if not self._given:
            return False
        names = vars(self._handles[MODULE])
        return any(names.get(name) is not value for name, value in self._given.items())

    def run(self, request: wire.Request, payload: bytearray) -> tuple[Answer, list[memoryview | bytes]]:
        """Do what is asked. MemoryError where there was not enough for it."""
        encoder = Encoder(self._keep)
        try:
            if request.seed is not None:  # a test begins
                restore_settings(self._settings)
                seed_everything(request.seed)
            args, kwargs = Decoder(payload, self._resolve).arguments(request.arguments)
            result = self._operate(request, args, kwargs)
            node = self._keep(result.value) if isinstance(result, Kept) else encoder.node(result)
            return wire.Returned(request.call, node), encoder.payload
        except Exhausted:
            return wire.Exhausted(request.call), []
        except MemoryError:
            raise
        except wire.WireError as error:
            return _unsendable(request.call, error), []
        except BaseException as error:
            return self._raised(request.call, error), []

    def _out_of_memory(self, call: int) -> Answer:
        if self._ballast is None:
            os._exit(EXIT_MEMORY)
        self._ballast.close()
        self._ballast = None
        message = "the memory limit was reached"
        return wire.Raised(call, "MemoryError", ["MemoryError"], message, [], rebound=True)

    def _raised(self, call: int, error: BaseException) -> wire.Raised:
        try:
            message = str(error)[:4000]
        except MemoryError:
            raise
        except BaseException:
            message = "(its text can't be made: str() of the exception fails)"
        mro = builtin_bases(error, message)
        frames = [
            (_clean(f.filename), f.lineno or 0, _clean(f.name), _clean(f.line or "")[:400])
            for f in traceback.extract_tb(error.__traceback__)
            if f.filename in student_files and not self._sealed
        ][-20:]
        if isinstance(error, SyntaxError) and error.filename in student_files:
            line = error.lineno if type(error.lineno) is int else 0
            frames.append(
                (_clean(str(error.filename)), line, "<module>", _clean(str(error.text or ""))[:400])
            )
        return wire.Raised(
            call, _clean(type(error).__name__)[:200], [_clean(m)[:200] for m in mro], _clean(message), frames
        )

    # --- operations ---

    def _operate(self, request: wire.Request, args: list[Any], kwargs: dict[str, Any]) -> Any:
        kind, name = request.kind, request.name
        if self._sealed:
            check_question(kind, name, self._handles.get(request.target), args)
        match kind:
            case "load":
                return self._load(*args)
            case "check_syntax":
                return self._check_syntax(*args)
            case "help":
                answer = REMOTE_HELPERS[name](*args, **kwargs)
                return Kept(answer) if name in KEPT else answer
            case "unpack":
                return archive.unpack(*args)
        target = self._handles[request.target]
        value = perform(kind, target, name, args, kwargs)
        if kind == "get" and request.target == MODULE and type(value) in LASTING:
            self._given[name] = value
        return value

    def _load(
        self, files: Mapping[str, bytes], main: str, sealed: bool = False
    ) -> list[tuple[str, str, str]]:
        """`sealed`: from now on it answers only what `autograder.remote.sealed` lets through."""
        student_files.update(map(filename_of, files))
        skipped: list[SkippedCell] = []
        module = load_module(files, main, skipped=skipped)
        seal(module)
        self._handles[MODULE] = module
        self._sealed = sealed
        self._settings = read_settings()
        return [(_clean(cell.cell), _clean(cell.error), _clean(cell.message)) for cell in skipped]

    def _check_syntax(self, file: str, raw: bytes) -> None:
        student_files.add(filename_of(file))
        check_syntax(file, raw)

    # --- objects that stay on one side ---

    def _keep(self, value: Any) -> wire.HandleNode:
        number = next(self._numbers)
        self._handles[number] = value
        name = value.__name__ if isinstance(value, ModuleType) else type_name(type(value))
        return wire.HandleNode(number, _clean(str(name))[:120])

    def _resolve(self, node: Any) -> Any:
        if isinstance(node, wire.HandleNode):
            return self._handles[node.number]
        if isinstance(node, wire.CallbackNode):
            return self._caller(node.number, "")
        if node.methods == METHODS:
            return differentiable(*(self._caller(node.number, method) for method in METHODS))
        return SimpleNamespace(**{method: self._caller(node.number, method) for method in node.methods})

    def _caller(self, number: int, method: str) -> Callable[..., Any]:
        def call_back(*args: Any, **kwargs: Any) -> Any:
            with self._turn:
                call = self._call
                encoder = Encoder(self._keep)
                self._send(
                    wire.Callback(call, number, method, encoder.arguments(args, kwargs)), encoder.payload
                )
                while True:
                    message, payload = self._receive()
                    if isinstance(message, wire.CallbackResult):
                        break
                    self._answer(message, payload)  # the test's function calls the student's code in its turn
            if message.error:
                name, text = message.error
                raise getattr(builtins, name)(text)
            if not message.ok:
                raise RuntimeError("a function given by the test raised an exception")
            return Decoder(payload, self._resolve).value(message.value)

        return call_back


def _unsendable(call: int, error: wire.WireError, rebound: bool = False) -> wire.Raised:
    return wire.Raised(call, "Unsendable", [], str(error), [], rebound)


def _clean(text: str) -> str:
    return text.encode("utf-8", "replace").decode()


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except Exception:  # the student's code may have closed or replaced it
            continue
