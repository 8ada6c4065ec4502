"""Run submissions in several processes of this machine, each with a processor of its own.

They are forked from this process once an exercise's tests are collected and the sandbox is ready, and end with the
exercise: one exercise is ready at a time, and its tests are collected once. They share the sandbox's zygote, which has
never seen a hidden file, and what they have seen of the exercise's misconceptions.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait

from autograder.errors import UserError
from autograder.grading.board import Board
from autograder.grading.bundle import Bundle
from autograder.grading.forked import Forked
from autograder.grading.submissions import Submission
from autograder.grading.without_running import ungraded
from autograder.grading.work import TRIES, Settled, Work
from autograder.grading.worker import Worker
from autograder.results import ExerciseResult
from autograder.sandbox.errors import SandboxUnavailable


class Pool:
    """Up to `count` workers, for one run at a time."""

    def __init__(self, count: int, worker: Worker, record: Callable[[ExerciseResult], None]) -> None:
        """`worker` gives them its sandbox, and the exercise that it has ready."""
        if not sys.platform.startswith("linux"):
            raise UserError(
                "more than one worker needs Linux; leave out --workers",
                "使用多个工作进程需要 Linux；请去掉 --workers",
            )
        self._count = count
        self._worker = worker
        self._record = record
        self._processors = sorted(os.sched_getaffinity(0))
        self._bundle: Bundle | None = None
        self._board: Board | None = None
        self._members: list[_Member] = []

    def run(self, work: Iterable[Work]) -> Iterator[Settled]:
        """Grade what comes, in whatever order it is done."""
        try:
            for item in work:
                if isinstance(item, Settled):
                    yield item
                    continue
                bundle, submission = item
                if bundle is not self._bundle:
                    yield from self._finish()
                    self._worker.take_up(bundle)
                    self._bundle, self._board = bundle, Board()
                member, result = self._free()
                member.begin(bundle, submission)  # it need not wait until its last result is recorded
                if result is not None:
                    yield self._settled(result)
            yield from self._finish()
        finally:
            for member in self._members:
                member.process.kill()

    def _free(self) -> tuple[_Member, ExerciseResult | None]:
        """A worker that is at nothing: a new one, or the first that is done, with its result."""
        if len(self._members) < self._count:
            number = len(self._members)
            self._members.append(_Member(self._forked(number), number))
            return self._members[-1], None
        return self._first_done()

    def _finish(self) -> Iterator[Settled]:
        """Wait for what is being graded, and end the workers."""
        while any(member.work for member in self._members):
            _, result = self._first_done()
            yield self._settled(result)
        while self._members:
            self._members.pop().process.kill()

    def _first_done(self) -> tuple[_Member, ExerciseResult]:
        """The next worker that is done, and its result. What the death of a worker left is tried once more."""
        while True:
            busy = {
                member.process.connection: (member, *member.work) for member in self._members if member.work
            }
            member, bundle, submission = busy[wait(list(busy))[0]]  # type: ignore[index]
            try:
                answer = member.process.connection.recv()
            except (EOFError, OSError):
                said = member.process.end()
                member.process = self._forked(member.number)
                if member.tries < TRIES:
                    member.begin(bundle, submission)
                    continue
                detail = f"grading: its worker died {TRIES} times; the last time {said}"
                answer = ungraded(bundle, submission, detail)
            if isinstance(answer, Exception):
                raise answer  # every other submission would meet it, too
            member.work, member.tries = None, 0
            return member, answer

    def _forked(self, number: int) -> Forked:
        processor = self._processors[number % len(self._processors)]
        return Forked(_serve, self._worker, self._bundle, self._board, processor, number / self._count)

    def _settled(self, result: ExerciseResult) -> Settled:
        self._record(result)
        return Settled(result, cached=False)


@dataclass
class _Member:
    """A worker, and what it is at."""

    process: Forked
    number: int
    work: tuple[Bundle, Submission] | None = None
    tries: int = 0

    def begin(self, bundle: Bundle, submission: Submission) -> None:
        """Hand it one submission. With no more at once, neither side waits for the other to read."""
        self.work = bundle, submission
        self.tries += 1
        with suppress(OSError):  # it is dead, which waiting for its answer will show
            self.process.connection.send(submission)


def _serve(
    connection: Connection, worker: Worker, bundle: Bundle, board: Board, processor: int, first: float
) -> None:
    """A worker: one submission after another, until it is ended."""
    with suppress(OSError):
        os.sched_setaffinity(0, {processor})
    worker.share(board, first)
    while True:
        submission = connection.recv()
        answer: ExerciseResult | Exception
        try:
            answer = worker.grade(bundle, submission)
        except (UserError, SandboxUnavailable) as error:
            answer = error
        connection.send(answer)
