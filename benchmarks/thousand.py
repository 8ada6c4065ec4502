"""A thousand submissions in one command: is memory flat, and does a killed run end where an undisturbed one does?

    python benchmarks/thousand.py [EXERCISE] [--submissions N] [--workers W]

Every submission has content of its own, so none is known from another: a third is the reference, a third has one
of the exercise's misconceptions, a third is the untouched skeleton. One run is undisturbed and its memory is sampled, and
the same command is run again, with nothing new to grade; the other gets SIGKILL once half its results are recorded, and
is started again.
"""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from autograder.authoring.build import generate
from autograder.course import Course, Exercise, find_course
from autograder.gradebook import Gradebook

MEBIBYTE = 1 << 20


def write_class(exercise: Exercise, folder: Path, count: int) -> None:
    """Folders s0001, s0002, ... with one submission each."""
    reference = exercise.solution.read_text(encoding="utf-8")
    mistakes = [m.apply(reference) for m in exercise.spec.misconception]
    skeleton = generate(exercise)[exercise.skeleton]
    for number in range(count):
        source = (reference, mistakes[number % len(mistakes)], skeleton)[number % 3]
        path = folder / f"s{number + 1:04}" / f"{exercise.topic}.py"
        path.parent.mkdir(parents=True)
        path.write_text(f"{source}\n# handed in by s{number + 1:04}\n", encoding="utf-8")


def start(exercise: Exercise, folder: Path, gradebook: Path, workers: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "autograder", "grade", str(folder), "--gradebook", str(gradebook)]
    command += ["--only", exercise.id, "--course", str(exercise.root), "--workers", str(workers)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def resident(pid: int) -> int:
    """Bytes resident in a process, without what its children hold."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) << 10
    return 0


def recorded(gradebook: Path) -> int:
    if not gradebook.exists():
        return 0
    with Gradebook(str(gradebook)) as book:
        return len(book.attempts())


def scores(gradebook: Path) -> dict[tuple[str, str], list[tuple[str, float | None, tuple[object, ...]]]]:
    """Everything that matters in a gradebook: per student and exercise, the attempts and their tests."""
    with Gradebook(str(gradebook)) as book:
        return {
            place: [(found.status.value, found.score, found.tests) for found in book.in_full(attempts)]
            for place, attempts in book.attempts().items()
        }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("exercise", nargs="?", default="attention/scaled_dot_product")
    parser.add_argument("--submissions", type=int, default=1000)
    parser.add_argument("--workers", type=int, default=1)
    options = parser.parse_args()
    count = options.submissions
    exercise = Course.load(find_course(), authoring=True).exercise(options.exercise)
    memory: dict[int, int] = {}
    with tempfile.TemporaryDirectory() as folder, Progress(transient=True) as bar:
        submissions, calm, killed = Path(folder, "class"), Path(folder, "calm.db"), Path(folder, "killed.db")
        write_class(exercise, submissions, count)

        task = bar.add_task("undisturbed", total=count)
        begun = time.monotonic()
        grader = start(exercise, submissions, calm, options.workers)
        first = 0.0
        while grader.poll() is None:
            time.sleep(1 if first else 0.1)
            done = recorded(calm)
            bar.update(task, completed=done)
            if done and not first:
                first = time.monotonic() - begun
            if done and grader.poll() is None:
                memory[done] = resident(grader.pid)
        seconds = time.monotonic() - begun
        bar.update(task, completed=count)
        begun = time.monotonic()
        start(exercise, submissions, calm, options.workers).wait()
        known = time.monotonic() - begun

        task = bar.add_task("killed half-way", total=count)
        grader = start(exercise, submissions, killed, options.workers)
        while grader.poll() is None and (at_kill := recorded(killed)) < count // 2:
            bar.update(task, completed=at_kill)
            time.sleep(0.2)
        grader.send_signal(signal.SIGKILL)
        grader.wait()
        at_kill = recorded(killed)
        again = start(exercise, submissions, killed, options.workers).wait()
        same = scores(calm) == scores(killed) and len(scores(calm)) == count

    table = Table(
        title=f"{count} submissions of {exercise.id}, {options.workers} worker(s)", title_justify="left"
    )
    table.add_column("what")
    table.add_column("figure", justify="right")
    table.add_row("seconds, undisturbed", f"{seconds:.0f}")
    table.add_row("of them to the first result", f"{first:.1f}")
    table.add_row("seconds, all known", f"{known:.1f}")
    table.add_row("undisturbed / all known", f"{seconds / known:.0f}")
    for share in (0.1, 0.5, 1.0):
        nearest = min(memory, key=lambda done: abs(done - share * count))
        table.add_row(f"MiB resident after {nearest}", f"{memory[nearest] / MEBIBYTE:.0f}")
    table.add_row("recorded when killed", str(at_kill))
    table.add_row("exit status when started again", str(again))
    table.add_row("same gradebook", "yes" if same else "NO")
    Console().print(table)
    sys.exit(0 if same and again == 0 else 1)


if __name__ == "__main__":
    main()
