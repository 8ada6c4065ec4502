"""A student's module in a confined process, as the trusted side holds it: requests go out, answers are checked."""

from __future__ import annotations

import io
import secrets
import struct
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, BinaryIO, NoReturn, TypeVar

from autograder.guest.cell_runner import MAX_NOTES, SCRATCH_SECONDS, SkippedCell
from autograder.guest.helpers import KEPT, Gradients, same
from autograder.remote import wire
from autograder.remote.archive import BLOCK, Refused, accept
from autograder.remote.callbacks import Callbacks
from autograder.remote.decode import Decoder
from autograder.remote.encode import Encoder
from autograder.remote.errors import (
    ArchiveError,
    Frame,
    StudentError,
    UnsendableArgument,
    out_of_memory,
    student_error,
)
from autograder.remote.frames import Frames
from autograder.remote.intake import Intake, TooMuch
from autograder.remote.proxy import MAX_ITERATION, Call, Handle, is_echo
from autograder.remote.values import MODULE
from autograder.results import Limits
from autograder.sandbox.channel import Closed
from autograder.sandbox.errors import Blocked, Ended, SandboxFault, TimedOut
from autograder.sandbox.process import Process
from autograder.text import printable

LOAD_SECONDS = 2 * SCRATCH_SECONDS  # to load a file, whatever its tests may take
MAX_CALLBACKS = 20_000  # in one operation
TEST_FACTOR = 10  # CPU seconds of the test's functions, for each second that the child may take itself
MAX_TRACED = 128 << 20  # bytes of answers in one trace
OURS = ("load", "check_syntax", "unpack")  # operations whose arguments no child had a hand in
MAX_NESTING = 8  # operations made from within functions that an operation called back

T = TypeVar("T")
# Hears each operation: kind, target, name, arguments, and what came back, be it an exception.
Listener = Callable[[str, Handle | None, str, Sequence[Any], Mapping[str, Any], Any], None]


