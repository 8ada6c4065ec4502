"""Frames through a real socket: however they are cut, they come out whole, and nothing is accepted out of turn."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from autograder.remote import wire
from autograder.remote.frames import Frames
from autograder.remote.stream import Inbox
from autograder.remote.wire import ORDINARY, WireError
from autograder.sandbox.budget import Budget
from autograder.sandbox.channel import Channel, Closed
from autograder.sandbox.errors import TimedOut


class Still:
    """The clock of a child that uses none."""

    def cpu(self) -> float:
        return 0.0

    def queued(self) -> float:
        return 0.0

    def waits_for_processor(self) -> bool:
        return False


@pytest.fixture
def budget() -> Budget:
    budget = Budget(Still())  # type: ignore[arg-type]
    budget.arm(20)
    return budget


@pytest.fixture
def ends(budget: Budget) -> Iterator[tuple[Frames, socket.socket]]:
    ours, theirs = socket.socketpair()
    output, writer = os.pipe()
    channel = Channel(ours, output, budget)
    yield Frames(channel), theirs
    channel.close()
    theirs.close()
    os.close(writer)


def frame(call: int, payload: bytes = b"") -> bytes:
    return b"".join(map(bytes, wire.pack(wire.Returned(call, None), [payload])))


@pytest.mark.parametrize("step", [1, 7, 4096, 1 << 20])
def test_frames_however_they_are_cut(step: int) -> None:
    payloads = [b"", b"x" * 5, b"y" * (ORDINARY - 3), b"z" * (3 * ORDINARY), b"w" * ORDINARY]
    if step == 1:
        payloads = payloads[:2] * 3
    stream = memoryview(b"".join(frame(i, payload) for i, payload in enumerate(payloads)))
    position = 0

    def read(buffer: memoryview) -> int:
        nonlocal position
        piece = stream[position : position + min(step, len(buffer))]
        buffer[: len(piece)] = piece
        position += len(piece)
        return len(piece)

    inbox = Inbox(read)
    for number, payload in enumerate(payloads):
        header, body = inbox.frame()
        message = wire.unpack_from_child(header)
        assert isinstance(message, wire.Returned) and message.call == number and body == payload
    assert inbox.unread == 0 and position == len(stream)


def test_small_frames_are_one_piece() -> None:
    assert len(wire.pack(wire.Returned(1, None), [b"ab", memoryview(b"cd")])) == 1
    large = bytes(ORDINARY)
    assert wire.pack(wire.Returned(1, None), [large])[1] is large


def test_nothing_is_sent_to_who_spoke_out_of_turn(ends: tuple[Frames, socket.socket]) -> None:
    frames, theirs = ends
    theirs.sendall(frame(1) + b"!")
    assert frames.receive()[0] == wire.Returned(1, None)
    with pytest.raises(WireError, match="nobody"):
        frames.send([b"question"])


def test_a_byte_always_ready_meets_the_deadline(ends: tuple[Frames, socket.socket], budget: Budget) -> None:
    """However fast they come, and however large a frame they are of."""
    frames, theirs = ends

    def pour() -> None:
        theirs.sendall(wire.HEAD.pack(0, wire.MAX_PAYLOAD))
        while True:
            try:
                theirs.sendall(b"x")
            except OSError:
                return

    thread = threading.Thread(target=pour, daemon=True)
    thread.start()
    budget.arm(0.05)  # 0.3 s of waiting
    began = time.monotonic()
    with budget, pytest.raises(TimedOut):
        frames.receive()
    assert time.monotonic() - began < 10
    theirs.shutdown(socket.SHUT_RDWR)
    thread.join(10)


def test_the_end_of_the_stream(ends: tuple[Frames, socket.socket]) -> None:
    frames, theirs = ends
    theirs.sendall(frame(1)[:-1])
    theirs.close()
    with pytest.raises(Closed):
        frames.receive()
