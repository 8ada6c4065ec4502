"""What a course of 161 exercises costs, beside one of 7: time and memory of the commands that go through all of it.

    python benchmarks/course_size.py [--small N] [--large N] [--units N] [--students N] [--graded N]

Both courses hold copies of one toy exercise (tests/data/toy, basics/affine). The gradebook of `show` and `export` has
a result of every student on every exercise: the first student's are recorded as `grade` records them, and the other
students' are copies of those rows, made in one transaction. `grade` runs on the work of a few students, then again when
all of it is known.

Seconds are those of the CPU, in all processes of a command; MiB are the most that one of them held at a time. No ratio
may be above that of the numbers of exercises, which is told last.
"""

from __future__ import annotations

import argparse
import os
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from classes import ROOT, write_course
from rich.console import Console
from rich.progress import track
from rich.table import Table

from autograder.course import Course
from autograder.gradebook import Gradebook
from autograder.results import ExerciseResult, Isolation, Outcome, Status, TestResult, Visibility

TESTS = 10  # recorded with each result
PLUGIN = ("-p", "autograder.learn.pytest_plugin", "--import-mode=importlib", "-p", "no:cacheprovider")

# A process's peak begins with that of the process that started it, so a small one stands between.
MEASURE = """
import resource, subprocess, sys
code = subprocess.call(sys.argv[1:])
usage = resource.getrusage(resource.RUSAGE_CHILDREN)
print(usage.ru_utime + usage.ru_stime, usage.ru_maxrss, file=sys.stderr)
sys.exit(code)
"""


@dataclass(frozen=True)
class Cost:
    """What one command took."""

    seconds: float
    mebibytes: float


def write_class(course: Course, folder: Path, students: int) -> None:
    """Every student hands in every exercise, with a mistake that is diagnosed, and content of their own."""
    for number in range(1, students + 1):
        for exercise in course:
            path = folder / f"s{number:03}" / exercise.unit / f"{exercise.topic}.py"
            path.parent.mkdir(parents=True, exist_ok=True)
            source = exercise.spec.misconception[0].apply(exercise.solution.read_text(encoding="utf-8"))
            path.write_text(f"{source}\n# s{number:03}\n", encoding="utf-8")


def fill(gradebook: Path, course: Course, students: int) -> None:
    """A result of every student on every exercise."""
    tests = tuple(
        TestResult(
            name=f"test_case[{n}]", visibility=Visibility.HIDDEN, outcome=Outcome.PASSED, score=1.0, max_score=1.0
        )
        for n in range(TESTS)
    )  # fmt: skip
    with Gradebook(str(gradebook)) as book:
        book.add_students([f"s{number:04}" for number in range(1, students + 1)])
        for exercise in course:
            book.record(
                ExerciseResult(
                    student="s0001", exercise=exercise.id, status=Status.GRADED, score=float(TESTS),
                    max_score=float(TESTS), isolation=Isolation.FULL, key=exercise.id, output="printed\n" * 50,
                    path=f"s0001/{exercise.id}.py", tests=tests,
                )
            )  # fmt: skip
    copies = {
        "results": {"id": "id + k * :size", "key": "key || k"},
        "attempts": {"id": "id + k * :size", "student": "printf('s%04d', k + 1)", "result_id": "result_id + k * :size"},
        "tests": {"result_id": "result_id + k * :size"},
    }  # fmt: skip
    with closing(sqlite3.connect(gradebook)) as connection, connection:
        connection.execute("CREATE TEMP TABLE others AS WITH RECURSIVE n(k) AS (SELECT 1 UNION ALL SELECT k + 1 FROM n "
                           "WHERE k + 1 < :students) SELECT k FROM n", {"students": students})  # fmt: skip
        for table, changed in copies.items():
            columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
            values = ", ".join(changed.get(column, column) for column in columns)
            connection.execute(
                f"INSERT INTO {table} ({', '.join(columns)}) SELECT {values} FROM {table}, others",
                {"size": len(course.exercises)},
            )


def run(command: list[str], folder: Path) -> Cost:
    """Run a command to its end."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "COLUMNS": "200"}
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, sys.executable, "-m", *command],
        cwd=folder, env=environment, capture_output=True, text=True,
    )  # fmt: skip
    if done.returncode:
        raise SystemExit(
            f"{' '.join(command)} ended with {done.returncode}:\n{(done.stdout + done.stderr)[-2000:]}"
        )
    seconds, kibibytes = done.stderr.splitlines()[-1].split()
    return Cost(float(seconds), int(kibibytes) / 1024)


def costs(folder: Path, exercises: int, units: int, students: int, graded: int) -> dict[str, Cost]:
    """What -> cost, in a course of so many exercises."""
    course = write_course(folder / "course", exercises, units)
    work, full, graded_book = folder / "class", folder / "full.db", folder / "graded.db"
    write_class(course, work, graded)
    fill(full, course, students)
    at = ["--course", str(course.root)]
    grade = ["autograder", "grade", str(work), "--gradebook", str(graded_book), *at]
    book = ["--gradebook", str(full), *at]
    ways: Mapping[str, list[str]] = {
        "pytest exercises/, collection": ["pytest", "-c", os.devnull, f"--rootdir={course.root}", *PLUGIN, "-q",
                                          "--collect-only", "exercises"],
        "pytest exercises/, nothing begun": ["pytest", "-c", os.devnull, f"--rootdir={course.root}", *PLUGIN, "-q",
                                             "exercises"],
        f"gradebook show, {students} students": ["autograder", "gradebook", "show", *book],
        "gradebook show --student": ["autograder", "gradebook", "show", "--student", "s0001", *book],
        f"gradebook export, {students} students": ["autograder", "gradebook", "export", "grades.csv", *book],
        "release --to plain": ["autograder", "release", str(folder / "plain"), "--to", "plain", *at],
        f"grade, {graded} students": grade,
        f"grade, {graded} students, all known": grade,
    }  # fmt: skip
    return {
        what: run(command, course.root) for what, command in track(ways.items(), f"{exercises} exercises")
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--small", type=int, default=7)
    parser.add_argument("--large", type=int, default=161)
    parser.add_argument(
        "--units", type=int, default=22, help="of the large course; the small one has six at most"
    )
    parser.add_argument("--students", type=int, default=2000, help="in the gradebook")
    parser.add_argument("--graded", type=int, default=3, help="students whose work is graded")
    options = parser.parse_args()
    found = []
    for exercises, units in ((options.small, min(6, options.units)), (options.large, options.units)):
        with tempfile.TemporaryDirectory() as folder:
            found.append(costs(Path(folder), exercises, units, options.students, options.graded))
    small, large = found
    table = Table(title=f"{options.small} and {options.large} exercises", title_justify="left")
    table.add_column("what")
    for unit in ("CPU s", "MiB"):
        for head in (f"{unit} at {options.small}", f"at {options.large}", "ratio"):
            table.add_column(head, justify="right")
    parts: tuple[Callable[[Cost], float], ...] = (lambda cost: cost.seconds, lambda cost: cost.mebibytes)
    for what in small:
        cells = []
        for part in parts:
            before, after = part(small[what]), part(large[what])
            cells += [f"{before:.1f}", f"{after:.1f}", f"{after / before:.1f}"]
        table.add_row(what, *cells)
    table.add_row("exercises", str(options.small), str(options.large), f"{options.large / options.small:.1f}")
    Console().print(table)


if __name__ == "__main__":
    main()
