"""Grade in a process of its own, for a process whose other threads must go on: a Dask worker's speak with the cluster.

A cap on memory is a process's, not a thread's, and so is death. So neither may be met beside those threads, nor beside
another submission that a second thread grades.
"""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
from multiprocessing.connection import Connection, Pipe
from pathlib import Path

from autograder.errors import UserError
from autograder.grading.bundle import Bundle
from autograder.grading.submissions import Submission
from autograder.grading.without_running import ungraded
from autograder.grading.work import TRIES, how_it_ended
from autograder.grading.worker import Mode, Worker
from autograder.results import ExerciseResult
from autograder.sandbox.errors import SandboxUnavailable

PACKAGE_PARENT = str(Path(__file__).resolve().parents[2])


class Apart:
    """A grading process for one thread, which starts with the first submission and dies with the thread."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: Connection | None = None

    def grade(self, work: bytes) -> ExerciseResult:
        """The result of some `packed` work. What the death of the process left is tried once more."""
        for _ in range(TRIES):
            connection = self._started()
            try:
                connection.send_bytes(work)
                answer: ExerciseResult | Exception = connection.recv()
            except (EOFError, OSError):
                said = self.close()
                continue
            if isinstance(answer, Exception):
                raise answer
            return answer
        bundle, submission, _ = unpacked(work)
        return ungraded(bundle, submission, f"grading: its process died {TRIES} times; the last time {said}")

    def _started(self) -> Connection:
        if self._connection is None:
            self._connection, theirs = Pipe()
            path = [PACKAGE_PARENT, *filter(None, [os.environ.get("PYTHONPATH")])]
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "autograder.grading.apart", str(theirs.fileno())],
                env={**os.environ, "PYTHONPATH": os.pathsep.join(path)},
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,  # Ctrl-C is for the process that has threads
            )
            theirs.close()
        return self._connection

    def close(self) -> str:
        """End the process. Returns: how it ended."""
        if self._connection is None or self._process is None:
            return ""
        self._connection.close()
        self._connection = None
        self._process.kill()  # how it has ended, if it has, stays as it is
        return how_it_ended(self._process.wait())


def packed(bundle: Bundle, submission: Submission, mode: Mode) -> bytes:
    """Work as it crosses: whoever only passes it on need not know what it is made of."""
    return pickle.dumps((bundle, submission, mode))


def unpacked(work: bytes) -> tuple[Bundle, Submission, Mode]:
    bundle, submission, mode = pickle.loads(work)
    return bundle, submission, mode


def serve(connection: Connection) -> None:
    """The process: one submission after another, until nobody asks."""
    if sys.platform.startswith("linux"):
        from autograder.sandbox import linux

        linux.prctl(linux.PR_SET_PDEATHSIG, signal.SIGKILL)
    worker: Worker | None = None
    while True:
        try:
            bundle, submission, mode = unpacked(connection.recv_bytes())
        except EOFError:
            break
        if worker is None or worker.mode != mode:
            if worker is not None:
                worker.close()
            worker = Worker(mode)
        answer: ExerciseResult | Exception
        try:
            worker.keep_only(bundle.exercise)
            answer = worker.grade(bundle, submission)
        except (UserError, SandboxUnavailable) as error:
            answer = error
        connection.send(answer)
    if worker is not None:
        worker.close()


if __name__ == "__main__":
    serve(Connection(int(sys.argv[1])))
