"""Run a lesson's cells in a fork of this process, which has imported what they import.

A lesson has its own folder, its own limit of CPU time, and its own end: one that ends the interpreter costs itself only.
"""

from __future__ import annotations

import os
import resource
import select
import shutil
import signal
import sys
import tempfile
import traceback
from pathlib import Path
from types import ModuleType
from typing import NoReturn

from autograder.course.catalogue import COURSE_FILE
from autograder.testing.examples import EXAMPLES_FILE

CPU_SECONDS = 60  # a lesson's cells take a few seconds; this only ends what hangs
WALL_FACTOR = 10  # for one that sleeps


def run_cells(code: str, course: Path) -> str:
    """What the code ends with: the last line of its error, or nothing where it comes to its end.

    Args:
        course: the root of the lesson's course, whose running examples and shipped weights the cells may read.
    """
    with tempfile.TemporaryDirectory(prefix="lesson-") as place, tempfile.TemporaryFile() as output:
        folder = Path(place) / "course" / "lesson"
        folder.mkdir(parents=True)
        weights = (course / "exercises").glob("*/*.weights.npz")
        for file in (COURSE_FILE, EXAMPLES_FILE, *(path.relative_to(course) for path in weights)):
            if (course / file).is_file():
                (Path(place) / file).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(course / file, Path(place) / file)
        sys.stdout.flush()
        pid = os.fork()
        if pid == 0:
            _become_lesson(code, folder, output.fileno())
        try:
            ended = _wait(pid)
        finally:
            _kill(pid)  # itself, or what it has started and left behind
        _, status = os.waitpid(pid, 0)
        if not ended:
            return f"it ran longer than {WALL_FACTOR * CPU_SECONDS} s"
        if os.WIFSIGNALED(status):
            name = signal.Signals(os.WTERMSIG(status))
            took = name is signal.SIGXCPU
            return (
                f"it took more than {CPU_SECONDS} s of CPU" if took else f"{name.name} ended the interpreter"
            )
        if os.WEXITSTATUS(status) == 0:
            return ""
        output.seek(0)
        said = output.read().decode("utf-8", "replace").strip().splitlines()
        return said[-1] if said else f"it ended with exit status {os.WEXITSTATUS(status)}"


def _wait(pid: int) -> bool:
    """Whether the process ends in time. It stays to be waited for, so its number can't become another's."""
    pidfd = os.pidfd_open(pid)
    try:
        poll = select.poll()
        poll.register(pidfd, select.POLLIN)
        return bool(poll.poll(WALL_FACTOR * CPU_SECONDS * 1000))
    finally:
        os.close(pidfd)


def _kill(pid: int) -> None:
    for kill in (os.killpg, os.kill):
        try:
            kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue


def _become_lesson(code: str, folder: Path, output: int) -> NoReturn:
    status = 1
    try:
        os.setsid()
        null = os.open(os.devnull, os.O_RDONLY)
        for source, target in ((null, 0), (output, 1), (output, 2)):
            os.dup2(source, target)
        sys.stdout = os.fdopen(1, "w", encoding="utf-8", closefd=False)
        sys.stderr = os.fdopen(2, "w", encoding="utf-8", closefd=False)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS + 1))
        os.chdir(folder)
        os.environ["MPLBACKEND"] = "Agg"
        if "matplotlib" in sys.modules:
            sys.modules["matplotlib"].use("Agg", force=True)
        page = sys.modules["__main__"] = ModuleType("__main__")
        sys.path.insert(0, "")
        exec(compile(code, "<lesson>", "exec"), page.__dict__)
        status = 0
    except SystemExit as ending:
        status = ending.code if isinstance(ending.code, int) else int(ending.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status & 0xFF)
