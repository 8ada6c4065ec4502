"""Tests in less than a second after a save: a process that has imported torch forks a child for each run.

A child loads the learner's file and ends with it, so nothing of one run stays for the next. The process itself never
reads the learner's code. A second one, started when it is first needed, holds a worker for the hidden tests, whose
expected values never meet the learner's code. Elsewhere than on Linux, a process with torch in it can't be forked
safely, and each run is a fresh `autograder check`.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, NoReturn

import msgspec
from msgspec import Struct

from autograder.course import Course, Exercise
from autograder.errors import UserError
from autograder.text import Text

if TYPE_CHECKING:
    from autograder.feedback.report import Report
    from autograder.grading.worker import Worker

SECONDS = 120.0  # for one run
TOO_LONG = Text("The tests did not end within two minutes.", "测试在两分钟内没有结束。")
ENDED = Text(
    "Your code ended the Python process (an exit call, or a crash).", "代码使 Python 进程退出或崩溃。"
)
PRINTED = 20_000  # bytes of what the code printed that are shown


class Asked(Struct):
    """One run that is wanted."""

    root: str
    exercise: str
    lang: str
    hidden: bool


class Answer(Struct):
    """What a run has to show, and whether every test passed."""

    text: str
    complete: bool


class Checker:
    """Runs a learner's tests in processes of their own, which stay warm where the system allows it."""

    def __init__(self) -> None:
        self._warm: dict[bool, _WarmProcess] = {}
        self._closed = False

    def run(self, exercise: Exercise, lang: str) -> Iterator[Answer]:
        """What the public tests say; if all of them pass and solutions are at hand, then what all tests say."""
        answer = self._answer(exercise, lang, hidden=False)
        yield answer
        if answer.complete and exercise.hidden_tests.is_file():
            yield self._answer(exercise, lang, hidden=True)

    def close(self) -> None:
        """End what runs. Another thread may be waiting for it."""
        self._closed = True
        for process in list(self._warm.values()):
            process.close()

    def _answer(self, exercise: Exercise, lang: str, *, hidden: bool) -> Answer:
        asked = Asked(str(exercise.root), exercise.id, lang, hidden)
        if sys.platform == "linux":
            for _ in range(2):  # the system may have ended the process, for want of memory
                if self._closed:
                    return Answer("", False)
                if hidden not in self._warm:
                    self._warm[hidden] = _WarmProcess()
                answer = self._warm[hidden].ask(asked)
                if answer is not None:
                    return answer
                self._warm.pop(hidden).close()
        return fresh_check(asked)


def fresh_check(asked: Asked) -> Answer:
    """A run in a fresh process."""
    command = [sys.executable, "-P", "-m", "autograder", "check", asked.exercise]
    command += ["--course", asked.root, "--lang", asked.lang, *(["--hidden"] if asked.hidden else [])]
    try:
        # On Windows its output would otherwise be in the system's encoding, which may lack the table's marks.
        done = subprocess.run(
            command, capture_output=True, encoding="utf-8", errors="replace", timeout=SECONDS,
            stdin=subprocess.DEVNULL, env={**os.environ, "PYTHONIOENCODING": "utf-8"},
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return Answer(TOO_LONG.pick(asked.lang), False)
    return Answer((done.stdout or done.stderr).rstrip(), done.returncode == 0)


class _WarmProcess:
    """This module as a process, from the side of whoever asks: a question is a line, and so is its answer."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            # -P: a file of the learner's in this folder is no module of ours.
            [sys.executable, "-P", "-m", "autograder.learn.warm"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C is for whoever asks, who then ends this one
        )

    def ask(self, asked: Asked) -> Answer | None:
        """The answer; None where the process is gone."""
        assert self._process.stdin is not None and self._process.stdout is not None
        try:
            self._process.stdin.write(msgspec.json.encode(asked) + b"\n")
            self._process.stdin.flush()
            return msgspec.json.decode(self._process.stdout.readline(), type=Answer)
        except (OSError, msgspec.DecodeError):
            return None

    def close(self) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        for stream in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(OSError):
                assert stream is not None
                stream.close()
        self._process.wait()


# ------------------------------------------------------------------------------------------- in the warm process


def serve() -> None:
    """Answer one question after another, until there are no more."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what is printed here is no answer
    _import_all()
    hidden = _HiddenTests()
    for line in sys.stdin.buffer:
        asked = msgspec.json.decode(line, type=Asked)
        answer = hidden.answer(asked) if asked.hidden else in_child(partial(_public, asked), asked.lang)
        answers.write(msgspec.json.encode(answer) + b"\n")
        answers.flush()
    hidden.close()


def _import_all() -> None:
    """What every run needs: a child finds it in memory."""
    import torch

    import autograder.learn.check
    import autograder.runner.collect
    import autograder.runner.in_process
    import autograder.runner.run  # noqa: F401

    torch.set_num_threads(1)  # a fork copies no threads


def in_child(report: Callable[[], Report], lang: str) -> Answer:
    """Make the report in a forked process; below what that process prints."""
    with tempfile.TemporaryFile() as printed:
        reading, writing = os.pipe()
        pid = os.fork()
        if pid == 0:
            _answer_and_end(report, lang, writing, printed)
        os.close(writing)
        raw = _line(reading, time.monotonic() + SECONDS)
        os.close(reading)
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)  # it has answered, or never will
        os.waitpid(pid, 0)
        printed.seek(max(0, printed.seek(0, os.SEEK_END) - PRINTED))
        above = printed.read().decode("utf-8", "replace").rstrip()
    if raw is None:
        answer = Answer(TOO_LONG.pick(lang), False)
    else:
        answer = msgspec.json.decode(raw, type=Answer) if raw else Answer(ENDED.pick(lang), False)
    return Answer(f"{above}\n{answer.text}".lstrip("\n"), answer.complete)


