"""Grading for an nbgrader course, and keeping the two gradebooks together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from autograder.cli.common import (
    DEFAULT_GRADEBOOK,
    CourseOption,
    GradebookOption,
    LangOption,
    Speaker,
    console,
    open_course,
)
from autograder.results import TestResult
from autograder.text import Text

if TYPE_CHECKING:
    from rich.console import Console

    from autograder.course import Course, Exercise
    from autograder.gradebook import Gradebook
    from autograder.platforms.nbgrader.autograded import CellOutput
    from autograder.platforms.nbgrader.sync import NbgraderSync

NBGRADER = "An nbgrader course's folder, made by `autograder release --to nbgrader`."
NbgraderOption = Annotated[Path | None, typer.Option("--nbgrader", help=NBGRADER)]

SYNCED = Text(
    "nbgrader: {new} rows written, {changed} changed, {notebooks} notebooks in autograded/; "
    "{adjustments} adjustments taken from it.",
    "nbgrader：新写入 {new} 行，更新 {changed} 行，autograded/ 中更新 notebook {notebooks} 份；从中取回调整 {adjustments} 条。",
)
WAITING = Text(
    "{n} submissions are not graded yet: autograder grade --nbgrader {root}",
    "有 {n} 份提交尚未评分：autograder grade --nbgrader {root}",
)
FOREIGN = Text(
    "Assignments of nbgrader's that are not this course's are left alone: {names}. Grade them with nbgrader.",
    "nbgrader 中不属于本课程的作业未作处理：{names}。请用 nbgrader 评分。",
)


@contextmanager
def opened(
    folder: Path, course: Course, exercises: Sequence[Exercise], book: Gradebook
) -> Iterator[NbgraderSync]:
    """An nbgrader course with its database, for those of its notebooks that are among `exercises`."""
    from autograder.platforms.nbgrader.course_dir import NbgraderCourse
    from autograder.platforms.nbgrader.database import NbgraderDatabase
    from autograder.platforms.nbgrader.sync import NbgraderSync

    place = NbgraderCourse(folder)
    with NbgraderDatabase(place.database) as database:
        chosen = {exercise.id for exercise in exercises}
        released = [item for item in place.released(course) if item.exercise.id in chosen]
        yield NbgraderSync(course, place, database, book, released)


def write_out(sync: NbgraderSync, remarks: Console, say: Speaker) -> None:
    """Bring both sides up to date, and say what that was."""
    from autograder.platforms.nbgrader.cell_output import cell_output

    def show(question: str, tests: Sequence[TestResult], message: Text) -> CellOutput:
        return cell_output(question, tests, message, say.lang)

    done = sync.write(show, say.lang)
    remarks.print(
        say(
            SYNCED,
            new=done.rows.new,
            changed=done.rows.changed,
            notebooks=done.notebooks,
            adjustments=done.adjustments,
        )
    )
    if done.waiting:
        remarks.print(say(WAITING, n=done.waiting, root=sync.place.root), style="yellow", markup=False)
    if done.foreign:
        remarks.print(say(FOREIGN, names=", ".join(done.foreign)), style="yellow", markup=False)


def sync(
    nbgrader: Annotated[Path, typer.Option("--nbgrader", help=NBGRADER)],
    gradebook: GradebookOption = DEFAULT_GRADEBOOK,
    course: CourseOption = None,
    lang: LangOption = None,
) -> None:
    """Take manual scores, extra credit and comments from nbgrader; write what is newly graded to it."""
    from autograder.gradebook import Gradebook

    say = Speaker(lang)
    root = open_course(course, authoring=True).graded
    with Gradebook(gradebook) as book, opened(nbgrader, root, list(root), book) as opened_sync:
        write_out(opened_sync, console(stderr=True), say)
