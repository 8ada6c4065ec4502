"""How much CPU and wall-clock time a child may still use."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from autograder.sandbox.errors import TimedOut

WALL_FACTOR = 6  # how much longer than its CPU time a child may take that sleeps, or waits for its turn
LONGEST_WAIT = 0.1  # seconds between two looks at the child's CPU clock
SHORTEST_WAIT = 0.005


def cpu_clock(pidfd: int) -> Callable[[], float]:
    """A function that reads how many CPU seconds the process behind `pidfd` has used.

    Linux gives every process a clock, readable by anyone who can name it: clock_getcpuclockid(3). The pid is
    looked up from the descriptor, because the zygote may know it by another number, in its own pid namespace.
    """
    with open(f"/proc/self/fdinfo/{pidfd}", encoding="ascii") as info:
        pid = next(int(line.split()[1]) for line in info if line.startswith("Pid:"))
    cpu_clock_sched = 2
    clock = (~pid << 3) | cpu_clock_sched
    last = 0.0

    def read() -> float:
        nonlocal last
        with suppress(OSError):  # the process has just ended: what it used before is the best answer
            last = time.clock_gettime(clock)
        return last

    return read


class Budget:
    """The time that one test may take on the child's side.

    CPU counts from `arm` on, whatever the child does it for. Wall-clock time counts only while we wait for
    the child: neither between two operations nor while a function of the test runs.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self.arm(float("inf"))

    def arm(self, seconds: float) -> None:
        self._seconds = seconds
        self._cpu_start = self._clock()
        self._waited = 0.0
        self._since: float | None = None

    @property
    def used(self) -> float:
        """CPU seconds since `arm`."""
        return self._clock() - self._cpu_start

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Count the wall-clock time of this block."""
        self._since = time.monotonic()
        try:
            yield
        finally:
            self._waited += time.monotonic() - self._since
            self._since = None

    def check(self) -> float:
        """Raise TimedOut if the budget is spent. Returns: how long to wait at most before checking again."""
        left = self._seconds - self.used
        if left <= 0:
            raise TimedOut(f"took more than {self._seconds:g} s of CPU time")
        waited = self._waited + (time.monotonic() - self._since if self._since is not None else 0.0)
        if waited > WALL_FACTOR * self._seconds:
            raise TimedOut(f"gave no answer within {WALL_FACTOR * self._seconds:g} s")
        return min(LONGEST_WAIT, max(SHORTEST_WAIT, left / (os.cpu_count() or 1)))
