"""The process that audits: it imports what all exercises need once, and forks a worker for each processor.

It has a single thread, so that forking is safe, and is started by `autograder.audit.run` as
`python -m autograder.audit.engine`. It reads one `Request` from its standard input and writes events, one JSON text a
line. Each worker has a sandbox of its own and audits one exercise after another; the oracle tests of all exercises are
one more process.
"""

from __future__ import annotations

import os
import signal
import sys
import traceback
from collections import deque
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection, wait
from pathlib import Path

import matplotlib.pyplot  # noqa: F401 (for the lessons, which run in forks)
import msgspec
import torch
from msgspec import Struct

from autograder.audit.checks import ExerciseChecks, Shared
from autograder.audit.cpu import tree_seconds
from autograder.audit.form import Style
from autograder.audit.leaks import StudentFiles
from autograder.audit.oracles import OracleResult, oracle_finding, run_oracles
from autograder.audit.report import (
    ON_REQUEST,
    TITLES,
    Begun,
    Ended,
    Event,
    ExerciseAudit,
    Finding,
    Point,
    Refused,
)
from autograder.course import Course, Exercise
from autograder.course.glossary import load_glossary
from autograder.errors import UserError
from autograder.grading.forked import Forked
from autograder.grading.worker import Mode, Worker
from autograder.sandbox import linux
from autograder.sandbox.errors import SandboxUnavailable

CPU_SECONDS = 15.0  # of an exercise's audit, all processes together; more is a warning


class Request(Struct, frozen=True):
    """What is to be audited, and by how many processes at once."""

    root: str
    exercises: tuple[str, ...]
    workers: int
    counterexamples: bool = False


class Audited(Struct, frozen=True):
    """What a worker found out about one exercise: all points but the oracle's."""

    exercise: str
    points: tuple[Point, ...]
    tests: int = 0
    misconceptions: int = 0


class Ready(Struct, frozen=True):
    """A worker has its sandbox."""


def audit_exercise(course: Course, exercise: Exercise, worker: Worker, shared: Shared) -> Audited:
    """Each point, whatever the others say."""
    worker.keep_only(exercise.id)
    checks = ExerciseChecks(course, exercise, worker, shared)
    points = [_point(number, check) for number, check in checks.points().items()]
    try:
        tests, misconceptions = len(checks.cases), len(exercise.spec.misconception)
    except UserError:  # every point says so
        tests = misconceptions = 0
    return Audited(exercise.id, tuple(points), tests, misconceptions)


def _point(number: int, check: Callable[[], Finding], seconds: float = 0.0) -> Point:
    """What a check says, or what keeps it from saying anything; `seconds` of CPU that it took elsewhere."""
    began = tree_seconds()
    try:
        found = check()
    except UserError as error:
        found = Finding("", [str(error)])
    except Exception as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{Path(last.filename).name}, line {last.lineno}"
        found = Finding("", [f"the audit could not go on: {type(error).__name__}: {error} ({where})"])
    return Point(
        number=number,
        title=(TITLES | ON_REQUEST)[number],
        summary=found.summary,
        problems=tuple(found.problems),
        warnings=tuple(found.warnings),
        seconds=round(seconds + tree_seconds() - began, 3),
    )


# ------------------------------------------------------------------------------------------- the processes


def _work(connection: Connection, course: Course, shared: Shared) -> None:
    """A worker: one exercise after another, until it is told that there are no more."""
    worker = Worker(Mode(hide=(course.root,)))
    try:
        worker.await_ready()  # what that takes is no exercise's
    except SandboxUnavailable as error:
        connection.send(Refused(error.text))
        return
    try:
        connection.send(Ready())
        while name := connection.recv():
            connection.send(audit_exercise(course, course.exercise(name), worker, shared))
    finally:
        worker.close()


def _ask_oracles(connection: Connection, root: Path, exercises: Sequence[Exercise]) -> None:
    run_oracles(root, exercises, lambda name, result: connection.send((name, result)))


class _Job(Forked):
    """A process forked from this one, and what it is at."""

    exercise = ""
    begun = False


