"""`autograder gradebook export` and `roster`: the gradebook for other systems, and what those call our students."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from autograder.cli.common import (
    DEFAULT_GRADEBOOK,
    WRITTEN,
    CourseOption,
    GradebookOption,
    LangOption,
    Speaker,
    console,
    open_course,
)
from autograder.errors import UserError
from autograder.text import Text

if TYPE_CHECKING:
    from autograder.course import Course
    from autograder.gradebook import Gradebook
    from autograder.gradebook.scores import Scores
    from autograder.platforms.columns import Column
    from autograder.platforms.lms.csv_template import Sheet

RESULTS = Text(
    "{rows} results written to {path}. It names hidden tests and diagnoses: it is not for students.",
    "已将 {rows} 份结果写入 {path}。其中有隐藏测试的名称和诊断，不要交给学生。",
)
WITHOUT_ROW = Text(
    "Not in the template, so their points are not in {path}: {names}. If others call them something else, give a "
    "roster: autograder gradebook roster",
    "模板里没有以下学生，{path} 中没有他们的分数：{names}。如果他们在别处用的是另外的编号，请导入名单：autograder gradebook roster",
)
WITHOUT_POINTS = Text(
    "In the template, and unknown to the gradebook; their cells are left as they were: {names}",
    "模板里有而成绩册里没有的学生，其单元格保持原样：{names}",
)
ADDED = Text("Not in the template, added as new columns: {names}", "模板里没有、新增的列：{names}")
OTHER_POINTS = Text(
    "Out of other points in the template than here (template / here): {names}",
    "满分与模板不同（模板 / 本课程）：{names}",
)
ENROLLED = Text(
    "{n} students on the roster, {new} of them new or changed. Gradebook: {name}",
    "名单上有 {n} 名学生，其中新增或有变动 {new} 名。成绩册：{name}",
)
STRANGERS = Text("In the gradebook and not on the roster: {names}", "成绩册里有而名单上没有的学生：{names}")


class Format(StrEnum):
    CSV = "csv"
    CANVAS = "canvas"
    MOODLE = "moodle"
    JUNIT = "junit"
    CTRF = "ctrf"


def export(
    path: Annotated[Path, typer.Argument(help="The file to write.")],
    gradebook: GradebookOption = DEFAULT_GRADEBOOK,
    format: Annotated[
        Format,
        typer.Option("--format", help="csv; canvas or moodle to import there; junit (XML) or ctrf (JSON)."),
    ] = Format.CSV,
    per: Annotated[
        str, typer.Option(help="With csv: one row for each student, exercise or test.")
    ] = "student",
    template: Annotated[
        Path | None,
        typer.Option(
            help="The CSV that Canvas or Moodle exported: keeps its columns and ids, fills in the points."
        ),
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option(
            help="With canvas and moodle: a column for each assignment, unit or exercise named here (by default for "
            "each assignment, or each exercise where there are none)."
        ),
    ] = None,
    ignore_lateness: Annotated[
        bool,
        typer.Option(
            "--ignore-lateness",
            help="Points as if all were in time: for a platform that takes its own penalties.",
        ),
    ] = False,
    force: Annotated[
        bool, typer.Option(help="Replace a file that is no earlier export of the same kind.")
    ] = False,
    course: CourseOption = None,
    lang: LangOption = None,
) -> None:
    """Write the gradebook for a spreadsheet, a learning platform or a machine."""
    from autograder.course.outputs import write_output
    from autograder.gradebook import Gradebook
    from autograder.gradebook.ci_formats import ctrf, is_ctrf, is_junit, junit
    from autograder.gradebook.scores import counted_results, current_scores
    from autograder.gradebook.tables import is_table, table
    from autograder.grading.scheme import scheme_of

    say = Speaker(lang)
    platform = format in (Format.CANVAS, Format.MOODLE)
    if (template or only) and not platform:
        raise UserError(
            f"--template and --only go with --format canvas or moodle, not with {format.value}",
            f"--template 和 --only 须与 --format canvas 或 moodle 同用，不能与 {format.value} 同用",
        )
    with Gradebook(gradebook) as book:
        root = open_course(course).graded
        scheme = scheme_of(book, root)
        scheme = scheme.without_lateness() if ignore_lateness else scheme
        scores = current_scores(book, scheme, exercises=list(scheme.versions))
        if platform:
            _export_sheet(path, format, template, only or [], root, scores, book, say, force=force)
            return
        if format is Format.CSV:
            frame = table(book, scheme, per, scores)
            content, rows, said = frame.to_csv(index=False).encode(), len(frame), WRITTEN
        else:
            results = counted_results(book, scheme, scores)
            content = (junit if format is Format.JUNIT else ctrf)(results, say.lang)
            rows, said = len(results), RESULTS
    recognise = {Format.JUNIT: is_junit, Format.CTRF: is_ctrf}.get(format, lambda head: is_table(head, per))
    write_output(path, content, recognise, force=force)
    console(stderr=True).print(say(said, rows=rows, path=path))
    _tell_stale(scores, say)


def _export_sheet(
    path: Path,
    format: Format,
    template: Path | None,
    only: Sequence[str],
    course: Course,
    scores: Scores,
    book: Gradebook,
    say: Speaker,
    *,
    force: bool,
) -> None:
    from autograder.course.outputs import write_output
    from autograder.gradebook.roster import Person, read_csv
    from autograder.platforms.columns import columns
    from autograder.platforms.lms.canvas import CANVAS, possible
    from autograder.platforms.lms.csv_template import fill_csv, new_csv, same_head
    from autograder.platforms.lms.moodle import MOODLE

    items = columns(course, only)
    people = {name: Person(student=name) for name in book.students()} | book.roster()

    def points(student: str, item: Column) -> float | None:
        return item.score(student, scores)

    dialect = CANVAS if format is Format.CANVAS else MOODLE
    if template is None:
        sheet, separator = new_csv(dialect, [people[name] for name in sorted(people)], items, points), ","
        if format is Format.CANVAS:
            sheet.rows.insert(1, possible(items))
    else:
        rows, separator = read_csv(template)
        sheet = fill_csv(dialect, rows, people, items, points)
    content = sheet.text(separator).encode()
    # A template is what the platform gave, not what we wrote, whatever its columns are.
    given = template is not None and path.exists() and path.samefile(template)
    write_output(path, content, lambda head: not given and same_head(head, content), force=force)
    _tell(sheet, path, say)
    named = {name for item in items for name in item.points}
    _tell_stale({place: score for place, score in scores.items() if place[1] in named}, say)


def _tell_stale(scores: Scores, say: Speaker) -> None:
    """Say which points in the file are of another version of their exercise: a platform's sheet has no place for that."""
    from autograder.cli.grade_table import stale_line

    line = stale_line(scores, say)
    if line:
        console(stderr=True).print(line, style="yellow", markup=False)


