"""A run that is killed again and again: does its gradebook end as that of an undisturbed run, each result once?

    python benchmarks/killed.py [--submissions N] [--kills K] [--workers W] [--gradebooks CALM KILLED]

A made-up class answers a small exercise, each submission with content of its own (see classes.py). One run is left alone.
The other loses a process to SIGKILL K times, at equal shares of its recorded results: the driver, which is started again,
then a worker, then the zygote that submissions are forked from, and so on in turn. The gradebooks are SQLite files, or what
two names or database URLs say; these must be new.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import sqlalchemy as sa
from classes import write_class
from msgspec.structs import replace
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from autograder.authoring.build import build
from autograder.course import Course, Exercise
from autograder.gradebook import Gradebook
from autograder.gradebook.database import open_engine
from autograder.gradebook.schema import attempts_table, faults_table, results_table
from autograder.results import ExerciseResult

TOY = Path(__file__).resolve().parent.parent / "tests/data/toy"
EXERCISE = "extras/vowels"
TARGETS = ("driver", "worker", "zygote")
POLL_SECONDS = 0.02


def start(exercise: Exercise, folder: Path, gradebook: str, workers: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "autograder", "grade", str(folder), "--gradebook", gradebook]
    command += ["--only", exercise.id, "--course", str(exercise.root), "--workers", str(workers)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


class Watched:
    """A gradebook that is looked into while others write to it."""

    def __init__(self, place: str) -> None:
        with Gradebook(place):
            pass  # its tables are there
        self.place = place
        self._engine = open_engine(place)

    def count(self, table: sa.Table = attempts_table) -> int:
        with self._engine.connect() as connection:
            return int(connection.scalar(sa.select(sa.func.count()).select_from(table)) or 0)

    def content(self) -> dict[tuple[str, str], list[ExerciseResult]]:
        """Everything that was recorded, but for its time and for what places a run chose."""
        with Gradebook(self.place) as book:
            return {
                place: [replace(found, output="") for found in book.in_full(attempts)]
                for place, attempts in sorted(book.attempts().items())
            }

    def close(self) -> None:
        self._engine.dispose()


def children(pid: int) -> dict[int, bool]:
    """The processes that another one has started; whether each is a zygote."""
    found = {}
    with suppress(OSError):  # ended meanwhile
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            found[int(child)] = b"zygote" in Path(f"/proc/{child}/cmdline").read_bytes()
    return found


def victim(driver: int, target: str) -> int | None:
    """The process to kill, if it is there."""
    if target == "driver":
        return driver
    return next((pid for pid, zygote in children(driver).items() if zygote is (target == "zygote")), None)


def run_with_kills(
    begin: Callable[[], subprocess.Popen[bytes]],
    book: Watched,
    submissions: int,
    kills: int,
    show: Callable[[int], None],
) -> tuple[Counter[str], int, int]:
    """What was killed how often, how often the driver was started, and its last exit status."""
    killed: Counter[str] = Counter()
    grader, starts = begin(), 1
    while True:
        ended = grader.poll() is not None
        done = book.count()
        show(done)
        number = killed.total()
        if number < kills and done >= (number + 0.5) * submissions / kills and not ended:
            target = TARGETS[number % len(TARGETS)]
            pid = victim(grader.pid, target)
            if pid is not None:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
                    killed[target] += 1
                if target == "driver":
                    grader.wait()
                    grader, starts = begin(), starts + 1
                    continue
        if ended:
            return killed, starts, grader.returncode
        time.sleep(POLL_SECONDS)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--submissions", type=int, default=2000)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--workers", type=int, default=2, help="at least 2, so that there is one to kill")
    parser.add_argument("--gradebooks", nargs=2, metavar=("CALM", "KILLED"))
    options = parser.parse_args()
    count = options.submissions
    with tempfile.TemporaryDirectory() as folder, Progress(transient=True) as bar:
        root = Path(shutil.copytree(TOY, Path(folder, "course")))
        course = Course.load(root, authoring=True)
        build(course)
        exercise, submissions = course.exercise(EXERCISE), Path(folder, "class")
        write_class(exercise, submissions, count)
        calm, killed = map(Watched, options.gradebooks or (f"{folder}/calm.db", f"{folder}/killed.db"))

        def begin(book: Watched) -> subprocess.Popen[bytes]:
            return start(exercise, submissions, book.place, options.workers)

        seconds = []
        hits: Counter[str] = Counter()
        for name, book, kills in (("undisturbed", calm, 0), ("killed", killed, options.kills)):
            task = bar.add_task(name, total=count)
            begun = time.monotonic()
            hits, starts, status = run_with_kills(
                lambda book=book: begin(book),
                book,
                count,
                kills,
                lambda done, task=task: bar.update(task, completed=done),
            )
            seconds.append(time.monotonic() - begun)
        same = calm.content() == killed.content()
        once = all(
            book.count(table) == count for book in (calm, killed) for table in (attempts_table, results_table)
        )
        faults = calm.count(faults_table) + killed.count(faults_table)
        for book in (calm, killed):
            book.close()

    table = Table(title=f"{count} submissions, {options.workers} workers", title_justify="left")
    table.add_column("what")
    table.add_column("figure", justify="right")
    for target in TARGETS:
        table.add_row(f"SIGKILLs of a {target}", str(hits[target]))
    table.add_row("starts of the driver", str(starts))
    table.add_row("seconds, undisturbed", f"{seconds[0]:.0f}")
    table.add_row("seconds, killed", f"{seconds[1]:.0f}")
    table.add_row("last exit status", str(status))
    table.add_row("same gradebook", "yes" if same else "NO")
    table.add_row("each submission recorded once", "yes" if once else "NO")
    table.add_row("left ungraded at any time", str(faults))
    Console().print(table)
    whole = same and once and status == 0 and hits.total() == options.kills
    sys.exit(0 if whole else 1)


if __name__ == "__main__":
    main()
