"""One forked process as the trusted side holds it: its channel, its clock, and how it ended."""

from __future__ import annotations

import os
import select
import signal
import socket
from collections.abc import Collection
from contextlib import suppress

import msgspec

from autograder.sandbox.budget import Budget, Clock
from autograder.sandbox.channel import Channel
from autograder.sandbox.errors import Blocked, Crashed, Ended, Killed, OutOfMemory, SandboxFault, TimedOut
from autograder.sandbox.messages import (
    CONTROL_MESSAGE,
    EXIT_MEMORY,
    Confined,
    Exited,
    Forked,
    Refused,
    Status,
)

FORK_SECONDS = 30.0
REAP_SECONDS = 10.0
NATURAL_END = 0.5  # how long to wait for a process that closed its channel to end by itself, and say how


class Process:
    """A child of the zygote. `cpu_seconds` are known once it has ended."""

    def __init__(self, channel: socket.socket, output: int, status: socket.socket, memory: int) -> None:
        self._status = status
        self._memory = memory
        self._exited: Exited | None = None
        self._pidfd = -1
        self.cpu_seconds = 0.0
        try:
            self._await_start()
            self._clock = Clock(self._pidfd)
            self.budget = Budget(self._clock)
        except BaseException as error:
            for end in (channel, status):
                end.close()
            if self._pidfd >= 0:
                with suppress(ProcessLookupError):
                    signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)  # type: ignore[attr-defined, unused-ignore]
                os.close(self._pidfd)
            said = _printed(output) if isinstance(error, SandboxFault) else ""
            os.close(output)
            if said:
                raise SandboxFault(f"{error} {said}") from None
            raise
        self.channel = Channel(channel, output, self.budget)

    def _await_start(self) -> None:
        """Until there is a child, and it says itself that it is confined."""
        self._status.settimeout(FORK_SECONDS)
        confined = False
        while self._pidfd < 0 or not confined:
            message, fds = self._hear()
            match message:
                case Forked():
                    (self._pidfd,) = fds
                case Confined():
                    confined = True
                case Refused():
                    raise SandboxFault(message.reason)
                case _:
                    raise SandboxFault("a child could not be confined:")

    def _hear(self) -> tuple[Status | None, list[int]]:
        """The next message on the status socket; None at its end."""
        try:
            message, fds, _, _ = socket.recv_fds(self._status, CONTROL_MESSAGE, 1)
        except TimeoutError:
            raise SandboxFault("the zygote did not fork within its time") from None
        if not message and self._pidfd < 0:
            raise SandboxFault("the zygote is gone, or could not fork")
        return msgspec.msgpack.decode(message, type=Status) if message else None, fds

    def run_on(self, cpus: Collection[int]) -> None:
        """Run on these processors only, where the system lets us say so."""
        with suppress(OSError):
            os.sched_setaffinity(self.budget.pid, cpus)

    def end(self) -> None:
        """Kill the process if it still runs, and learn how it ended."""
        if self._exited is not None or self._pidfd < 0:
            return
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)  # type: ignore[attr-defined, unused-ignore]
        self._learn()

    def cause(self) -> Ended:
        """What ended a process that closed its channel: it is given a moment to end by itself."""
        poll = select.poll()
        poll.register(self._pidfd, select.POLLIN)
        moment = Budget(self._clock)  # one of its own: how long the child kept us waiting stays known
        moment.arm(NATURAL_END, NATURAL_END)
        try:
            with moment:
                while not poll.poll(moment.check() * 1000):
                    pass
        except TimedOut:
            self.end()
            return Blocked("closed its channel and went on")
        self._learn()
        status = self._exited.status if self._exited else 0
        if status == EXIT_MEMORY or (status == -signal.SIGABRT and b"bad_alloc" in self.channel.output):
            return OutOfMemory(f"needed more than {self._memory >> 20} MiB")
        if status == -signal.SIGKILL:
            return Killed("was ended by the system, most likely for want of memory")
        if status == -signal.SIGSYS:
            return Blocked("made a system call of another architecture")
        if status == -signal.SIGXCPU:
            return TimedOut("took all the CPU time a process may have")
        if status < 0:
            return Crashed(f"was ended by {signal.Signals(-status).name}")
        return Crashed(f"ended itself with exit status {status}")

    def _learn(self) -> None:
        self._status.settimeout(REAP_SECONDS)
        try:
            message = self._status.recv(CONTROL_MESSAGE)
            self._exited = (
                msgspec.msgpack.decode(message, type=Exited) if message else Exited(-signal.SIGKILL, 0.0)
            )
        except (TimeoutError, ConnectionResetError):
            self._exited = Exited(-signal.SIGKILL, 0.0)
        self.cpu_seconds = self._exited.cpu_seconds
        self._release()

    def _release(self) -> None:
        self.channel.close()
        self._status.close()
        if self._pidfd >= 0:
            self.budget.close()
            os.close(self._pidfd)
        self._pidfd = -1


def _printed(output: int) -> str:
    """The end of what a child that never started has printed."""
    os.set_blocking(output, False)
    with suppress(BlockingIOError):
        return os.read(output, CONTROL_MESSAGE).decode(errors="replace")[-500:]
    return ""