def _tell(sheet: Sheet, path: Path, say: Speaker) -> None:
    remarks = console(stderr=True)
    remarks.print(say(WRITTEN, rows=len(sheet.rows) - 1, path=path))
    for text, names in (
        (WITHOUT_ROW, sheet.without_row),
        (WITHOUT_POINTS, sheet.without_points),
        (ADDED, sheet.added),
        (OTHER_POINTS, sheet.other_points),
    ):
        if names:
            remarks.print(say(text, names=", ".join(names), path=path), style="yellow", markup=False)


def roster(
    path: Annotated[Path, typer.Argument(help="A CSV file with a row for each student, of any platform.")],
    key: Annotated[
        str, typer.Option(help="The head of the column with the names that submissions and gradebook use.")
    ] = "student",
    gradebook: GradebookOption = DEFAULT_GRADEBOOK,
    lang: LangOption = None,
) -> None:
    """Take over a roster: what Canvas, Moodle and GitHub call our students."""
    from autograder.gradebook import Gradebook
    from autograder.gradebook.roster import read_roster

    say, remarks = Speaker(lang), console(stderr=True)
    people = read_roster(path, key)
    with Gradebook(gradebook) as book:
        new = book.import_roster(people)
        known = book.roster()
        strangers = [name for name in book.students() if name not in known]
        remarks.print(say(ENROLLED, n=len(known), new=new, name=book.name))
    if strangers:
        remarks.print(say(STRANGERS, names=", ".join(strangers)), style="yellow", markup=False)
