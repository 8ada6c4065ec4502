"""Run submissions in processes of this machine, each of several with a processor of its own.

They are forked from this process once an exercise's tests are collected and the sandbox is ready, and end with the
exercise: one exercise is ready at a time, and its tests are collected once. They share the sandbox's zygote, which has
never seen a hidden file, and what they have seen of the exercise's misconceptions.

A submission whose worker dies is tried once more at the end of its exercise, while nothing else runs: what others needed
can't be the cause then. Where its worker dies again, and the reference's does not, it is the submission that ends them.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait

from autograder.errors import UserError
from autograder.grading.board import Board
from autograder.grading.bundle import Bundle
from autograder.grading.forked import Forked
from autograder.grading.submissions import Submission
from autograder.grading.without_running import deadly, ungraded
from autograder.grading.work import Settled, Work
from autograder.grading.worker import Worker
from autograder.results import ExerciseResult
from autograder.sandbox.errors import SandboxUnavailable


class Pool:
    """Up to `count` workers, for one run at a time."""

    def __init__(self, count: int, worker: Worker, record: Callable[[ExerciseResult], None]) -> None:
        """`worker` gives them its sandbox, and the exercise that it has ready."""
        self._count = count
        self._worker = worker
        self._record = record
        self._processors = sorted(os.sched_getaffinity(0))
        self._bundle: Bundle | None = None
        self._board: Board | None = None
        self._members: list[_Member] = []
        self._lost: list[Submission] = []  # to this exercise; their workers died
        self._reference_survives: bool | None = None  # None: not tried

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
                    self._reference_survives = None
                member, result = self._free()
                member.begin(submission)  # it need not wait until its last result is recorded
                if result is not None:
                    yield self._settled(result)
                if self._count == 1:  # nothing else runs meanwhile; the next may be the same content
                    yield from self._settle_begun()
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
        idle = next((member for member in self._members if member.work is None), None)
        return (idle, None) if idle is not None else self._first_done()

    def _settle_begun(self) -> Iterator[Settled]:
        """Wait for what is being graded."""
        while any(member.work for member in self._members):
            _, result = self._first_done()
            if result is not None:
                yield self._settled(result)

    def _finish(self) -> Iterator[Settled]:
        """Wait for what is being graded, try what is lost, and end the workers."""
        yield from self._settle_begun()
        while self._lost:
            yield self._settled(self._alone(self._lost.pop(0)))
        while self._members:
            self._members.pop().process.kill()

    def _first_done(self) -> tuple[_Member, ExerciseResult | None]:
        """The next worker that is done, and its result: None where it died, and another one has its place."""
        busy = {member.process.connection: (member, member.work) for member in self._members if member.work}
        member, submission = busy[wait(list(busy))[0]]  # type: ignore[index]
        answer = self._answer(member)
        if isinstance(answer, str):
            self._lost.append(submission)
            return member, None
        return member, answer

    def _answer(self, member: _Member) -> ExerciseResult | str:
        """What a worker answers; where it died, how. Then another one has its place."""
        try:
            answer = member.process.connection.recv()
        except (EOFError, OSError):
            answer = member.process.end()
            member.process = self._forked(member.number)
        member.work = None
        if isinstance(answer, Exception):
            raise answer  # every other submission would meet it, too
        return answer

    def _alone(self, submission: Submission) -> ExerciseResult:
        """The second try of a submission whose worker died."""
        bundle, member = self._bundle, self._members[0]
        assert bundle is not None  # there is one while anything is graded
        member.begin(submission)
        answer = self._answer(member)
        if not isinstance(answer, str):
            return answer
        if self._reference_survives is None:
            topic = f"{bundle.exercise.partition('/')[2]}.py"
            member.begin(Submission("", bundle.exercise, topic, topic, {topic: bundle.solution}))
            self._reference_survives = not isinstance(self._answer(member), str)
        if self._reference_survives:
            return deadly(bundle, submission, self._worker.isolation, answer)
        detail = f"grading: its worker died, and so did the reference solution's: {answer}"
        return ungraded(bundle, submission, detail)

    def _forked(self, number: int) -> Forked:
        # One alone goes where the system puts it; several would be put on one processor.
        processor = self._processors[number % len(self._processors)] if self._count > 1 else None
        return Forked(_serve, self._worker, self._bundle, self._board, processor, number / self._count)

    def _settled(self, result: ExerciseResult) -> Settled:
        self._record(result)
        return Settled(result, cached=False)


@dataclass
class _Member:
    """A worker, and what it is at."""

    process: Forked
    number: int
    work: Submission | None = None

    def begin(self, submission: Submission) -> None:
        """Hand it one submission. With no more at once, neither side waits for the other to read."""
        self.work = submission
        with suppress(OSError):  # it is dead, which waiting for its answer will show
            self.process.connection.send(submission)


def _serve(
    connection: Connection, worker: Worker, bundle: Bundle, board: Board, processor: int | None, first: float
) -> None:
    """A worker: one submission after another, until it is ended."""
    if processor is not None:
        with suppress(OSError):
            os.sched_setaffinity(0, {processor})
    from autograder.guest.threads import renew_pool  # torch: the driver may have nothing to grade

    renew_pool()
    worker.share(board, first)
    while True:
        submission = connection.recv()
        answer: ExerciseResult | Exception
        try:
            answer = worker.grade(bundle, submission)
        except (UserError, SandboxUnavailable) as error:
            answer = error
        connection.send(answer)
