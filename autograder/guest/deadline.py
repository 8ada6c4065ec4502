"""End a call of the student's that does not end by itself, in the process where its author sits and waits.

The clock on the wall, not the CPU's: torch's threads would each count. Whoever steps through their code with a debugger
is not cut off, and a timer that somebody else has set (pytest-timeout's) is left alone.
"""

from __future__ import annotations

import _thread
import ctypes
import math
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from autograder.guest.cell_runner import AGAIN_SECONDS, OutOfTime, runs_inside

Handler = Callable[[int, FrameType | None], Any]


@contextmanager
def time_limit(
    seconds: float, inside: Callable[[str], bool], expired: Callable[[], None] = lambda: None
) -> Iterator[None]:
    """Raise OutOfTime in this block when its time is up, from within code whose file `inside` knows.

    `expired` is told first. On Unix a signal does it, which ends waiting, too; on Windows a thread that interrupts, so
    that a sleep is waited for. Python has both for the main thread alone: in another one nothing is limited.
    """
    if not math.isfinite(seconds) or threading.current_thread() is not threading.main_thread() or debugging():
        yield
        return
    waiting = True

    def out_of_time(number: int, frame: FrameType | None) -> None:
        nonlocal waiting
        if debugging():
            waiting = False  # it was entered meanwhile, and how long its user thinks is nobody's loop
        if waiting and runs_inside(frame, inside):
            expired()
            _stop_other_threads(inside)
            raise OutOfTime(f"longer than {seconds:g} s")

    with (_alarm if hasattr(signal, "setitimer") else _watchdog)(seconds, out_of_time):
        yield


def debugging() -> bool:
    """Whether a debugger follows this process: by the trace function, or since Python 3.12 as a monitoring tool."""
    monitoring = getattr(sys, "monitoring", None)
    return sys.gettrace() is not None or (
        monitoring is not None and monitoring.get_tool(monitoring.DEBUGGER_ID) is not None
    )


def _stop_other_threads(inside: Callable[[str], bool]) -> None:
    """Ranks of a distributed exercise that loop would go on for ever, in threads that no signal reaches."""
    for ident, frame in sys._current_frames().items():
        if ident != threading.get_ident() and runs_inside(frame, inside):
            ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(ident), ctypes.py_object(OutOfTime))


@contextmanager
def _handled(number: int, handler: Handler) -> Iterator[bool]:
    """Handle a signal, unless somebody else does."""
    free = signal.getsignal(number) is signal.SIG_DFL
    if free:
        signal.signal(number, handler)
    try:
        yield free
    finally:
        if free and signal.getsignal(number) is handler:
            signal.signal(number, signal.SIG_DFL)


@contextmanager
def _alarm(seconds: float, handler: Handler) -> Iterator[None]:
    if signal.getitimer(signal.ITIMER_REAL)[0]:
        yield
        return
    with _handled(signal.SIGALRM, handler) as ours:
        if ours:
            signal.setitimer(signal.ITIMER_REAL, seconds, AGAIN_SECONDS)
        try:
            yield
        finally:
            if ours and signal.getsignal(signal.SIGALRM) is handler:
                signal.setitimer(signal.ITIMER_REAL, 0)


@contextmanager
def _watchdog(seconds: float, handler: Handler) -> Iterator[None]:
    # Nobody sends SIGTERM on Windows, where it only exists for a program to raise it in itself.
    ended = threading.Event()

    def watch() -> None:
        wait = seconds
        while not ended.wait(wait):
            _thread.interrupt_main(signal.SIGTERM)
            wait = AGAIN_SECONDS

    with _handled(signal.SIGTERM, handler) as ours:
        watcher = threading.Thread(target=watch, daemon=True)
        if ours:
            watcher.start()
        try:
            yield
        finally:
            ended.set()
            if ours:
                watcher.join()
