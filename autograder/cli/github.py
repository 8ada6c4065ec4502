"""Grading a folder of clones: which commits count, and the `grades.csv` that GitHub Classroom used to give."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from autograder.cli.common import WRITTEN, Speaker
from autograder.errors import UserError
from autograder.text import Text

if TYPE_CHECKING:
    from rich.console import Console

    from autograder.course import Course, Exercise
    from autograder.gradebook import Gradebook
    from autograder.grading.scheduler import Batch
    from autograder.platforms.github.clones import Clone

GithubOption = Annotated[
    Path | None,
    typer.Option("--github", help="A folder of clones, as `gh classroom clone student-repos` makes it."),
]
DeadlineOption = Annotated[
    str | None,
    typer.Option(
        help="With --github: take the last commit before this time, as 2026-10-01T23:59+08:00 "
        "(the assignment's own due date by default, or its hard stop where late work counts)."
    ),
]
GradesOption = Annotated[
    Path | None, typer.Option("--grades-csv", help="With --github: also write GitHub Classroom's grades.csv.")
]
PROBLEM = Text("{name}: {problem}. Nothing of it is graded.", "{name}：{problem}。未对其评分。")
REMARK = Text("{name}: {remark}.", "{name}：{remark}。")


@dataclass(frozen=True)
class Class:
    """What is graded, and where it came from."""

    batch: Batch
    clones: Sequence[Clone]


def parse_deadline(text: str | None) -> datetime | None:
    """An ISO date and time with its zone."""
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise UserError(
            f"--deadline {text!r}: write date, time and time zone, as 2026-10-01T23:59+08:00 or ...T15:59Z",
            f"--deadline {text!r}：请写明日期、时间和时区，例如 2026-10-01T23:59+08:00 或 ...T15:59Z",
        )
    return moment


@contextmanager
def opened_class(
    folder: Path,
    deadline: str | None,
    course: Course,
    exercises: Sequence[Exercise],
    book: Gradebook,
    remarks: Console,
    say: Speaker,
) -> Iterator[Class]:
    """The students' files as they were at the deadline, for as long as this lasts; what is odd is said at once."""
    from autograder.grading.scheduler import Batch
    from autograder.platforms.github.clones import entries, opened_clones

    logins = {person.github.lower(): name for name, person in book.roster().items() if person.github}
    last = parse_deadline(deadline)
    with opened_clones(folder, course, last, logins, book.extensions) as (files, clones):
        for clone in clones:
            if clone.problem:
                said = say(PROBLEM, name=clone.folder.name, problem=clone.problem)
                remarks.print(said, style="yellow", markup=False)
            for remark in clone.remarks:
                remarks.print(
                    say(REMARK, name=clone.folder.name, remark=remark), style="yellow", markup=False
                )
        yield Class(Batch(_meant(clones, course, exercises), entries(clones, files), files), clones)


def _meant(clones: Sequence[Clone], course: Course, exercises: Sequence[Exercise]) -> Sequence[Exercise]:
    """Of the whole course, what the clones are named after: an assignment, a unit, an exercise's topic."""
    named = {clone.assignment.replace("-", "_").lower() for clone in clones}
    if len(exercises) < len(course.exercises) or len(named) != 1:
        return exercises
    name = named.pop()
    assignments = [a.id for a in course.assignments if a.id.replace("-", "_").lower() == name]
    parts = {unit.id for unit in course.units}
    topics = {exercise.topic: exercise.id for exercise in course}
    chosen = assignments or [topics.get(name, name)] * (name in parts or name in topics)
    return course.select(chosen) if chosen else exercises


def check_grades(path: Path, folder: Path) -> None:
    """UserError where `grades.csv` may not be written to `path`: before anything is graded."""
    from autograder.course.outputs import check_output, refuse_among
    from autograder.platforms.github.grades_csv import is_grades_csv

    refuse_among(path, folder)
    check_output(path, is_grades_csv)


def write_grades(
    path: Path, course: Course, done: Class, book: Gradebook, remarks: Console, say: Speaker
) -> None:
    """Write GitHub Classroom's `grades.csv`."""
    from autograder.course.outputs import write_output
    from autograder.platforms.github.grades_csv import grades_csv, is_grades_csv

    text = grades_csv(course, done.clones, done.batch.exercises, book, say.lang)
    write_output(path, text.encode(), is_grades_csv)
    remarks.print(say(WRITTEN, rows=len(done.clones), path=path))