class Engine:
    """One run: the exercises that wait, the processes that are at work, and what is known."""

    def __init__(
        self,
        course: Course,
        exercises: Sequence[Exercise],
        workers: int,
        send: Callable[[Event], None],
        counterexamples: bool = False,
    ) -> None:
        self._course = course
        self._exercises = {exercise.id: exercise for exercise in exercises}
        self._workers = workers
        self._counterexamples = counterexamples
        self._send = send
        self._waiting = deque(self._exercises)
        self._jobs: list[_Job] = []
        self._oracles: dict[str, OracleResult | None] = {}  # None: there is no oracle test
        self._oracle_job: _Job | None = None
        self._audited: dict[str, Audited] = {}
        self._told = self._imports = 0.0  # CPU seconds

    def run(self) -> None:
        """Audit everything; each report is sent as soon as it is complete."""
        root, exercises = self._course.root, list(self._exercises.values())
        shared = Shared(
            StudentFiles.of(root), Style.of(root, exercises), load_glossary(root), self._counterexamples
        )
        with_oracle = [exercise for exercise in exercises if exercise.oracle_tests.is_file()]
        self._oracles = {e.id: None for e in exercises if e not in with_oracle}
        if with_oracle:
            self._oracle_job = _Job(_ask_oracles, root, with_oracle)
            self._jobs.append(self._oracle_job)
        while self._jobs or self._waiting:
            idle = sum(job is not self._oracle_job and not job.begun for job in self._jobs)
            if len(self._jobs) < self._workers and len(self._waiting) > idle:
                self._jobs.append(_Job(_work, self._course, shared))
                continue
            ready = wait([end for job in self._jobs for end in (job.connection, job.process.sentinel)])
            for job in [j for j in self._jobs if j.connection in ready or j.process.sentinel in ready]:
                self._hear(job)
        total = tree_seconds()
        start = total - self._told - self._imports
        self._send(Ended(round(total, 3), round(start, 3), round(self._imports, 3)))

    def _hear(self, job: _Job) -> None:
        try:
            message = job.connection.recv() if job.connection.poll() else None
        except (EOFError, ConnectionResetError):
            message = None
        match message:
            case None:
                self._jobs.remove(job)
                self._bury(job)
            case Refused():
                raise UserError(message.why.en, message.why.zh)
            case Ready() | Audited():
                if isinstance(message, Audited):
                    self._audited[message.exercise] = message
                    self._report(message.exercise)
                job.begun, job.exercise = True, self._waiting.popleft() if self._waiting else ""
                job.connection.send(job.exercise)
                if job.exercise:
                    self._send(Begun(job.exercise))
            case ("", OracleResult() as all_of_them):
                self._imports += all_of_them.seconds - sum(r.seconds for r in self._oracles.values() if r)
            case (name, OracleResult() as result):
                self._oracles[name] = result
                self._report(name)

    def _bury(self, job: _Job) -> None:
        """A process has ended: well, or with an exercise that has no report now."""
        how = job.end()
        if job is self._oracle_job:
            missing = [name for name in self._exercises if name not in self._oracles]
            for name in missing:
                said = f"the session of oracle tests did not come to its end at {missing[0]}: {how}"
                self._oracles[name] = OracleResult(problems=(said,))
                self._report(name)
        elif job.exercise:
            problem = f"the process that audited {job.exercise} did not come to its end: {how}"
            self._send(ExerciseAudit(exercise=job.exercise, green=False, problem=problem))
        elif not job.begun:
            raise UserError(f"a process of the audit could not begin: {how}", f"审核进程未能启动：{how}")

    def _report(self, name: str) -> None:
        """Send the exercise's report, if all is known."""
        if name not in self._audited or name not in self._oracles:
            return
        audited, result, exercise = self._audited[name], self._oracles[name], self._exercises[name]
        oracle = _point(5, lambda: oracle_finding(exercise, result), result.seconds if result else 0.0)
        points = sorted((*audited.points, oracle), key=lambda point: point.number)
        seconds = sum(point.seconds for point in points)
        self._told += seconds
        if seconds > CPU_SECONDS:
            costs = (
                f"the audit took {seconds:.1f} s of CPU, more than {CPU_SECONDS:g}; make the tests smaller"
            )
            points[-1] = msgspec.structs.replace(points[-1], warnings=(*points[-1].warnings, costs))
        report = ExerciseAudit(
            exercise=name,
            green=all(point.green for point in points),
            seconds=round(seconds, 3),
            tests=audited.tests,
            misconceptions=audited.misconceptions,
            points=tuple(points),
        )
        self._send(report)


def main() -> None:
    linux.prctl(linux.PR_SET_PDEATHSIG, signal.SIGKILL)
    events = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)  # whatever else is printed
    request = msgspec.json.decode(sys.stdin.buffer.read(), type=Request)
    torch.set_num_threads(1)
    course = Course.load(Path(request.root), authoring=True)

    def send(event: Event) -> None:
        events.write(msgspec.json.encode(event) + b"\n")

    try:
        chosen = [course.exercise(name) for name in request.exercises]
        Engine(course, chosen, request.workers, send, request.counterexamples).run()
    except UserError as error:
        send(Refused(error.text))


if __name__ == "__main__":
    main()
