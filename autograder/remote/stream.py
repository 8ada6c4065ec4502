"""Frames out of a stream of bytes, the same on both sides: an ordinary one takes a single read."""

from __future__ import annotations

from collections.abc import Callable

from autograder.remote import wire
from autograder.remote.wire import ORDINARY

# Waits for bytes, puts some into the buffer it is given and returns how many: at least one, or it raises.
Read = Callable[[memoryview], int]


class Inbox:
    """Cuts frames out of what comes in."""

    def __init__(
        self, read: Read, announced: Callable[[int, int], None] = lambda header, payload: None
    ) -> None:
        """announced: called with the lengths of each frame's header and payload, before there is room for them."""
        self._read = read
        self._announced = announced
        self._buffer = memoryview(bytearray(ORDINARY))
        self._start = self._end = 0  # what has come in and was not taken yet

    @property
    def unread(self) -> int:
        """Bytes beyond the last frame. The sides take turns, so whoever is to speak must have none."""
        return self._end - self._start

    def frame(self) -> tuple[bytearray, bytearray]:
        """The next frame's header and payload. WireError where it announces more than is allowed."""
        size = wire.HEAD.size
        self._fill(size)
        header, payload = wire.lengths(self._buffer[self._start : self._start + size])
        self._start += size
        self._announced(header, payload)
        middle = self._start + header
        end = middle + payload
        if end > self._end:  # more must come; mostly it has, and then this much is all there is to do
            return self._take(header), self._take(payload)
        whole = bytearray(self._buffer[self._start : middle]), bytearray(self._buffer[middle:end])
        self._start = end
        return whole

    def _take(self, size: int) -> bytearray:
        """The next bytes, in memory of their own: tensors will lie in it."""
        if size > ORDINARY:
            return self._take_large(size)
        self._fill(size)
        taken = bytearray(self._buffer[self._start : self._start + size])
        self._start += size
        return taken

    def _fill(self, size: int) -> None:
        """Read until so many bytes, at most as many as the buffer holds, lie there in one piece."""
        if self._start + size > ORDINARY or self._start == self._end:
            self._move_to_front()
        while self._end - self._start < size:
            self._end += self._read(self._buffer[self._end :])

    def _take_large(self, size: int) -> bytearray:
        """The same, past the buffer: what is there already, and the rest straight to where it will lie."""
        taken = bytearray(size)
        taken[: self.unread] = self._buffer[self._start : self._end]
        rest = memoryview(taken)[self.unread :]
        self._start = self._end = 0
        while rest:
            rest = rest[self._read(rest) :]
        return taken

    def _move_to_front(self) -> None:
        unread = self.unread
        if unread:
            self._buffer[:unread] = bytes(self._buffer[self._start : self._end])
        self._start, self._end = 0, unread
