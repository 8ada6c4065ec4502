"""The oracle tests of all audited exercises, in one pytest session that imports the oracle libraries once."""

from __future__ import annotations

import builtins
import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from msgspec import Struct

from autograder.audit.report import Finding
from autograder.course import Exercise

CPU_SECONDS = 60  # of one test; it only ends what hangs


class OracleResult(Struct, frozen=True):
    """How an exercise's oracle tests went. Seconds of CPU, without imports."""

    passed: int = 0
    problems: tuple[str, ...] = ()
    seconds: float = 0.0


Send = Callable[[str, OracleResult], None]


def oracle_finding(exercise: Exercise, result: OracleResult | None) -> Finding:
    """What the session gave for one exercise; None where it has no such test."""
    if exercise.kind == "quiz":
        return Finding("not asked of a quiz", [])
    name = exercise.oracle_tests.relative_to(exercise.root)
    if result is None:
        return Finding("", [f"{name} is missing; check the reference against {exercise.spec.oracle} there"])
    summary = f"{result.passed} passed ({exercise.spec.oracle})"
    return Finding(summary, [f"{name}: {problem}" for problem in result.problems])


def run_oracles(root: Path, exercises: Sequence[Exercise], send: Send) -> None:
    """Run the oracle tests of these exercises, one after another, and send each result when it is there.

    The last result, of no exercise, has the CPU seconds of all, imports included.
    """
    session = _Session({exercise.oracle_tests: exercise.id for exercise in exercises}, send)
    os.chdir(root)
    arguments = ["-q", "--import-mode=importlib", f"--rootdir={root}", "--disable-plugin-autoload"]
    # The second ends by collecting garbage again and again: half a second where torch is loaded.
    arguments += ["-p", "no:cacheprovider", "-p", "no:unraisableexception"]
    with _imports_timed(session):
        pytest.main([*arguments, *map(str, session.names)], plugins=[session])
    session.finish()
    send("", OracleResult(seconds=time.process_time()))


class _Session:
    """A pytest plugin: results and CPU seconds of each file."""

    def __init__(self, names: Mapping[Path, str], send: Send) -> None:
        self.names = names
        self.send = send
        self._waiting = dict(names)
        self.imports = 0.0  # CPU seconds
        self._passed: dict[Path, int] = dict.fromkeys(names, 0)
        self._seconds: dict[Path, float] = dict.fromkeys(names, 0.0)
        self._problems: dict[Path, list[str]] = {path: [] for path in names}

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        path = Path(report.nodeid).absolute()
        if report.failed and path in self.names:
            self._problems[path].append(f"it can't be collected: {_last(report.longreprtext)}")

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item, nextitem: pytest.Item | None) -> Iterator[None]:
        """Time one test with its fixtures; send the file's result after its last one."""
        started, imports = time.process_time(), self.imports
        with _in_time():
            result = yield
        self._seconds[item.path] += time.process_time() - started - (self.imports - imports)
        if nextitem is None or nextitem.path != item.path:
            self._finish(item.path)
        return result

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        path = Path(report.fspath).absolute()
        name = report.nodeid.rpartition("::")[2]
        if report.failed:
            self._problems[path].append(f"{name}: {_last(report.longreprtext)}")
        elif report.skipped:  # a skipped comparison is no comparison
            self._problems[path].append(f"{name} is skipped")
        elif report.when == "call":
            self._passed[path] += 1

    def finish(self) -> None:
        """Send what no test of its own has sent."""
        for path in list(self._waiting):
            self._finish(path)

    def _finish(self, path: Path) -> None:
        problems = self._problems[path] or ([] if self._passed[path] else ["no test ran"])
        self.send(
            self._waiting.pop(path), OracleResult(self._passed[path], tuple(problems), self._seconds[path])
        )


def _last(text: str) -> str:
    """The message of an error as pytest shows it: its first line that is marked so, else its last."""
    lines = [line for line in text.strip().splitlines() if line.strip()]
    marked = [line[1:].strip() for line in lines if line.startswith("E ")]
    return (marked or lines or ["no message"])[0 if marked else -1][:200]


@contextmanager
def _in_time() -> Iterator[None]:
    def stop(_number: int, _frame: FrameType | None) -> None:
        pytest.fail(f"it took more than {CPU_SECONDS} s of CPU")

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, CPU_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


@contextmanager
def _imports_timed(session: _Session) -> Iterator[None]:
    """Add up the CPU time of import statements: many tests import their library when they first need it."""
    original = builtins.__import__
    importing = False

    def timed(*arguments: Any, **named: Any) -> Any:
        nonlocal importing
        if importing:
            return original(*arguments, **named)
        importing, started = True, time.process_time()
        try:
            return original(*arguments, **named)
        finally:
            importing = False
            session.imports += time.process_time() - started

    builtins.__import__ = timed
    try:
        yield
    finally:
        builtins.__import__ = original
