"""A process forked from this one, at the other end of a pipe: nothing is imported again, and what is only read is shared.

A fork copies one thread. So whoever forks must have no other, whose locks the child would find held for ever.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.context import ForkProcess
from typing import Any

from autograder.grading.work import how_it_ended
from autograder.sandbox import linux

FORK = multiprocessing.get_context("fork")


class Forked:
    """The child. It runs `work(connection, *arguments)`, dies with this process, and takes no notice of Ctrl-C."""

    def __init__(self, work: Callable[..., None], *arguments: Any) -> None:
        self.connection, theirs = FORK.Pipe()
        driver = os.getpid()
        self.process: ForkProcess = FORK.Process(
            target=_begin, args=(driver, work, theirs, *arguments), daemon=True
        )
        # Ctrl-C reaches every process of a terminal; this one decides what it means. In the child it stays blocked.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            self.process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        theirs.close()

    def kill(self) -> None:
        """End it at once."""
        self.process.kill()
        self.end()

    def end(self) -> str:
        """Wait for its end. Returns: how it ended."""
        self.connection.close()
        self.process.join()
        return how_it_ended(self.process.exitcode or 0)


def _begin(driver: int, work: Callable[..., None], connection: Connection, *arguments: Any) -> None:
    linux.prctl(linux.PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != driver:
        return  # it died first
    gc.freeze()  # to go through what this process was forked with would copy it
    work(connection, *arguments)
