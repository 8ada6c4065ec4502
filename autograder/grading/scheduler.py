"""Grade a class's submissions: find what is new, run it here or on Dask workers, hand each result over as it comes.

Results are keyed by content, so a run that was interrupted goes on where it stopped, and a second run grades nothing.
Workers record nothing; the caller's `record` is the only writer.
"""

from __future__ import annotations

import atexit
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from autograder.course import Exercise
from autograder.errors import UserError
from autograder.grading.bundle import Bundle, bundle_of, result_key
from autograder.grading.grader import ungraded
from autograder.grading.internal_errors import internal_error
from autograder.grading.submissions import (
    Submission,
    submissions_of,
)
from autograder.grading.worker import Mode, Worker
from autograder.results import ExerciseResult, Isolation
from autograder.sandbox.errors import SandboxUnavailable

IN_FLIGHT = 3  # submissions waiting for each worker: enough to keep it busy, few enough to keep memory flat


_workers: dict[Mode, Worker] = {}  # in a Dask worker process: the one that serves all its tasks


def _grade_task(bundle: Bundle, submission: Submission, mode: Mode) -> ExerciseResult:
    """What a Dask worker runs. Idempotent: the same arguments give the same result anywhere."""
    if mode not in _workers:
        _workers[mode] = Worker(mode)
        atexit.register(_workers[mode].close)
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
    students: Mapping[str, Sequence[Path]]
    folder: Path | None = None


@dataclass
class Grader:
    """Grades the submissions of a class to the given exercises.

    known: the recorded result for a key, or None. record: called with every result, cached or new, in the driver.
    """

    exercises: Sequence[Exercise]
    mode: Mode
    known: Callable[[str], ExerciseResult | None]
    record: Callable[[ExerciseResult], None]
    workers: int = 1
    scheduler: str | None = None

    def run(self, students: Mapping[str, Sequence[Path]], folder: Path | None = None) -> Iterator[Settled]:
        """Grade what is new, yielding each settled submission.

        Args:
            students: student -> folders, zip files or single files they handed in; `students_of` a folder gives that.
            folder: what the paths in the results are relative to; by default the folder that each entry lies in.
        """
        bundles = {exercise.id: bundle_of(exercise) for exercise in self.exercises}
        worker = Worker(self.mode)
        try:
            isolation = worker.isolation  # refuses here, before anything is graded, where nothing protects
            with self._runner(worker) as runner:
                pending = self._pending(students, folder, bundles, isolation, worker)
                yield from runner(pending)
        finally:
            worker.close()

    def _pending(
        self,
        students: Mapping[str, Sequence[Path]],
        folder: Path | None,
        bundles: dict[str, Bundle],
        isolation: Isolation,
        worker: Worker,
    ) -> Iterator[tuple[Bundle, Submission] | Settled]:
        """Each submission as work to do, or as the progress it already is."""
        for student, entries in students.items():
            try:
                handed_in = list(submissions_of(student, entries, self.exercises, worker.unpack, folder))
            except (UserError, SandboxUnavailable):
                raise  # every other student would meet it, too
            except Exception as error:
                yield from self._ungraded(student, bundles, internal_error("collecting", error))
                continue
            for submission in handed_in:
                bundle = bundles[submission.exercise]
                known = None
                if submission.problem is None:
                    known = self.known(result_key(bundle, submission.main, submission.files, isolation))
                if known is None:
                    yield bundle, submission
                else:
                    result = replace(known, student=submission.student, path=submission.path)
                    self.record(result)
                    yield Settled(result, cached=True)

    def _ungraded(self, student: str, bundles: dict[str, Bundle], detail: str) -> Iterator[Settled]:
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
            result = self.worker.grade(*item)
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
