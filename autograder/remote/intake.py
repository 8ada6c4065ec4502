"""What one submission may cost outside its own process: what a test takes in of its answers, counted before there is room."""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence

from autograder.sandbox.errors import OutOfMemory, TimedOut

ELEMENTS = 10_000_000  # of tensors, lists and the like: a test may make each an object of some hundred bytes
MEBIBYTES = 256  # of frames; more where the exercise's own limit is higher


class TooMuch(OutOfMemory):
    """A test would need more memory here, outside the student's process, than a test may."""


class LoadedTooLong(TimedOut):
    """Loading a file, again and again, has taken all the time that there is for it."""


class Intake:
    """The budget of one test. All its ranks share it."""

    def __init__(self, mebibytes: int = MEBIBYTES) -> None:
        self.bytes = max(mebibytes, MEBIBYTES) << 20
        self.elements = ELEMENTS
        self._lock = threading.Lock()

    def add_ranks(self, count: int) -> None:
        """Each rank may answer as many elements as a module alone."""
        with self._lock:
            self.elements += count * ELEMENTS

    def add_bytes(self, count: int) -> None:
        """A frame is about to come in. TooMuch where it is one too many."""
        with self._lock:
            self.bytes -= count
            if self.bytes < 0:
                raise TooMuch("answered more bytes than a test takes in")

    def add_elements(self, count: int) -> None:
        """A value with so many elements is about to be made."""
        with self._lock:
            self.elements -= count
            if self.elements < 0:
                raise TooMuch("answered more elements than a test takes in")

    def add_shape(self, shape: Sequence[int]) -> None:
        """The same, of a tensor: one with an axis of no elements can be iterated along the others."""
        self.add_elements(math.prod(shape) or math.prod(max(axis, 1) for axis in shape))
