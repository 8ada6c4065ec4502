"""Grade a class's submissions: find what is new, run it here or on Dask workers, hand each result over as it comes.

What is known already is settled while the class is collected, student by student. What is new is graded exercise by
exercise, so that one exercise at a time has to be ready. Results are keyed by content, so a run that was interrupted
goes on where it stopped, and a second run grades nothing. Workers record nothing; the caller's `record` is the only
writer.
"""

from __future__ import annotations

import atexit
import functools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from msgspec.structs import replace

from autograder.course import Exercise
from autograder.errors import UserError
from autograder.grading.bundle import Bundle, bundle_of, result_key
from autograder.grading.collector import Upload
from autograder.grading.grader import ungraded
from autograder.grading.internal_errors import internal_error
from autograder.grading.names import Names
from autograder.grading.spool import Spool, Waiting
from autograder.grading.submissions import Submission, submissions_of
from autograder.grading.worker import Mode, Worker
from autograder.results import ExerciseResult, Isolation, Unrecognised
from autograder.sandbox.errors import SandboxUnavailable

IN_FLIGHT = 3  # submissions waiting for each worker: enough to keep it busy, few enough to keep memory flat


_workers: dict[Mode, Worker] = {}  # in a Dask worker process: the one that serves all its tasks


def _grade_task(bundle: Bundle, submission: Submission, mode: Mode) -> ExerciseResult:
    """What a Dask worker runs. Idempotent: the same arguments give the same result anywhere."""
    if mode not in _workers:
        _workers[mode] = Worker(mode)
        atexit.register(_workers[mode].close)
    _workers[mode].keep_only(bundle.exercise)
    return _workers[mode].grade(bundle, submission)


@dataclass(frozen=True)
class Settled:
    """One submission is settled: graded now, or known already (`cached`)."""

    result: ExerciseResult
    cached: bool


@dataclass(frozen=True)
class Batch:
    """What is graded in one go.

    students: student -> folders, zip files or single files they handed in; `students_of` a folder gives that.
    folder: what the paths in the results are relative to; by default the folder that each entry lies in.
    """

    exercises: Sequence[Exercise]
    students: Mapping[str, Sequence[Path | Upload]]
    folder: Path | None = None


@dataclass
class Grader:
    """Grades the submissions of a class to the given exercises.

    known: the recorded result for a key, or None. record: called with every result, cached or new, in the driver.
    collected: called with each student whose files were read, and with how many of their submissions are new.
    names: the exercises whose names are known, and whether a guess counts. unrecognised: called with each student and a
    file of theirs that was meant as an answer to all appearance, and is none.
    """

    exercises: Sequence[Exercise]
    mode: Mode
    known: Callable[[str], ExerciseResult | None]
    record: Callable[[ExerciseResult], None]
    workers: int = 1
    scheduler: str | None = None
    collected: Callable[[str, int], None] = lambda student, new: None
    names: Names | None = None
    unrecognised: Callable[[str, Unrecognised], None] = lambda student, file: None

    def run(
        self, students: Mapping[str, Sequence[Path | Upload]], folder: Path | None = None
    ) -> Iterator[Settled]:
        """Grade what is new, yielding each settled submission.

        Args:
            students: student -> folders, zip files or single files they handed in; `students_of` a folder gives that.
            folder: what the paths in the results are relative to; by default the folder that each entry lies in.
        """
        bundles = {exercise.id: bundle_of(exercise) for exercise in self.exercises}
        worker = Worker(self.mode)
        try:
            isolation = worker.isolation  # refuses here, before anything is graded, where nothing protects
            with self._runner(worker) as runner, TemporaryDirectory(prefix="autograder-") as place:
                spool = Spool(Path(place))
                for student, entries in students.items():
                    tell = functools.partial(self.unrecognised, student)
                    found = submissions_of(
                        student, entries, self.exercises, worker.unpack, folder, self.names, tell
                    )
                    yield from self._collect(student, found, bundles, isolation, spool)
                yield from runner(self._pending(bundles, spool))
        finally:
            worker.close()

    def _collect(
        self,
        student: str,
        submissions: Iterable[Submission],
        bundles: Mapping[str, Bundle],
        isolation: Isolation,
        spool: Spool,
    ) -> Iterator[Settled]:
        """Settle those of a student's submissions that are known, and let the others wait."""
        known: list[ExerciseResult] = []
        new: list[Waiting] = []
        try:
            for submission in submissions:
                key = ""
                if submission.problem is None:
                    key = result_key(
                        bundles[submission.exercise], submission.main, submission.files, isolation
                    )
                result = self.known(key) if key else None
                if result is None:
                    new.append(spool.keep(submission, key))
                else:
                    known.append(replace(result, student=student, path=submission.path))
        except (UserError, SandboxUnavailable):
            raise  # every other student would meet it, too
        except Exception as error:
            known, new = [], []
            yield from self._ungraded(student, bundles, internal_error("collecting", error))
        for result in known:
            yield self._cached(result)
        for waiting in new:
            spool.add(waiting)
        self.collected(student, len(new))

    def _pending(
        self, bundles: Mapping[str, Bundle], spool: Spool
    ) -> Iterator[tuple[Bundle, Submission] | Settled]:
        """Each submission that waits, as work to do; or settled, where another student's was the same."""
        for name, bundle in bundles.items():
            for key, submission in spool.take(name):
                result = self.known(key) if key else None
                if result is None:
                    yield bundle, submission
                else:
                    yield self._cached(replace(result, student=submission.student, path=submission.path))

    def _cached(self, result: ExerciseResult) -> Settled:
        self.record(result)
        return Settled(result, cached=True)

    def _ungraded(self, student: str, bundles: Mapping[str, Bundle], detail: str) -> Iterator[Settled]:
        """What was handed in, nobody knows; not to have looked is nobody's zero."""
        for bundle in bundles.values():
            result = ungraded(bundle, Submission(student, bundle.exercise, student), detail)
            self.record(result)
            yield Settled(result, cached=False)

    def _runner(self, worker: Worker) -> Any:
        if self.workers <= 1 and self.scheduler is None:
            return _Here(worker, self.record)
        return _OnDask(self.workers, self.scheduler, self.mode, self.record)


