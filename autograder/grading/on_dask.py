"""Run submissions on Dask, where there is more than one machine: on the workers of the scheduler at an address.

A task carries all that it needs, so a worker needs no more than the installed package. Whatever dies, a submission's
result is recorded once, by this process; what the cluster can't grade is left ungraded, and says why.
"""

from __future__ import annotations

import atexit
import ipaddress
import logging
import platform
import queue
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from importlib.metadata import version
from typing import Any

from autograder.errors import UserError
from autograder.grading.apart import Apart, packed
from autograder.grading.bundle import ENGINE, Bundle
from autograder.grading.internal_errors import LINE_LIMIT, internal_error
from autograder.grading.submissions import Submission
from autograder.grading.without_running import ungraded
from autograder.grading.work import Settled, Work
from autograder.grading.worker import Mode
from autograder.results import ExerciseResult
from autograder.sandbox.errors import SandboxUnavailable
from autograder.text import Text, printable

DISTRIBUTION = "llm-autograder"
IN_FLIGHT = 3  # submissions waiting for each worker: enough to keep it busy, few enough to keep memory flat
LOOK = 1.0  # seconds between two looks at the cluster
LOGGERS = (
    "distributed",
    "distributed.client",
)  # what they have to say of a lost cluster, we say in our own words
NO_WORKERS = "60s"  # how long to wait for a worker, where Dask's configuration says nothing

# ------------------------------------------------------------------------------------------- in a Dask worker


def versions() -> dict[str, str]:
    """What must be the same on all machines, or the same submission would get another result on some."""
    return {
        "autograder": ENGINE,
        "torch": version("torch").partition("+")[0],  # what follows says how it was built
        "Python": f"{sys.version_info.major}.{sys.version_info.minor}",
    }


def grade_task(wanted: Mapping[str, str], work: bytes) -> ExerciseResult:
    """What a Dask worker runs. Idempotent: the same arguments give the same result anywhere.

    Args:
        wanted: the driver's `versions`.
        work: as `packed`. What another version has made of it is not looked at.
    """
    here = versions()
    if here != wanted:
        ours, theirs = (
            ", ".join(f"{name} {said.get(name)}" for name in wanted if here.get(name) != wanted[name])
            for said in (here, wanted)
        )
        raise UserError(
            f"the Dask worker on {platform.node()} has {ours}, but this machine has {theirs}; "
            "install the same versions on all of them",
            f"{platform.node()} 上的 Dask 工作进程使用 {ours}，而本机使用 {theirs}；请在所有机器上安装相同的版本",
        )
    try:
        return _apart().grade(work)
    except SandboxUnavailable as error:
        on = platform.node()
        raise SandboxUnavailable(
            f"the Dask worker on {on}: {error.text.en}", f"{on} 上的 Dask 工作进程：{error.text.zh}"
        ) from None


_threads = threading.local()


def _apart() -> Apart:
    """The grading process of this thread; a worker may have several."""
    if not hasattr(_threads, "apart"):
        _threads.apart = Apart()
        atexit.register(_threads.apart.close)
    apart: Apart = _threads.apart
    return apart


# ------------------------------------------------------------------------------------------- in the driver


def in_clear(address: str) -> bool:
    """Whether what is sent to this address can be read, and changed, on the way to another machine."""
    scheme, found, place = address.rpartition("://")
    if found and scheme not in ("tcp", "ws", "ucx"):
        return False
    host = place.rpartition(":")[0].strip("[]") or place
    with suppress(ValueError):
        return not ipaddress.ip_address(host).is_loopback
    return host != "localhost"


