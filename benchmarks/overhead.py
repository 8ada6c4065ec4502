"""What isolation costs: CPU seconds per submission, four ways, side by side in one run.

* (a) this autograder, warm: a confined process per submission, all tests, no diagnosis needed;
* (b) a fresh `python -m pytest` on the same tests, as a grader that shells out does;
* (c) the same test functions called in a warm process, each with the guards and limits that a learner's own run has;
* (d) the same test functions called in a warm process, seeded, and nothing else: what no grader can do without.

CPU seconds count this process, the confined processes and their zygote, and every process that (b) starts.
The goal: (a) at least 50 times below (b). What isolation costs is (a) minus (d): the guards of (c), set up anew for every
test, are no part of a submission's work.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from part import Size, Table, main
from rich.progress import track

from autograder.course import Course, Exercise, find_course
from autograder.grading.bundle import Bundle, bundle_of
from autograder.grading.grader import ExerciseGrader
from autograder.grading.submissions import Submission
from autograder.grading.worker import Mode, Worker
from autograder.guest.loading import filename_of, load_module
from autograder.guest.seed import seed_everything
from autograder.results import Isolation, Limits, Status
from autograder.runner.in_process import InProcessBackend

EXERCISE = "attention/scaled_dot_product"
EACH = 20
ROUNDS = 5  # they take turns: a processor's clock changes by a third within minutes


class Bare(InProcessBackend):
    """A module in this process, with no guard and no limit around a test."""

    @contextmanager
    def begin(self, seed: int, limits: Limits) -> Iterator[None]:
        _ = self.student
        seed_everything(seed)
        yield


def bare(bundle: Bundle, files: Mapping[str, bytes], main: str) -> Bare:
    filename = filename_of(main)
    return Bare(lambda skipped: load_module(files, main, skipped=skipped), (), filename.__eq__)


def ended_children() -> float:
    """CPU seconds of all processes that this one started and that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def zygote_tree(pid: int) -> float:
    """CPU seconds of a running process and of all its ended descendants, from /proc."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def children_of(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def running_descendants() -> float:
    """CPU seconds of every process below this one that is still running."""
    total, waiting = 0.0, children_of(os.getpid())
    while waiting:
        pid = waiting.pop()
        total += zygote_tree(pid)
        waiting += children_of(pid)
    return total


def cpu_of(work: Callable[[], object]) -> float:
    """CPU seconds that `work` costs, wherever it is spent."""
    before = time.process_time() + ended_children() + running_descendants()
    work()
    return time.process_time() + ended_children() + running_descendants() - before


def graded(grader: ExerciseGrader, files: dict[str, bytes], main: str, runs: int) -> Callable[[], None]:
    """What grades one submission so many times, after once that warms the grader up.

    The kernel counts processes in ticks of 10 ms, so they are measured together.
    """

    def grade() -> None:
        for number in range(runs):
            result = grader.grade(Submission(f"s{number:03}", grader.bundle.exercise, main, main, files))
            if result.status is not Status.GRADED or result.score != result.max_score:
                raise SystemExit(
                    f"overhead: the reference did not score full marks ({result.status}); fix that first"
                )

    grade()
    return grade


@contextmanager
def fresh_pytest(exercise: Exercise) -> Iterator[Callable[[], None]]:
    """What runs one `python -m pytest` on the exercise's public and hidden tests."""
    with tempfile.TemporaryDirectory() as folder:
        # A submission's place is exercises/; the reference stands in for it, so that all tests run and pass.
        for tree in ("course", "exercises", "solutions"):
            os.symlink(exercise.root / tree, Path(folder, tree))
        tests = [f"solutions/{exercise.unit}/test_{exercise.topic}.py"]
        command = [sys.executable, "-m", "pytest", "-q", "-p", "autograder.learn.pytest_plugin"]
        command += ["--import-mode=importlib", "-p", "no:cacheprovider", *tests]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}

        def once() -> None:
            subprocess.run(command, cwd=folder, env=environment, check=True, stdout=subprocess.DEVNULL)

        once()
        yield once


def tables(size: Size) -> list[Table]:
    exercise = Course.load(find_course(), authoring=True).exercise(EXERCISE)
    bundle = bundle_of(exercise)
    main_file, files = f"{exercise.topic}.py", {f"{exercise.topic}.py": bundle.solution}
    worker = Worker(Mode(hide=(exercise.root,)))
    each = size.of(EACH)
    try:
        confined = worker.grader(bundle)
        ways = {
            "a": (graded(confined, files, main_file, each), each),
            "c": (graded(Worker(Mode(unsafe=True)).grader(bundle), files, main_file, each), each),
            "d": (graded(ExerciseGrader(bundle, bare, Isolation.UNSAFE), files, main_file, each), each),
        }
        spent = dict.fromkeys("abcd", 0.0)
        with fresh_pytest(exercise) as fresh:
            ways["b"] = (fresh, 1)
            for _ in track(range(ROUNDS), "a, c, d, b in turns", transient=True):
                for name, (work, times) in ways.items():
                    spent[name] += cpu_of(work) / times / ROUNDS
    finally:
        worker.close()
    a, b, c, d = spent.values()
    tests = len(confined.cases)
    table = Table(f"CPU per submission ({tests} tests), {ROUNDS} x {each} submissions", "ms")
    table.add("(a) this autograder, warm, isolated", f"{a * 1000:.1f}")
    table.add("(b) a fresh python -m pytest", f"{b * 1000:.1f}")
    table.add("(c) the same functions, warm, in this process, guarded", f"{c * 1000:.1f}")
    table.add("(d) the same functions, warm, in this process, bare", f"{d * 1000:.1f}")
    table.add("(b) / (a)", f"{b / a:.0f} x")
    table.add("(a) - (c)", f"{(a - c) * 1000:.1f}")
    table.add("(a) - (d): isolation", f"{(a - d) * 1000:.1f}")
    return [table]


if __name__ == "__main__":
    main(__doc__, tables)
