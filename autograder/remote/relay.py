"""A confined process that uses the children of another sandbox: the trusted process opens them and passes bytes on.

A learner's tests run in one confined process, the program that they are tried on in another. In the first stands the same
`RemoteModule` that the trusted process has elsewhere. Its channel is a call to the trusted process, which forwards what it is
given without a look at it, keeps the time, and says how a child ended.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from typing import Any

from autograder.guest.cell_runner import SkippedCell
from autograder.remote.client import RemoteModule
from autograder.remote.module_sandbox import ModuleSandbox
from autograder.results import Limits
from autograder.sandbox import errors
from autograder.sandbox.channel import Closed
from autograder.sandbox.errors import Ended, TimedOut
from autograder.sandbox.process import Process

PIECE = 1 << 20  # bytes that are passed on at once at most
MOST_OPEN = 17  # children at a time: one for each rank, and the module itself
MOST_OPENED = 500
MOST_SECONDS = 120.0  # of CPU, and of waiting for what does nothing, of all children together

HowEnded = tuple[str, str]  # the name of an `Ended` class, and the text


class Programs:
    """On the trusted side: children of one program, for one confined process that tests it. A context manager.

    What it is asked for comes from code that nobody trusts: every argument is checked, every number has a limit.
    """

    __remote__ = ("open", "write", "read", "arm", "how_ended", "close", "began")

    def __init__(self, sandbox: ModuleSandbox, files: Mapping[str, bytes], main: str, most: Limits) -> None:
        """most: what one test may use at most, whatever limits it sets."""
        self._sandbox, self._files, self._main = sandbox, files, main
        self._most = most
        self._children: list[RemoteModule | None] = []
        self._ended: dict[int, Ended] = {}
        self._before = 0.0  # seconds of children that have ended, and of waits that are over
        self.running = ""  # the test that has begun last
        self.exhausted = False  # the children have used what they all may use

    def __enter__(self) -> Programs:
        return self

    def __exit__(self, *exception: object) -> None:
        for number in range(len(self._children)):
            self.close(number)

    def began(self, test: str) -> None:
        """The test of this name begins."""
        self.running = str(test)[:200]

    def open(self, memory_mb: int) -> int:
        """The number of a new child with the program loaded."""
        if (
            len(self._children) >= MOST_OPENED
            or sum(child is not None for child in self._children) >= MOST_OPEN
        ):
            raise ValueError("too many processes")
        self._check_spent()
        limits = Limits(self._most.seconds, min(max(int(memory_mb), 1), self._most.memory_mb))
        child = self._sandbox.open(self._files, self._main, limits=limits)
        self._children.append(child)
        child.load(sealed=True)
        return len(self._children) - 1

    def write(self, number: int, piece: bytes) -> bool:
        """Send bytes to a child; False where it has ended."""
        return self._exchange(number, lambda process: process.channel.send([piece])) is not None

    def read(self, number: int) -> bytes | None:
        """Some bytes that a child has sent, waited for; None where it has ended."""
        buffer = bytearray(PIECE)

        def receive(process: Process) -> bytes:
            with process.budget:
                return bytes(buffer[: process.channel.read(memoryview(buffer))])

        return self._exchange(number, receive)

    def arm(self, number: int, seconds: float) -> None:
        """As `Budget.arm`."""
        if child := self._child(number):
            self._before += child.process.budget.idle
            child.process.budget.arm(min(max(float(seconds), 0.0), self._most.seconds))

    def how_ended(self, number: int) -> HowEnded:
        """How a child ended."""
        ended = self._ended.get(number, Ended("was closed"))
        return type(ended).__name__, str(ended)

    def close(self, number: int) -> None:
        """End a child."""
        if child := self._child(number):
            self._children[number] = None
            self._before += child.process.budget.idle
            child.close()
            self._before += child.process.cpu_seconds

    def _child(self, number: int) -> RemoteModule | None:
        return self._children[number] if 0 <= number < len(self._children) else None

    def _check_spent(self) -> None:
        """TimedOut once the children have used what they all may use: tests can have a program compute again and again."""
        live = sum(child.process.budget.total for child in self._children if child)
        self.exhausted = self.exhausted or self._before + live > MOST_SECONDS
        if self.exhausted:
            raise TimedOut(f"programs took more than {MOST_SECONDS:g} s together")

    def _exchange(self, number: int, do: Callable[[Process], Any]) -> Any:
        child = self._child(number)
        if child is None:
            return None
        try:
            self._check_spent()
            return do(child.process) or True
        except Closed:
            self._ended[number] = child.process.cause()
        except TimedOut as error:
            self._ended[number] = error
        self.close(number)
        return None


class RelayedSandbox:
    """On the side of the tests: opens children by way of the trusted process. It stands for a `ModuleSandbox`."""

    def __init__(self, programs: Any) -> None:
        """programs: the stub of `Programs`."""
        self._programs = programs

    def share_cpu(self) -> AbstractContextManager[None]:
        return nullcontext()

    def open(
        self, files: Mapping[str, bytes], main: str, *, limits: Limits, forbidden: Sequence[str] = ()
    ) -> RemoteModule:
        """A child with the program loaded. The other arguments are the trusted side's business."""
        return _Relayed(_Process(self._programs, self._programs.open(limits.memory_mb)), limits)


class _Relayed(RemoteModule):
    """A module whose process somebody else has opened and loaded."""

    def __init__(self, process: Any, limits: Limits) -> None:
        super().__init__(process, {}, "", limits)

    def load(self, **options: Any) -> list[SkippedCell]:
        return []


class _Process:
    """What a RemoteModule asks of a `Process`: its channel, its budget, how it ended."""

    cpu_seconds = idle = total = 0.0  # the trusted side counts them
    output = b""

    def __init__(self, programs: Any, number: int) -> None:
        self._programs, self._number = programs, number
        self._rest = b""
        self.seconds = 0.0
        self.channel = self.budget = self

    # --- as a channel

    def send(self, pieces: Sequence[memoryview | bytes]) -> None:
        whole = b"".join(pieces)
        for start in range(0, len(whole), PIECE):
            if not self._programs.write(self._number, whole[start : start + PIECE]):
                raise Closed

    def read(self, buffer: memoryview) -> int:
        if not self._rest:
            self._rest = self._programs.read(self._number) or b""
            if not self._rest:
                raise Closed
        taken, self._rest = self._rest[: len(buffer)], self._rest[len(buffer) :]
        buffer[: len(taken)] = taken
        return len(taken)

    def drain(self) -> None:
        """What a program prints is nobody's business here."""

    # --- as a budget

    def arm(self, seconds: float, wall: float | None = None) -> None:
        self.seconds = seconds
        self._programs.arm(self._number, seconds)

    def __enter__(self) -> None:
        """Waiting is counted by the trusted side."""

    def __exit__(self, *exception: object) -> None:
        return None

    # --- as a process

    def end(self) -> None:
        with suppress(Exception):  # the trusted side may have closed its end
            self._programs.close(self._number)

    def cause(self) -> Ended:
        name, text = self._programs.how_ended(self._number)
        kind = getattr(errors, name, Ended)
        return kind(text) if isinstance(kind, type) and issubclass(kind, Ended) else Ended(text)
