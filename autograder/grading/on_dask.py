"""Run submissions on Dask, where there is more than one machine: on the workers of the scheduler at an address."""

from __future__ import annotations

import atexit
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import Any

from autograder.errors import UserError
from autograder.grading.bundle import Bundle
from autograder.grading.internal_errors import internal_error
from autograder.grading.submissions import Submission
from autograder.grading.without_running import ungraded
from autograder.grading.work import Settled, Work
from autograder.grading.worker import Mode, Worker
from autograder.results import ExerciseResult
from autograder.sandbox.errors import SandboxUnavailable

IN_FLIGHT = 3  # submissions waiting for each worker: enough to keep it busy, few enough to keep memory flat

_workers: dict[Mode, Worker] = {}  # in a Dask worker process: the one that serves all its tasks


def grade_task(bundle: Bundle, submission: Submission, mode: Mode) -> ExerciseResult:
    """What a Dask worker runs. Idempotent: the same arguments give the same result anywhere."""
    if mode not in _workers:
        _workers[mode] = Worker(mode)
        atexit.register(_workers[mode].close)
    _workers[mode].keep_only(bundle.exercise)
    return _workers[mode].grade(bundle, submission)


class OnDask:
    """Hands submissions to the workers of a Dask scheduler, `workers` of them at once as far as they go."""

    def __init__(
        self, workers: int, scheduler: str, mode: Mode, record: Callable[[ExerciseResult], None]
    ) -> None:
        self.workers = workers
        self.scheduler = scheduler
        self.mode = mode
        self.record = record
        self.client: Any = None

    def run(self, work: Iterable[Work]) -> Iterator[Settled]:
        """Grade what comes, in whatever order it is done."""
        self.client = self._connected()
        try:
            yield from self._run(work)
        finally:
            with suppress(Exception):  # workers that are gone already are what closing wants
                self.client.close()

    def _connected(self) -> Any:
        try:
            from distributed import Client
        except ImportError:
            raise UserError(
                "--scheduler needs Dask; install the instructor extra: pip install 'llm-autograder[instructor]'",
                "使用 --scheduler 需要 Dask；请安装 instructor 附加依赖：pip install 'llm-autograder[instructor]'",
            ) from None
        try:
            return Client(self.scheduler)
        except (OSError, ValueError) as error:
            why = type(error).__name__
            raise UserError(
                f"{self.scheduler}: no Dask scheduler answers there ({why}); start one with "
                "`dask scheduler`, or correct the address",
                f"{self.scheduler}：该地址没有 Dask 调度器应答（{why}）；请用 `dask scheduler` 启动一个，或改正地址",
            ) from None

    def _run(self, work: Iterable[Work]) -> Iterator[Settled]:
        from distributed import as_completed

        bundles: dict[str, Any] = {}
        tasks: dict[Any, tuple[Bundle, Submission]] = {}  # future -> what it grades
        running = as_completed()
        for item in work:
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
        return self.client.submit(grade_task, bundle, submission, self.mode, pure=False, retries=2)

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
