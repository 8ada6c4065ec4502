"""What two workers are worth: the same class graded by one and by two, in turns, in one run.

    python benchmarks/workers.py [EXERCISE] [--submissions N] [--workers W] [--rounds R]

Each submission has content of its own (see thousand.py). Seconds are those of the whole command, from its start to its
end, and those between its first result and its last; CPU seconds are those of all its processes. Told are medians, with
the ratio to one worker: the goals are at least 1.8 for two workers on two idle processors, at no more than 1.1 times the
CPU.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import track
from rich.table import Table
from thousand import scores, start, write_class

from autograder.course import Course, Exercise, find_course
from autograder.gradebook import Gradebook


@dataclass(frozen=True)
class Cost:
    """What one run took, in seconds."""

    whole: float
    grading: float
    cpu: float


def run(exercise: Exercise, folder: Path, gradebook: Path, workers: int) -> Cost:
    """Grade a class into a new gradebook."""
    before, began = cpu_of_children(), time.monotonic()
    if start(exercise, folder, gradebook, workers).wait():
        raise SystemExit("workers: grading failed; run the command by hand")
    whole = time.monotonic() - began
    with Gradebook(str(gradebook)) as book:
        times = sorted(attempt.recorded_at for history in book.attempts().values() for attempt in history)
    return Cost(whole, (times[-1] - times[0]).total_seconds(), cpu_of_children() - before)


def cpu_of_children() -> float:
    """CPU seconds of all processes that this one started and that have ended, and of those below them."""
    usage = os.times()
    return usage.children_user + usage.children_system


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("exercise", nargs="?", default="attention/scaled_dot_product")
    parser.add_argument("--submissions", type=int, default=400)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    exercise = Course.load(find_course(), authoring=True).exercise(options.exercise)
    costs: dict[int, list[Cost]] = {1: [], options.workers: []}
    books = []
    with tempfile.TemporaryDirectory() as place:
        submissions = Path(place, "class")
        write_class(exercise, submissions, options.submissions)
        for number in track(range(options.rounds), "in turns", transient=True):
            for workers, found in costs.items():
                books.append(Path(place, f"{number}-{workers}.db"))
                found.append(run(exercise, submissions, books[-1], workers))
        same = all(scores(book) == scores(books[0]) for book in books)
    table = Table(
        title=f"{options.submissions} submissions of {exercise.id}, {options.rounds} rounds",
        title_justify="left",
    )
    table.add_column("seconds")
    for head in ("one worker", f"{options.workers} workers", "ratio"):
        table.add_column(head, justify="right")
    for what, name in (
        ("the whole command", "whole"),
        ("first result to last", "grading"),
        ("CPU", "cpu"),
    ):
        one, more = (statistics.median(getattr(cost, name) for cost in costs[n]) for n in costs)
        ratio = more / one if name == "cpu" else one / more
        table.add_row(what, f"{one:.1f}", f"{more:.1f}", f"{ratio:.2f}")
    table.add_row("same gradebook", "", "yes" if same else "NO", "")
    Console().print(table)
    sys.exit(0 if same else 1)


if __name__ == "__main__":
    main()
