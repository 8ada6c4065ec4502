"""Frames changed at random, given to the trusted end of a channel: an answer, or an end that it knows, and never slow.

Half of the time the seed is fixed, half of the time it is fresh. A failure tells it; to see the same again:
`AUTOGRADER_FUZZ_SEED=SEED pytest tests/attacks/test_wire_fuzz.py`.
"""

from __future__ import annotations

import itertools
import os
import random
import secrets
import time
from contextlib import nullcontext
from typing import Any

import msgspec
import numpy as np
import pytest
import torch

from autograder.remote import wire
from autograder.remote.client import RemoteModule
from autograder.remote.encode import Encoder
from autograder.remote.errors import StudentError
from autograder.results import Limits
from autograder.sandbox.channel import Closed
from autograder.sandbox.errors import Ended

CPU_SECONDS = 10.0  # for each of the two seeds
SLOWEST = 10.0  # seconds of CPU for one frame of a few hundred bytes; the slowest take some ms
CALL = 1

VALUES: list[Any] = [
    None, True, -5, 2**63, 2**70, 0.5, float("nan"), "", "词", "\ud800", b"abc", bytes(2000), 1j, slice(1, None, 2), ...,
    [], [1, "a", None], (1, (2.5, [3])), {1, 2}, frozenset({(1, 2)}), {(1, 2), (3,)}, [(0, 5), (5, 9)], [b"x", b"y"],
    list(range(50)), {float(i) for i in range(40)}, {"a": [1], 2: {"b": ()}}, {(1, -1): 0, (1, -2): 1}, range(3, 90, 2),
    torch.float16, torch.device("cpu"), torch.ones(2, 3), torch.ones(3, 2).T, torch.ones(2).bfloat16(), torch.zeros(0, 4),
    torch.tensor([True, False]), torch.ones(1, requires_grad=True), np.arange(6).reshape(2, 3), np.array([1 + 2j]), object(),
]  # fmt: skip
TAGS = "l L R b n d i B P u z D v c r e T A h f o rt ex st cb op cr list set tuple frozenset q d float32 bool int64 cpu forward"
EXTREMES = (-1, 0, 1, 2, 63, 64, 65, 255, 2**31, 2**32 - 1, 2**40, 2**62, 2**63 - 1, -(2**63), 2**64 - 1)


class Feed:
    """A channel that a child wrote these bytes into before it closed it."""

    output = b""

    def __init__(self, data: bytes) -> None:
        self._data = memoryview(data)

    def send(self, pieces: Any) -> None:
        pass

    def drain(self) -> None:
        pass

    def read(self, buffer: memoryview) -> int:
        count = min(len(buffer), len(self._data))
        if not count:
            raise Closed
        buffer[:count], self._data = self._data[:count], self._data[count:]
        return count


class Budget(nullcontext[None]):
    seconds = 1.0
    idle = 0.0

    def arm(self, *seconds: Any) -> None:
        pass


class Fed:
    """The process of such a child."""

    def __init__(self, data: bytes) -> None:
        self.channel, self.budget, self.cpu_seconds = Feed(data), Budget(), 0.0

    def end(self) -> None:
        pass

    def cause(self) -> Ended:
        return Ended("it is gone")


class Lent:
    """An object of the test's."""

    __remote__ = ("forward",)

    def forward(self, *args: Any, **kwargs: Any) -> int:
        return len(args)


def receive(data: bytes) -> str:
    """What an operation comes to that is answered by these bytes."""
    module = RemoteModule(Fed(data), {}, "a.py", Limits())  # type: ignore[arg-type]
    module._numbers = itertools.repeat(CALL)
    given = (lambda *args, **kwargs: args, Lent(), torch.ones(2, 3), [1, "a", None])
    try:
        module.operate("call", "f()", None, "", given)
    except (StudentError, Ended, StopIteration) as error:
        return type(error).__name__
    return "answered"