class _Here:
    """Runs submissions one after another in this process."""

    def __init__(self, worker: Worker, record: Callable[[ExerciseResult], None]) -> None:
        self.worker = worker
        self.record = record

    def __enter__(self) -> _Here:
        return self

    def __exit__(self, *exception: object) -> None:
        return None

    def __call__(self, pending: Iterable[tuple[Bundle, Submission] | Settled]) -> Iterator[Settled]:
        for item in pending:
            if isinstance(item, Settled):
                yield item
                continue
            bundle, submission = item
            self.worker.keep_only(bundle.exercise)
            result = self.worker.grade(bundle, submission)
            self.record(result)
            yield Settled(result, cached=False)


class _OnDask:
    """Runs submissions on Dask: a local cluster of single-threaded processes, or the scheduler at an address."""

    def __init__(
        self, workers: int, scheduler: str | None, mode: Mode, record: Callable[[ExerciseResult], None]
    ) -> None:
        try:
            from distributed import Client, LocalCluster
        except ImportError:
            raise UserError(
                "more than one worker needs Dask; install the instructor extra: pip install 'llm-autograder[instructor]'",
                "使用多个工作进程需要 Dask；请安装 instructor 附加依赖：pip install 'llm-autograder[instructor]'",
            ) from None
        self.mode = mode
        self.record = record
        self.workers = workers
        self.cluster: Any = None
        if scheduler is None:
            self.cluster = LocalCluster(
                n_workers=workers,
                threads_per_worker=1,
                processes=True,
                dashboard_address=None,
                silence_logs=50,
            )
        try:
            self.client = Client(self.cluster if scheduler is None else scheduler)
        except (OSError, ValueError) as error:
            raise UserError(
                f"{scheduler}: no Dask scheduler answers there ({type(error).__name__}); start one with "
                "`dask scheduler`, or correct the address",
                f"{scheduler}：该地址没有 Dask 调度器应答（{type(error).__name__}）；请用 `dask scheduler` 启动一个，或改正地址",
            ) from None

    def __enter__(self) -> _OnDask:
        return self

    def __exit__(self, *exception: object) -> None:
        with suppress(Exception):  # workers that are gone already are what closing wants
            self.client.close()
            if self.cluster is not None:
                self.cluster.close()

    def __call__(self, pending: Iterable[tuple[Bundle, Submission] | Settled]) -> Iterator[Settled]:
        from distributed import as_completed

        bundles: dict[str, Any] = {}
        tasks: dict[Any, tuple[Bundle, Submission]] = {}  # future -> what it grades
        running = as_completed()
        for item in pending:
            if isinstance(item, Settled):
                yield item
                continue
            bundle, submission = item
            if bundle.exercise not in bundles:  # sent once, not with every submission
                bundles[bundle.exercise] = self.client.scatter(bundle, broadcast=True, hash=False)
            future = self._submit(bundles[bundle.exercise], submission)
            tasks[future] = item
            running.add(future)
            while running.count() >= IN_FLIGHT * self.workers:
                done = next(running)
                yield self._settled(done, *tasks.pop(done))
        for done in running:
            yield self._settled(done, *tasks.pop(done))

    def _submit(self, bundle: Any, submission: Submission) -> Any:
        return self.client.submit(_grade_task, bundle, submission, self.mode, pure=False, retries=2)

    def _settled(self, future: Any, bundle: Bundle, submission: Submission) -> Settled:
        result = self._result(future)
        if isinstance(
            result, Exception
        ):  # workers were lost, and perhaps the bundle with them: it is sent along
            result = self._result(self._submit(bundle, submission))
        if isinstance(result, Exception):
            result = ungraded(bundle, submission, internal_error("grading on Dask", result))
        self.record(result)
        return Settled(result, cached=False)

    def _result(self, future: Any) -> ExerciseResult | Exception:
        """What a task gave, or what kept it from being done."""
        try:
            result: ExerciseResult = future.result()
            return result
        except (UserError, SandboxUnavailable):
            raise  # every other submission would meet it, too
        except Exception as error:
            return error
        finally:
            future.release()
