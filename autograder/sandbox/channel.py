"""The trusted end of a child's channel and output: every wait has a deadline, and output never blocks."""

from __future__ import annotations

import os
import select
import socket
import struct
from collections.abc import Sequence

from autograder.sandbox.budget import Budget

KEPT_OUTPUT = 64 << 10
CHUNK = 1 << 16
AT_ONCE = struct.pack("@ll", 0, 5000)  # a timeval of 5 ms
FLOOD_ROUNDS = 64  # chunks drained at one go: 4 MiB, more than a pipe can hold


class Closed(Exception):
    """The child closed its end: it is dead, or dying."""


class Channel:
    """Bytes to and from one child, and what it printed. Waiting for the child is limited by its budget."""

    def __init__(self, sock: socket.socket, output: int, budget: Budget) -> None:
        self._socket = sock
        self._output: int | None = output
        self._budget = budget
        self.output = bytearray()
        # Most answers come at once: a short wait in the very call that takes them spares a call to poll.
        for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
            sock.setsockopt(socket.SOL_SOCKET, option, AT_ONCE)
        os.set_blocking(output, False)
        self._poll = select.poll()
        self._poll.register(output, select.POLLIN)
        self._poll.register(sock, select.POLLIN)

    def send(self, pieces: Sequence[memoryview | bytes]) -> None:
        """Send these, in order. Closed at the end of the stream, TimedOut."""
        try:
            for piece in pieces:
                rest = memoryview(piece)
                while rest:
                    try:
                        rest = rest[self._socket.send(rest) :]
                    except BlockingIOError:
                        self._wait(select.POLLOUT)
        except (BrokenPipeError, ConnectionResetError):
            raise Closed from None

    def read(self, buffer: memoryview) -> int:
        """Wait for bytes, put some into the buffer; how many. Closed at the end of the stream, TimedOut."""
        self._budget.check()  # a child that always has a byte ready must still meet its deadline
        while True:
            try:
                count = self._socket.recv_into(buffer)
            except BlockingIOError:
                self._wait(select.POLLIN)
                continue
            except ConnectionResetError:
                raise Closed from None
            if not count:
                raise Closed
            return count

    def _wait(self, event: int) -> None:
        """Wait for the channel, draining the child's output all the while."""
        channel = self._socket.fileno()
        self._poll.modify(channel, event)
        while True:
            ready = self._poll.poll(self._budget.check() * 1000)
            for fd, _ in ready:
                if fd == channel:
                    return
            if ready:
                self.drain(1)

    def drain(self, rounds: int = FLOOD_ROUNDS) -> None:
        """Take what was printed; the first KEPT_OUTPUT bytes are kept, the rest is dropped."""
        for _ in range(rounds):
            if self._output is None:
                return
            try:
                piece = os.read(self._output, CHUNK)
            except BlockingIOError:
                return
            if not piece:
                self._close_output()
                return
            self.output += piece[: KEPT_OUTPUT - len(self.output)]

    def _close_output(self) -> None:
        if self._output is not None:
            self._poll.unregister(self._output)
            os.close(self._output)
            self._output = None

    def close(self) -> None:
        self.drain()
        self._close_output()
        self._socket.close()