def _answer_and_end(report: Callable[[], Report], lang: str, writing: int, printed: IO[bytes]) -> NoReturn:
    """In the child. It ends here, whatever the learner's code left running."""
    from autograder.guest.threads import renew_pool

    try:
        renew_pool()
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        for stream in (1, 2):
            os.dup2(printed.fileno(), stream)
        sys.stdin = os.fdopen(0)
        # By lines, so that nothing printed is lost where the process ends early.
        sys.stdout, sys.stderr = (os.fdopen(stream, "w", 1, "utf-8", "replace") for stream in (1, 2))
        answer = told(report, lang)
        sys.stdout.flush()
        sys.stderr.flush()
        os.write(writing, msgspec.json.encode(answer) + b"\n")
    finally:
        os._exit(0)


def _line(reading: int, until: float) -> bytes | None:
    """What the child answered: b"" where it ended without an answer, None where it has none in time."""
    raw = b""
    while not raw.endswith(b"\n"):
        ready, _, _ = select.select([reading], [], [], max(0.0, until - time.monotonic()))
        if not ready:
            return None
        piece = os.read(reading, 1 << 16)
        if not piece:
            return b""
        raw += piece
    return raw


def told(report: Callable[[], Report], lang: str) -> Answer:
    """A report, or what kept it from being made, as a learner reads it."""
    try:
        made = report()
    except UserError as error:
        return Answer(error.text.pick(lang), False)
    return Answer(str(made), made.complete)


def _exercise(asked: Asked) -> Exercise:
    return Course.load(Path(asked.root), authoring=True).exercise(asked.exercise)


def _public(asked: Asked) -> Report:
    from autograder.learn.check import check_own

    report = check_own(_exercise(asked), asked.lang)
    # Where hidden tests follow by themselves, nobody need be told how to run them.
    return replace(report, message=Text()) if _exercise(asked).hidden_tests.is_file() else report


class _HiddenTests:
    """A worker for the hidden tests. The learner's code runs in its sandbox, or, where there is none, in a child."""

    def __init__(self) -> None:
        self._worker: Worker | None = None

    def answer(self, asked: Asked) -> Answer:
        from autograder.learn.hidden import check_hidden, hidden_worker

        worker = self._worker = self._worker or hidden_worker()

        def report() -> Report:
            return check_hidden(_exercise(asked), asked.lang, worker)

        return in_child(report, asked.lang) if worker.mode.unsafe else told(report, asked.lang)

    def close(self) -> None:
        if self._worker is not None:
            self._worker.close()


if __name__ == "__main__":
    serve()
