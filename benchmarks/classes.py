"""Courses and classes made for a measurement: toy exercises, and submissions that each have content of their own."""

from __future__ import annotations

import shutil
import sqlite3
import sys
from collections.abc import Sequence
from contextlib import closing
from datetime import datetime
from pathlib import Path

from autograder.authoring.build import build, generate
from autograder.course import Course, Exercise
from autograder.gradebook import Gradebook

ROOT = Path(__file__).resolve().parent.parent
TOY = ROOT / "tests/data/toy"
WIDTHS = '"width", [3, 7]'  # the parameters of one hidden test; with them the toy has six tests
TEN_TESTS = '"width", [3, 4, 5, 6, 7, 8]'


def write_course(root: Path, exercises: int, units: int = 1, widths: str = WIDTHS) -> Course:
    """A course of copies of the toy exercise (tests/data/toy, basics/affine), spread evenly over units."""
    topics = [(f"unit{n % units + 1:02}", f"topic{n + 1:03}") for n in range(exercises)]
    names = sorted({unit for unit, _ in topics})
    copies = {
        "solutions/basics/affine.py": "solutions/{unit}/{topic}.py",
        "solutions/basics/affine.toml": "solutions/{unit}/{topic}.toml",
        "solutions/basics/test_affine.py": "solutions/{unit}/test_{topic}.py",
        "exercises/basics/test_affine.py": "exercises/{unit}/test_{topic}.py",
        "course/basics/affine.md": "course/{unit}/{topic}.md",
        "course/basics/affine.zh.md": "course/{unit}/{topic}.zh.md",
    }
    for unit, topic in topics:
        for source, copy in copies.items():
            path = root / copy.format(unit=unit, topic=topic)
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(TOY / source, path)
        edit(root / f"solutions/{unit}/test_{topic}.py", WIDTHS, widths)
    title = 'title.en = "Copies"\ntitle.zh = "副本"\n'
    (root / "course/course.toml").write_text(f"{title}units = {names!r}\n", encoding="utf-8")
    for name in names:
        own = [topic for unit, topic in topics if unit == name]
        (root / "course" / name / "unit.toml").write_text(f"{title}exercises = {own!r}\n", encoding="utf-8")
    course = Course.load(root, authoring=True)
    build(course)
    return course


def edit(path: Path, old: str, new: str) -> None:
    """Replace the one place where `old` stands in a file."""
    text = path.read_text(encoding="utf-8")
    if text.count(old) != 1:
        raise SystemExit(f"{old!r} stands {text.count(old)} times in {path}; mend this benchmark")
    path.write_text(text.replace(old, new), encoding="utf-8")


def write_class(exercise: Exercise, folder: Path, count: int) -> None:
    """Folders s0001, s0002, ... with one submission each: the reference, a misconception and the skeleton by turns."""
    reference = exercise.solution.read_text(encoding="utf-8")
    mistakes = [m.apply(reference) for m in exercise.spec.misconception]
    skeleton = generate(exercise)[exercise.skeleton]
    for number in range(count):
        source = (reference, mistakes[number % len(mistakes)], skeleton)[number % 3]
        path = folder / f"s{number + 1:04}" / exercise.unit / f"{exercise.topic}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{source}\n# handed in by s{number + 1:04}\n", encoding="utf-8")


def grading(folder: Path, gradebook: Path, course: Path, *more: str) -> list[str]:
    """The command that grades a class."""
    return _command("grade", str(folder), gradebook=gradebook, course=course, more=more)


def regrading(folder: Path, gradebook: Path, course: Path, *more: str) -> list[str]:
    """The command that grades a class again after the course changed."""
    return _command("regrade", str(folder), gradebook=gradebook, course=course, more=more)


def undoing(number: str, gradebook: Path, course: Path) -> list[str]:
    """The command that takes a regrade back."""
    return _command("gradebook", "undo", number, gradebook=gradebook, course=course)


def _command(*words: str, gradebook: Path, course: Path, more: Sequence[str] = ()) -> list[str]:
    where = ["--gradebook", str(gradebook), "--course", str(course)]
    return [sys.executable, "-m", "autograder", *words, *where, *more]


def attempts(gradebook: Path) -> int:
    """How many are recorded by now, while somebody writes there."""
    return _rows(gradebook, "attempts")


def results(gradebook: Path) -> int:
    """How many different ones are kept by now."""
    return _rows(gradebook, "results")


def _rows(gradebook: Path, table: str) -> int:
    try:
        with closing(sqlite3.connect(f"{gradebook.as_uri()}?mode=ro", uri=True)) as connection:
            return int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])
    except sqlite3.OperationalError:  # not there yet
        return 0


def recorded(gradebook: Path) -> list[datetime]:
    """When each attempt was recorded, the first first."""
    with Gradebook(str(gradebook)) as book:
        return sorted(attempt.recorded_at for history in book.attempts().values() for attempt in history)


def scores(gradebook: Path) -> dict[tuple[str, str], list[tuple[object, ...]]]:
    """Everything that matters in a gradebook: per student and exercise, the attempts and their tests."""
    with Gradebook(str(gradebook)) as book:
        return {
            place: [
                (found.status.value, found.score, found.max_score, found.tests)
                for found in book.in_full(attempts)
            ]
            for place, attempts in book.attempts().items()
        }