class OnDask:
    """Hands submissions to all workers of a Dask scheduler. Dask's configuration says how to connect, and who may."""

    def __init__(self, scheduler: str, mode: Mode, record: Callable[[ExerciseResult], None]) -> None:
        self.scheduler = scheduler
        self.mode = mode
        self.record = record
        self.client: Any = None
        self.lost: Text | None = None  # why nothing more can be graded
        self._versions = versions()
        self._threads = 0  # of all workers
        self._patience = 0.0  # seconds without a worker
        self._looked = self._worked = 0.0  # when the cluster was last looked at, and last had a worker

    def run(self, work: Iterable[Work]) -> Iterator[Settled]:
        """Grade what comes, in whatever order it is done."""
        try:
            self._connect()
            yield from self._run(work)
        finally:
            if self.client is not None:
                with suppress(Exception):  # workers that are gone already are what closing wants
                    self.client.close()

    def _connect(self) -> None:
        """UserError where there is no scheduler, or no worker, or one that lacks this package."""
        try:
            import dask
            from dask.utils import parse_timedelta
            from distributed import Client
        except ImportError:
            raise UserError(
                "--scheduler needs Dask; install the instructor extra: pip install 'llm-autograder[instructor]'",
                "使用 --scheduler 需要 Dask；请安装 instructor 附加依赖：pip install 'llm-autograder[instructor]'",
            ) from None
        for name in LOGGERS:
            logging.getLogger(name).setLevel(logging.CRITICAL)
        dask.config.set({"distributed.admin.large-graph-warning-threshold": "1 GB"})  # notebooks may be large
        self._patience = parse_timedelta(
            dask.config.get("distributed.scheduler.no-workers-timeout") or NO_WORKERS
        )
        try:
            self.client = Client(self.scheduler)
        except (OSError, ValueError, TypeError, RuntimeError) as error:
            why = _cause(error)
            raise UserError(
                f"{self.scheduler}: no Dask scheduler answers there ({why}); start one with `dask scheduler`, or "
                "correct the address or the certificates",
                f"{self.scheduler}：该地址没有 Dask 调度器应答（{why}）；请用 `dask scheduler` 启动一个，或改正地址或证书",
            ) from None
        self._worked = time.monotonic()
        while not self._threads:
            self._look()
            if self.lost:
                raise UserError(
                    f"{self.scheduler}: {self.lost.en}; start some with `dask worker {self.scheduler} --nthreads 1`",
                    f"{self.scheduler}：{self.lost.zh}；请用 `dask worker {self.scheduler} --nthreads 1` 启动",
                )
            time.sleep(0.1)

        found = self.client.get_versions(packages=[DISTRIBUTION])
        lacking = [
            name
            for name, here in {"scheduler": found["scheduler"], **found["workers"]}.items()
            if found["client"]["packages"][DISTRIBUTION] and here and not here["packages"][DISTRIBUTION]
        ]
        if lacking:  # it could not even read what it is sent
            names = ", ".join(sorted(lacking)[:5])
            raise UserError(
                f"{self.scheduler}: {DISTRIBUTION} is not installed on {names}; install the same version there",
                f"{self.scheduler}：{names} 上没有安装 {DISTRIBUTION}；请在那里安装相同的版本",
            )

    def _look(self) -> None:
        """See whether there still is a scheduler and, now and then, how many workers."""
        now = time.monotonic()
        if self.lost:
            return
        if self.client.status in ("closing", "closed"):  # it has tried in vain to connect again
            self.lost = Text("its scheduler is gone", "调度器已停止")
        elif now > self._looked + LOOK and self.client.status == "running":
            self._looked = now
            # Nothing is said of a cluster while the client closes.
            self._threads = self.client.scheduler_info(n_workers=0).get("total_threads", self._threads)
            if self._threads:
                self._worked = now
            elif now > self._worked + self._patience:
                en, zh = "it had no worker for {seconds} s", "{seconds} 秒内没有工作进程"
                self.lost = Text(en, zh).format(seconds=f"{self._patience:g}")

    def _run(self, work: Iterable[Work]) -> Iterator[Settled]:
        tasks: dict[Any, tuple[Bundle, Submission]] = {}  # future -> what it grades
        done: queue.SimpleQueue[Any] = queue.SimpleQueue()
        for item in work:
            if isinstance(item, Settled):
                yield item
                continue
            while len(tasks) >= IN_FLIGHT * max(1, self._threads):
                yield self._next(tasks, done)
            tasks[self._submit(*item, done)] = item
        while tasks:
            yield self._next(tasks, done)

    def _next(self, tasks: dict[Any, tuple[Bundle, Submission]], done: queue.SimpleQueue[Any]) -> Settled:
        """The next that is done; where nothing more will be, one after another is left ungraded."""
        future = self._first(done)
        bundle, submission = tasks.popitem()[1] if future is None else tasks.pop(future)
        result = self._result(future)
        if isinstance(result, Exception):
            # Workers were lost, and it may only have waited beside the one that did it: once more.
            alone: queue.SimpleQueue[Any] = queue.SimpleQueue()
            self._submit(bundle, submission, alone)
            result = self._result(self._first(alone))
        if isinstance(result, Exception):
            self._look()
            what = "grading on Dask" + (f": {self.lost.en}" if self.lost else "")
            result = ungraded(bundle, submission, internal_error(what, None if self.lost else result))
        self.record(result)
        return Settled(result, cached=False)

    def _submit(self, bundle: Bundle, submission: Submission, done: queue.SimpleQueue[Any]) -> Any:
        """Hand out one submission. Returns: the future, which `done` gets in the end."""
        if self.lost:
            return object()
        work = packed(bundle, submission, self.mode)
        try:
            future = self.client.submit(grade_task, self._versions, work, pure=False)
        except Exception:
            if self.client.status not in ("closing", "closed"):
                raise
            future = object()  # it has just given up, which the next look shows
        else:
            future.add_done_callback(done.put)
        return future

    def _first(self, done: queue.SimpleQueue[Any]) -> Any | None:
        """The first that is done; None where nothing more will be."""
        while True:
            self._look()
            if self.lost:
                return None
            with suppress(queue.Empty):
                return done.get(timeout=LOOK)

    def _result(self, future: Any | None) -> ExerciseResult | Exception:
        """What a task gave, or what kept it from being done."""
        if future is None:
            return RuntimeError("lost")
        try:
            while True:
                try:
                    result: ExerciseResult = future.result(timeout=LOOK)
                    return result
                except TimeoutError as error:
                    self._look()  # whoever had the result may be gone, so that another does it again
                    if self.lost or future.status in ("error", "cancelled"):
                        return error
        except (UserError, SandboxUnavailable):
            raise  # every other submission would meet it, too
        except Exception as error:
            return error
        finally:
            future.release()


def _cause(error: BaseException) -> str:
    """The first of all that led to this error."""
    while error.__cause__ or error.__context__:
        error = error.__cause__ or error.__context__  # type: ignore[assignment]
    words = str(error).strip().splitlines()
    return printable(f"{type(error).__name__}: {words[0]}" if words else type(error).__name__, LINE_LIMIT)
