"""The trusted end of a child's channel, frame by frame."""

from __future__ import annotations

from collections.abc import Sequence

from autograder.remote import wire
from autograder.remote.intake import Intake
from autograder.remote.stream import Inbox
from autograder.sandbox.channel import Channel


class Frames:
    """Frames to and from one child."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._inbox = Inbox(channel.read, self._announced)
        self.intake = Intake()
        self.size = 0  # of the last frame, roughly as objects: those of a header take several times its bytes

    def send(self, pieces: Sequence[memoryview | bytes]) -> None:
        """Send one frame. WireError if the child has spoken out of turn: nothing may have come before it was asked."""
        if self._inbox.unread:
            raise wire.WireError("it sent something that nobody had asked for")
        self._channel.send(pieces)

    def receive(self) -> tuple[wire.FromChild, bytearray]:
        """The next frame. WireError if it is malformed, TooMuch, Closed at the end of the stream, TimedOut."""
        header, payload = self._inbox.frame()
        return wire.unpack_from_child(header), payload

    def _announced(self, header: int, payload: int) -> None:
        self.size = 8 * header + payload
        self.intake.add_bytes(self.size)