def messages() -> list[tuple[Any, bytes]]:
    """Honest frames: what their header says, as msgpack's plain lists, and their payload."""
    found: list[tuple[Any, bytes]] = []
    for value in VALUES:
        encoder = Encoder(lambda value: wire.HandleNode(3, type(value).__name__))
        node = encoder.node(value)
        found.append((wire.Returned(CALL, node), b"".join(encoder.payload)))
        arguments = wire.Arguments([node], ["x"], [1])
        found.append((wire.Callback(CALL, 1, "", arguments), b"".join(encoder.payload)))
    frames = [("a.py", 3, "f", "x = 1")]
    found += [
        (wire.Raised(CALL, "ValueError", ["ValueError"], "no", frames), b""),
        (wire.Exhausted(CALL, True), b""),
        (wire.Callback(CALL, 2, "forward", wire.Arguments([1], ["a", "b"], [2, 3])), b""),
    ]
    return [(msgspec.msgpack.decode(msgspec.msgpack.encode(message)), payload) for message, payload in found]


class Mutator:
    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.honest = messages()

    def stream(self) -> bytes:
        """A frame or some, changed a few times: what its header says, its bytes, or where it ends."""
        return b"".join(self._frame() for _ in range(self.random.choice((1, 1, 1, 2, 3))))

    def _frame(self) -> bytes:
        message, payload = self.random.choice(self.honest)
        message = msgspec.msgpack.decode(msgspec.msgpack.encode(message))
        for _ in range(self.random.choice((0, 1, 1, 2, 4))):
            self._change(message)
        header = bytearray(msgspec.msgpack.encode(message))
        if self.random.random() < 0.3:
            self._damage(header)
        raw = bytearray(payload)
        if self.random.random() < 0.2:
            self._damage(raw)
        sizes = [len(header), len(raw)]
        if self.random.random() < 0.05:
            sizes[self.random.randrange(2)] = self.random.choice((0, 1, 9, 1 << 20, (1 << 32) - 1))
        return wire.HEAD.pack(*sizes) + header + raw

    def _change(self, message: list[Any]) -> None:
        """Something in a message becomes something else."""
        places = list(_places(message))
        if len(places) > 2 and self.random.random() < 0.95:
            places = places[2:]  # the frame still answers what was asked
        if not places:
            return
        where, index = self.random.choice(places)
        other, at = self.random.choice(places)
        match self.random.randrange(7):
            case 0:
                where[index] = self.random.choice(EXTREMES)
            case 1:
                where[index] = self.random.choice(TAGS.split())
            case 2:
                where[index] = _copy(other[at])
            case 3:
                where.insert(index, _copy(other[at]))
            case 4:
                del where[index]
            case 5:
                often = self.random.choice((1, 3, 300 if len(places) < 60 else 2))
                where[index:index] = [_copy(where[index]) for _ in range(often)]
            case _:
                where[index] = _copy(self.random.choice(self.honest)[0][-1])

    def _damage(self, raw: bytearray) -> None:
        """Some bytes are others, too many, or missing."""
        for _ in range(self.random.choice((1, 1, 2, 8))):
            at = self.random.randrange(len(raw) + 1)
            match self.random.randrange(3):
                case 0:
                    raw[at : at + 1] = self.random.randbytes(1)
                case 1:
                    raw[at:at] = self.random.randbytes(self.random.choice((1, 4, 64)))
                case _:
                    del raw[at : at + self.random.choice((1, 4, 64))]


def _places(message: list[Any]) -> Any:
    for index, item in enumerate(message):
        yield message, index
        if isinstance(item, list):
            yield from _places(item)


def _copy(value: Any) -> Any:
    return [_copy(item) for item in value] if isinstance(value, list) else value


def test_honest_frames_are_answers() -> None:
    """What is changed below is right before."""
    came_to = set()
    for message, payload in messages():
        header = msgspec.msgpack.encode(message)
        came_to.add((message[0], receive(wire.HEAD.pack(len(header), len(payload)) + header + payload)))
    assert came_to == {
        ("rt", "answered"),
        ("ex", "StudentError"),
        ("st", "StopIteration"),
        ("cb", "Ended"),  # served; the child then says no more
    }


@pytest.mark.parametrize("which", ["fixed", "fresh"])
def test_changed_frames(which: str) -> None:
    seed = (
        20260901 if which == "fixed" else int(os.environ.get("AUTOGRADER_FUZZ_SEED") or secrets.randbits(32))
    )
    mutator = Mutator(seed)
    count = 0
    began = time.process_time()
    while (started := time.process_time()) - began < CPU_SECONDS:
        data, count = mutator.stream(), count + 1
        try:
            receive(data)
            assert time.process_time() - started < SLOWEST, "too slow"
        except BaseException as error:
            error.add_note(f"seed {seed}, stream {count}: {data[:2000].hex()}")
            raise
    assert count > 1000
