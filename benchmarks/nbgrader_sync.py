"""What keeping nbgrader's gradebook and ours together costs, beside nbgrader's own API.

    python benchmarks/nbgrader_sync.py [--students N]

A course of six notebooks with five questions each is released, taken in by nbgrader, handed in by every student (all the
same, so that grading it costs next to nothing) and graded. Timed is then, in one process: `NbgraderSync.write` into a
database that holds no submission yet; again with nothing to do; again after every tenth question was given a score by
hand; and, on a smaller class, nbgrader's own API writing the same rows cell by cell. What is done once for each
submission, reading it and writing its autograded notebook, is timed apart. So is importing nbgrader.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from autograder.authoring.build import build
from autograder.course import Course
from autograder.gradebook import Gradebook
from autograder.grading.scheduler import Grader
from autograder.grading.worker import Mode
from autograder.platforms.nbgrader.autograded import CellOutput
from autograder.platforms.nbgrader.cell_output import cell_output
from autograder.platforms.nbgrader.course_dir import NbgraderCourse, batches
from autograder.platforms.nbgrader.database import NbgraderDatabase
from autograder.platforms.nbgrader.sync import NbgraderSync
from autograder.platforms.publish import release
from autograder.platforms.selection import select
from autograder.results import TestResult
from autograder.text import Text

NOTEBOOKS, CELLS = 6, 5
BY_API = 10  # students that nbgrader's own API writes
LIMIT = 5.0  # seconds for 200 students
TOPICS = [f"topic{number}" for number in range(NOTEBOOKS)]
QUESTIONS = [f"question{number}" for number in range(CELLS)]
SPEC = """\
title = {{ en = "{topic}", zh = "{topic}" }}
minutes = 5
difficulty = 1
oracle = "none"
"""
COURSE = """\
title = { en = "Benchmark", zh = "基准" }
units = ["unit"]
"""
UNIT = f"""\
title = {{ en = "Unit", zh = "单元" }}
exercises = {TOPICS}
"""


def write_course(root: Path) -> Course:
    solution = "# %% [markdown]\n# Questions.\n"
    for question in QUESTIONS:
        body = f"# BEGIN SOLUTION\n    return x + {len(question)}\n    # END SOLUTION"
        solution += f"\n# %%\ndef {question}(x):\n    {body}\n"
    tests = "".join(
        f'def test_{question}(student):\n    """It adds."""\n    assert student.{question}(1) == {len(question) + 1}\n'
        for question in QUESTIONS
    )
    for topic in TOPICS:
        for path, text in (
            (f"solutions/unit/{topic}.py", solution),
            (f"solutions/unit/{topic}.toml", SPEC.format(topic=topic)),
            (f"solutions/unit/test_{topic}.py", tests),
            (f"exercises/unit/test_{topic}.py", tests.replace("test_", "test_public_")),
            ("course/course.toml", COURSE),
            ("course/unit/unit.toml", UNIT),
        ):
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(text, encoding="utf-8")
    build(Course.load(root, authoring=True))
    return Course.load(root)


def hand_in(course: Course, out: Path, students: int) -> None:
    """Release, generate with nbgrader, and put the released notebooks into everybody's folder."""
    release(select(course, "unit", "en"), "nbgrader", out)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"  # nbgrader runs alembic by name
    command = [sys.executable, "-m", "nbgrader", "generate_assignment", "unit"]
    subprocess.run(command, cwd=out, env={**os.environ, "PATH": path}, check=True, capture_output=True)
    for number in range(students):
        folder = out / "submitted" / f"s{number:03d}" / "unit"
        folder.mkdir(parents=True)
        for topic in TOPICS:
            shutil.copy(out / "release/unit" / f"{topic}.ipynb", folder)
        (folder / "timestamp.txt").write_text("2026-11-20 12:00:00.000000 UTC", encoding="utf-8")


@contextmanager
def timed(what: str, found: dict[str, float]) -> Iterator[None]:
    begun = time.perf_counter()
    yield
    found[what] = time.perf_counter() - begun
    print(f"{what:<60}{found[what]:8.2f} s")


def show(question: str, tests: Sequence[TestResult], message: Text) -> CellOutput:
    return cell_output(question, tests, message, "en")


def forget(database: Path) -> None:
    """A database as `generate_assignment` left it."""
    import sqlite3

    with sqlite3.connect(database) as connection:
        for table in ("comment", "grade", "submitted_notebook", "submitted_assignment", "student"):
            connection.execute(f"DELETE FROM {table}")
    connection.close()


def decide(database: Path) -> None:
    """Somebody gives every tenth question another score."""
    import sqlite3

    with sqlite3.connect(database) as connection:
        connection.execute("UPDATE grade SET manual_score = 1, needs_manual_grade = 0 WHERE rowid % 10 = 0")
    connection.close()


def by_api(url: str) -> None:
    """The rows of a few students through nbgrader's own API, cell by cell."""
    from nbgrader.api import Gradebook as Theirs

    with Theirs(url, "benchmark") as book:
        for number in range(BY_API):
            student = f"s{number:03d}"
            book.update_or_create_student(student)
            book.update_or_create_submission("unit", student)
            for topic in TOPICS:
                for question in QUESTIONS:
                    grade = book.find_grade(f"{question}-points", topic, "unit", student)
                    grade.auto_score, grade.needs_manual_grade = 0.0, False
                    book.db.commit()
                    comment = book.find_comment(question, topic, "unit", student)
                    comment.auto_comment = "not implemented"
                    book.db.commit()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--students", type=int, default=200)
    students = parser.parse_args().students
    found: dict[str, float] = {}
    with timed("import nbgrader", found):
        import nbgrader.api  # noqa: F401
    with tempfile.TemporaryDirectory() as folder:
        course, out = write_course(Path(folder) / "course"), Path(folder) / "out"
        hand_in(course, out, students)
        place = NbgraderCourse(out)
        with (
            NbgraderDatabase(place.database) as database,
            Gradebook(str(Path(folder) / "book.db")) as book,
        ):
            sync = NbgraderSync(course, place, database, book, place.released(course))
            for part in batches(course, place, sync.released):
                grader = Grader(part.exercises, Mode(), known=book.known, record=book.record)
                for _ in grader.run(part.students, part.folder):
                    pass
            print(f"{students} students x {NOTEBOOKS} notebooks x {CELLS} cells")
            with timed("once for each submission: its autograded notebook", found):
                sync.write(show, "en")
            forget(out / "gradebook.db")
            for what in (
                "first synchronisation",
                "second, nothing to do",
                "third, every tenth question by hand",
            ):
                if what.startswith("third"):
                    decide(out / "gradebook.db")
                sync = NbgraderSync(course, place, database, book, place.released(course))
                with timed(what, found):
                    done = sync.write(show, "en")
                print(
                    f"    {done.rows.new} rows new, {done.rows.changed} changed, {done.adjustments} adjustments"
                )
        forget(out / "gradebook.db")
        api = f"nbgrader's own API, cell by cell, {BY_API} students"
        with timed(api, found):
            by_api(place.database)
    ratio = found[api] / BY_API * students / found["first synchronisation"]
    print(
        f"the first synchronisation is {ratio:.0f} times as fast as that API would be on {students} students"
    )
    slowest = max(seconds for what, seconds in found.items() if what.startswith(("first", "second", "third")))
    allowed = LIMIT * max(1.0, students / 200)
    print(f"slowest synchronisation: {slowest:.2f} s; allowed: {allowed:.0f} s")
    raise SystemExit(slowest > allowed)


if __name__ == "__main__":
    main()
