"""Frames over a stream of bytes, the same on both sides: an ordinary one takes one read and one write."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from autograder.sandbox import wire

ORDINARY = (
    1 << 16
)  # bytes: the pieces of a smaller frame are copied together, which costs less than a system call

# Waits for bytes, puts some into the buffer it is given and returns how many: at least one, or it raises.
Read = Callable[[memoryview], int]


def joined(pieces: Sequence[memoryview | bytes]) -> Sequence[memoryview | bytes]:
    """What to write, in order: one piece, unless the frame is large."""
    return [b"".join(pieces)] if sum(map(len, pieces)) <= ORDINARY else pieces


class Inbox:
    """Cuts frames out of what comes in."""

    def __init__(self) -> None:
        self._buffer = memoryview(bytearray(ORDINARY))
        self._start = self._end = 0  # what has come in and was not taken yet

    @property
    def unread(self) -> int:
        """Bytes beyond the last frame. The sides take turns, so whoever is to speak must have none."""
        return self._end - self._start

    def frame(self, read: Read) -> tuple[bytearray, bytearray]:
        """The next frame's header and payload. WireError where it announces more than is allowed."""
        header, payload = wire.lengths(self._take(wire.HEAD.size, read))
        return self._take(header, read), self._take(payload, read)

    def _take(self, size: int, read: Read) -> bytearray:
        """The next bytes, in memory of their own: tensors will lie in it."""
        if size > ORDINARY:
            return self._take_large(size, read)
        if self._start + size > ORDINARY or not self.unread:
            self._move_to_front()
        while self.unread < size:
            self._end += read(self._buffer[self._end :])
        taken = bytearray(self._buffer[self._start : self._start + size])
        self._start += size
        return taken

    def _take_large(self, size: int, read: Read) -> bytearray:
        """The same, past the buffer: what is there already, and the rest straight to where it will lie."""
        taken = bytearray(size)
        taken[: self.unread] = self._buffer[self._start : self._end]
        rest = memoryview(taken)[self.unread :]
        self._start = self._end = 0
        while rest:
            rest = rest[read(rest) :]
        return taken

    def _move_to_front(self) -> None:
        begun = bytes(self._buffer[self._start : self._end])
        self._buffer[: len(begun)] = begun
        self._start, self._end = 0, len(begun)
