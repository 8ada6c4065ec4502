"""How much CPU and wall-clock time a child may still use."""

from __future__ import annotations

import os
import threading
import time
from contextlib import suppress

from autograder.sandbox.errors import TimedOut

WALL_FACTOR = 6  # how much longer than its CPU time a child may take that sleeps, or waits for its turn
LONGEST_WAIT = 0.1  # seconds between two looks at the child's CPU clock
SHORTEST_WAIT = 0.005
PROCESSORS = os.cpu_count() or 1  # a child's threads can use up its CPU time this many times as fast


class Clock:
    """What Linux knows of one process's time. It is found by its pidfd: the zygote knows it by another number."""

    def __init__(self, pidfd: int) -> None:
        with open(f"/proc/self/fdinfo/{pidfd}", encoding="ascii") as info:
            self.pid = next(int(line.split()[1]) for line in info if line.startswith("Pid:"))
        self._counts = -1
        with suppress(OSError):
            self._counts = os.open(f"/proc/{self.pid}/schedstat", os.O_RDONLY | os.O_CLOEXEC)
        self._cpu = 0.0
        self._queued = 0.0

    def cpu(self) -> float:
        """CPU seconds used by all its threads."""
        # Every process has a clock that anyone who can name it may read: clock_getcpuclockid(3).
        cpu_clock_sched = 2
        with suppress(OSError):  # it has just ended: what it used before is the best answer
            self._cpu = time.clock_gettime((~self.pid << 3) | cpu_clock_sched)
        return self._cpu

    def queued(self) -> float:
        """Seconds for which its main thread could have run but had to wait for a processor; 0 if not counted."""
        with suppress(OSError):
            self._queued = int(os.pread(self._counts, 100, 0).split()[1]) / 1e9
        return self._queued

    def waits_for_processor(self) -> bool:
        """Whether one of its threads could run at this moment: what it queued for is counted only when it gets its turn."""
        tasks = f"/proc/{self.pid}/task"
        with suppress(OSError):  # it has just ended
            for task in os.listdir(tasks):
                with open(f"{tasks}/{task}/stat", "rb") as file:
                    if file.read().rpartition(b")")[2].split()[0] == b"R":
                        return True
        return False

    def close(self) -> None:
        """Give the descriptor back. What was counted stays."""
        if self._counts >= 0:
            os.close(self._counts)
        self._counts = -1


def own_delay() -> float:
    """Seconds for which the calling thread could have run but had to wait for a processor; 0 if not counted."""
    with suppress(OSError):
        # Twice a test: a file object would take 20 us.
        counts = os.open("/proc/thread-self/schedstat", os.O_RDONLY | os.O_CLOEXEC)
        try:
            return int(os.read(counts, 100).split()[1]) / 1e9
        finally:
            os.close(counts)
    return 0.0


class Budget:
    """The time that one test may take on the child's side.

    CPU counts from `arm` on, whatever the child does it for. Wall-clock time counts only while we wait for
    the child, in a block of `with budget:`. It counts neither between two operations, nor while a function of the
    test runs, nor while the child, or the thread that waits for it, is kept from running: an overloaded machine is no
    fault of the student's.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.arm(float("inf"))

    def arm(self, seconds: float, wall: float | None = None) -> None:
        """Start anew, with so many seconds of CPU time and of waiting (by default WALL_FACTOR as many)."""
        self._seconds = seconds
        self._wall = WALL_FACTOR * seconds if wall is None else wall
        self._cpu_start = self._clock.cpu()
        self._queued_start = self._clock.queued()
        self._waited = 0.0
        self._thread = 0  # the one that waits
        self._delay = self._delay_start = 0.0  # what it was kept from running since, and before
        self._since: float | None = None
        self._look_again = 0.0

    @property
    def seconds(self) -> float:
        """CPU seconds given by the last `arm`."""
        return self._seconds

    @property
    def idle(self) -> float:
        """Seconds since `arm` for which we waited while the child neither ran nor queued for a processor."""
        return max(0.0, self._waited - self.used - self._starved())

    def _starved(self) -> float:
        """Seconds since `arm` for which the machine kept the child, or us, from running."""
        return self._clock.queued() - self._queued_start + self._delay

    @property
    def pid(self) -> int:
        """The process's number as we know it."""
        return self._clock.pid

    def close(self) -> None:
        self._clock.close()

    @property
    def total(self) -> float:
        """CPU seconds since the process began."""
        return self._clock.cpu()

    @property
    def used(self) -> float:
        """CPU seconds since `arm`."""
        return self._clock.cpu() - self._cpu_start

    def __enter__(self) -> None:
        """Count the wall-clock time of this block."""
        if self._thread != threading.get_ident():
            self._thread, self._delay_start = threading.get_ident(), own_delay()
        self._since = time.monotonic()

    def __exit__(self, *exception: object) -> None:
        if self._since is not None:
            self._waited += time.monotonic() - self._since
        self._since = None

    def check(self) -> float:
        """Raise TimedOut if the budget is spent. Returns: how long to wait at most before checking again.

        Until then it can't be spent, so checking earlier looks at no clock of the child's.
        """
        now = time.monotonic()
        if now < self._look_again:
            return self._look_again - now
        left = self._seconds - self.used
        if left <= 0:
            raise TimedOut(f"took more than {self._seconds:g} s of CPU time")
        waited = self._waited
        if self._since is not None:
            waited += now - self._since
            self._delay = own_delay() - self._delay_start
        late = waited > self._wall and waited - self._starved() > self._wall
        if late and not self._clock.waits_for_processor():
            raise TimedOut(f"gave no answer within {self._wall:g} s")
        pause = min(LONGEST_WAIT, max(SHORTEST_WAIT, left / PROCESSORS))
        self._look_again = now + pause
        return pause