class RemoteModule:
    """One student's module in a confined process. Made by `ModuleSandbox.open`; a context manager that closes it.

    One thread may use it at a time; different children may be used from different threads.
    """

    def __init__(
        self,
        process: Process,
        files: Mapping[str, bytes],
        main: str,
        limits: Limits,
    ) -> None:
        self._process = process
        self._channel = process.channel
        self._frames = Frames(process.channel)
        self._files, self._main = dict(files), main
        self._limits = limits
        self._ended: Exception | None = None
        self._pending: list[int] = []
        self._numbers = _unguessable()
        self._free: list[int] = []
        self._seed: int | None = None
        self.definitions: dict[str, Handle] = {}  # of the module, by name: kept by `student`
        self._callbacks = Callbacks()
        self._iterations: dict[int, int] = {}
        self.trace: list[Call] = []
        self.traced = 0  # bytes that the answers in it came in
        self.callback_error: BaseException | None = None
        self.listener: Listener | None = None
        self.student = Handle(self, MODULE, "", "module")
        self.deadline(limits.seconds)

    # --- what a test does ---

    def load(
        self, *, patient: bool = True, seconds: float = LOAD_SECONDS, sealed: bool = False
    ) -> list[SkippedCell]:
        """Run the student's source; what was left out of a notebook. `patient` and `seconds` as in `deadline`.

        sealed: it is no student's, but a program that somebody's tests are tried on (see `autograder.remote.sealed`).

        Raises:
            StudentError: it raises.
            Ended: it doesn't come back.
        """
        self.deadline(seconds, patient=patient)
        # No path: the trace of a notebook is compared with that of a `.py`.
        answer = self.operate("load", "", None, "", (self._files, self._main, sealed))
        self.deadline(self._limits.seconds)
        if type(answer) is not list or not all(map(_is_note, answer)):
            self._end(Blocked("loading gave something else than notes"))
        return [SkippedCell(*(printable(text, 400) for text in note)) for note in answer[:MAX_NOTES]]

    def check_syntax(self, file: str) -> None:
        """Raise what keeps one of its files from being compiled. Where it was not loaded, nothing of it has run: no claim."""
        self.deadline(LOAD_SECONDS, patient=False)
        self.operate("check_syntax", "", None, "", (file, self._files[file]))

    def seed(self, seed: int) -> None:
        """Seed torch, numpy and random on the student's side, at the beginning of the next operation."""
        if self._ended is not None:
            raise self._ended
        self._seed = seed

    def help(self, name: str, *args: Any, **kwargs: Any) -> Any:
        """One of `autograder.guest.helpers.HELPERS`, run there; its answer has the helper's own form."""
        target = args[0] if args else ""
        path = f"{name}({target._handle_path if isinstance(target, Handle) else target})"
        answer = self.operate("help", path, None, name, args, kwargs)
        if name in KEPT and isinstance(answer, Handle):
            return answer
        if name == "unchanged" and type(answer) is tuple and list(map(type, answer)) == [bool, list, dict]:
            said, now, named = answer
            # What lives there, and the test's functions, can't be compared here: their values don't cross.
            verdict = said and same((list(args[1:]), kwargs), (now, named), other=lambda *_: True)
            if self.trace:
                self.trace[-1] = Call("help", path, verdict)  # as where nothing is sent back
            return verdict
        if (
            name == "gradients"
            and type(answer) is tuple
            and list(map(type, answer[1:])) == [list, dict, dict]
        ):
            return Gradients(*answer)
        self._end(Blocked(f"{name} came back in another form than ours"))
        return None

    def unpack(
        self, archive: BinaryIO, max_bytes: int, max_files: int, suffixes: Sequence[str] = ()
    ) -> dict[str, bytes]:
        """The files of an archive, as `autograder.remote.archive.unpack` has it. ArchiveError naming what is wrong with it."""
        if max_bytes > wire.MAX_PAYLOAD // 2:
            raise ArchiveError(f"more than {wire.MAX_PAYLOAD // 2} bytes are asked for")

        def read(offset: int, length: int) -> bytes:
            archive.seek(max(offset, 0))
            return archive.read(min(max(length, 0), BLOCK))

        try:
            size = archive.seek(0, io.SEEK_END)
            answer = self.operate("unpack", "", None, "", (read, size, max_bytes, max_files, list(suffixes)))
            return accept(answer, max_bytes, max_files)
        except StudentError as error:
            if isinstance(self.callback_error, OSError):
                raise self.callback_error from None
            raise ArchiveError(error.message) from None
        except Refused as error:
            raise ArchiveError(str(error)) from None
        except Ended as error:
            raise ArchiveError(f"unpacking it ended the process: {error}") from None

    # --- its resources ---

    def deadline(self, seconds: float, *, patient: bool = True) -> None:
        """Start a new budget: CPU seconds of the child from now on, and, if `patient`, six times as much waiting."""
        self._process.budget.arm(seconds, None if patient else seconds)

    @property
    def idle(self) -> float:
        """Seconds since the last `deadline` for which it kept us waiting and did nothing."""
        return self._process.budget.idle

    def take_in(self, intake: Intake) -> None:
        """From now on what it answers counts for this budget."""
        self._frames.intake = intake

    def reset_trace(self) -> None:
        self.trace, self.traced = [], 0

    @property
    def alive(self) -> bool:
        return self._ended is None

    @property
    def output(self) -> bytes:
        """The beginning of what the child printed, stdout and stderr together."""
        if self._ended is None:
            self._channel.drain()
        return bytes(self._channel.output)

    @property
    def cpu_seconds(self) -> float:
        """CPU time used in all, or so far."""
        return self._process.cpu_seconds if self._ended is not None else self._process.budget.total

    @property
    def process(self) -> Process:
        """What it runs in."""
        return self._process

    def close(self) -> None:
        """End the process and wait for it. May be called again."""
        if self._ended is None:
            self._ended = Ended("the child was closed")
            self._process.end()

    def __enter__(self) -> RemoteModule:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    # --- one operation ---

    def operate(
        self,
        kind: str,
        path: str,
        target: Handle | None,
        name: str = "",
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Ask the child, serve its callbacks, and return or raise what it answers; record it in the trace."""
        if self._ended is not None:
            raise self._ended
        if len(self._pending) >= MAX_NESTING:
            raise RuntimeError(f"more than {MAX_NESTING} calls to the student's code within one another")
        number = MODULE if target is None else target._handle_number
        call, free = next(self._numbers), self._free
        try:
            encoder = Encoder(self._send_opaque)
            arguments = encoder.arguments(args, kwargs or {})
            request = wire.Request(call, kind, number, name, arguments, free, self._seed)
            pieces = wire.pack(request, encoder.payload)
        except wire.WireError as error:
            fault = SandboxFault if kind in OURS else UnsendableArgument
            raise fault(f"an argument of {path or 'the call'} can't be sent: {error}") from None
        self._free, self._seed = [], None
        self._pending.append(call)
        try:
            result = self._exchange(call, pieces, path)
        except StudentError as error:
            self._record(Call(kind, path, error))
            if self.listener is not None:
                self.listener(kind, target, name, args, kwargs or {}, error)
            raise
        except wire.WireError as error:
            self._end(Blocked(str(error)))
        except Closed:
            self._end(self._process.cause())
        except (TimedOut, TooMuch) as error:
            self._end(error)
        except StopIteration:
            raise
        except BaseException as error:
            # Interrupted between a question and its answer: the child is of no use any more.
            if self._ended is None:
                self._process.end()
                self._ended = Ended(f"the child was given up after {type(error).__name__}")
            raise
        finally:
            self._pending.remove(call)
        self._record(Call(kind, path, result, is_echo(result, args)))
        if self.listener is not None:
            self.listener(kind, target, name, args, kwargs or {}, result)
        return result

    def _record(self, call: Call) -> None:
        """Keep it for diagnosis, unless all is too large to be kept."""
        self.traced += self._frames.size
        if self.traced <= MAX_TRACED:
            self.trace.append(call)
        else:
            self.trace = []

    def _exchange(self, call: int, pieces: list[memoryview | bytes], path: str) -> Any:
        budget = self._process.budget
        callbacks, started = 0, 0.0
        while True:
            with budget:
                self._frames.send(pieces)
                message, payload = self._frames.receive()
            if message.call != call:
                raise wire.WireError("it answered something else than what it was asked")
            if not isinstance(message, wire.Callback) and message.rebound:
                self.definitions.clear()
            decoder = Decoder(payload, lambda node: self._receive_handle(node, path), self._frames.intake)
            match message:
                case wire.Returned():
                    return decoder.value(message.value)
                case wire.Exhausted():
                    raise StopIteration
                case wire.Raised():
                    frames = [Frame(*frame) for frame in message.frames]
                    raise student_error(message.name, message.mro, message.message, frames)
                case wire.Callback():
                    callbacks += 1
                    started = started or time.thread_time()
                    if callbacks > MAX_CALLBACKS:
                        raise TimedOut(f"called the test's functions more than {MAX_CALLBACKS} times")
                    pieces = self._call_back(message, decoder)
                    if time.thread_time() - started > TEST_FACTOR * budget.seconds:
                        raise TimedOut("kept the test's own functions busy for too long")

    def _call_back(self, message: wire.Callback, decoder: Decoder) -> list[memoryview | bytes]:
        """Run a function of the test. An exception stays here, unless it is `for_student`: the child learns that there was one."""
        function = self._callbacks.find(message.number, message.method)
        args, kwargs = decoder.arguments(message.arguments)
        encoder = Encoder(self._send_opaque)
        try:
            value = encoder.node(function(*args, **kwargs))
            return wire.pack(wire.CallbackResult(message.call, True, value), encoder.payload)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:
            if error is self._ended:
                raise
            if self._ended is not None:
                raise self._ended from error
            if out_of_memory(error):
                raise  # it is the test's end, and not the child's to catch
            if getattr(error, "for_student", False):
                told = wire.CallbackResult(message.call, False, error=[type(error).__name__, str(error)])
                return wire.pack(told)
            self.callback_error = error
            return wire.pack(wire.CallbackResult(message.call, False))

    def _end(self, error: Exception) -> NoReturn:
        """End the child because of `error`, and raise it, now and at every further use."""
        self._process.end()
        self._ended = error
        raise error

    # --- what crosses as a reference ---

    def _receive_handle(self, node: Any, path: str) -> Handle:
        if not isinstance(node, wire.HandleNode):
            raise wire.WireError("it sent a function of the test back as its own")
        return Handle(self, node.number, path, printable(node.type_name, 120))

    def _send_opaque(self, value: Any) -> wire.Node:
        if not isinstance(value, Handle):
            return self._callbacks.send(value)
        if value._handle_remote is not self:
            raise TypeError(f"{value!r} belongs to another process")
        return wire.HandleNode(value._handle_number)

    def release(self, number: int) -> None:
        if number != MODULE and self._ended is None:
            self._free.append(number)

    # --- typed answers ---

    def expect(self, kind: type[T], operation: str, target: Handle, name: str, args: Sequence[Any] = ()) -> T:
        """An operation whose answer Python itself needs to be of one type."""
        answer = self.operate(operation, f"{name or operation}({target._handle_path})", target, name, args)
        if type(answer) is not kind:
            self._end(Blocked(f"{name or operation} gave something that is no {kind.__name__}"))
        return answer

    def next_item(self, handle: Handle) -> Any:
        counts = self._iterations
        counts[handle._handle_number] = counts.get(handle._handle_number, 0) + 1
        if counts[handle._handle_number] > MAX_ITERATION:
            raise StudentError("TooManyItems", (), f"an iterator gave more than {MAX_ITERATION} items")
        return self.operate("next", f"next({handle._handle_path})", handle)


def _unguessable() -> Iterator[int]:
    """Numbers that the system draws, of 63 bits; many at a time, because each time it is asked costs as much."""
    while True:
        yield from (number >> 1 for (number,) in struct.iter_unpack("=Q", secrets.token_bytes(1024)))


def _is_note(entry: Any) -> bool:
    return type(entry) is tuple and [type(text) for text in entry] == [str, str, str]
