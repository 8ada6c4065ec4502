"""`autograder gradebook extend` and `extensions`: more time for a student or a section."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from autograder.cli.adjust import WhoOption
from autograder.cli.common import (
    DEFAULT_GRADEBOOK,
    CourseOption,
    GradebookOption,
    JsonOption,
    LangOption,
    Speaker,
    console,
    open_course,
    print_json,
)
from autograder.errors import UserError
from autograder.text import Text

if TYPE_CHECKING:
    from autograder.course import Course
    from autograder.gradebook.extensions import Extension

ARGUMENTS = Text(
    "say who gets more time on what: STUDENT ASSIGNMENT, or --section NAME ASSIGNMENT, each with --reason and with --until or "
    "--days; or --from FILE.csv, with none of these",
    "请说明谁的哪个作业延期：STUDENT ASSIGNMENT，或 --section NAME ASSIGNMENT，并写 --reason 以及 --until 或 --days；"
    "或者只写 --from FILE.csv",
)
EXTENDED = Text("{whose}, {assignment}: due {was} -> {now}", "{whose}，{assignment}：截止时间 {was} -> {now}")
NOT_LATER = Text(
    "{whose}, {assignment}: recorded, and changes nothing: it is due {was} anyway",
    "{whose}，{assignment}：已记录，但没有变化：截止时间本来就是 {was}",
)
NONE = Text("Nobody was given more time.", "没有任何延期。")


def extend(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="STUDENT ASSIGNMENT", help="Who, and on what; with --section ASSIGNMENT alone."
        ),
    ] = None,
    section: Annotated[str | None, typer.Option(help="Everybody in this section of the roster.")] = None,
    until: Annotated[
        str | None,
        typer.Option(
            help="The new due date, as 2026-10-03T23:59; without an offset, in the course's time zone."
        ),
    ] = None,
    days: Annotated[float | None, typer.Option(help="Or so many days after the due date.")] = None,
    reason: Annotated[str, typer.Option(help="Why; kept with the extension, and told to the student.")] = "",
    source: Annotated[
        Path | None,
        typer.Option("--from", help="A CSV file: student or section, assignment, days or until, reason."),
    ] = None,
    who: WhoOption = None,
    new_student: Annotated[
        bool, typer.Option("--new-student", help="Also for somebody whom the gradebook doesn't know yet.")
    ] = False,
    gradebook: GradebookOption = DEFAULT_GRADEBOOK,
    course: CourseOption = None,
    lang: LangOption = None,
) -> None:
    """Give a student or a section more time. Of several extensions, the latest due date holds."""
    from autograder.gradebook import Gradebook
    from autograder.gradebook.csv_lists import extension_of, read_extensions

    say, root, names = Speaker(lang), open_course(course).graded, names or []
    if source is not None:
        if names or section or until or days is not None or reason:
            raise UserError.of(ARGUMENTS)
        given = read_extensions(source, root)
    else:
        if len(names) != (2 if section is None else 1):
            raise UserError.of(ARGUMENTS)
        student = "" if section is not None else names[0]
        given = [
            extension_of(
                root, names[-1], reason, student=student, section=section or "", until=until, days=days
            )
        ]
    with Gradebook(gradebook) as book:
        book.extend(given, who=who or getpass.getuser(), new_students=new_student)
    for one in given:
        console().print(_told(one, root, say), markup=False)


def _told(one: Extension, course: Course, say: Speaker) -> str:
    """What an extension changes."""
    from autograder.gradebook.submission_times import shown

    due = next(a.due for a in course.assignments if a.id == one.assignment)
    assert due is not None  # of another there is no extension
    was, now = (shown(moment, course.policy.timezone) for moment in (due, one.due(due)))
    said = EXTENDED if one.due(due) > due else NOT_LATER
    return say(said, whose=one.whose, assignment=one.assignment, was=was, now=now)


def extensions(
    student: Annotated[str | None, typer.Option(help="One student's only, and their section's.")] = None,
    gradebook: GradebookOption = DEFAULT_GRADEBOOK,
    json: JsonOption = False,
    lang: LangOption = None,
) -> None:
    """List who was given more time, with the numbers that `undo --extension` takes."""
    from autograder.cli.tables import extensions_table
    from autograder.gradebook import Gradebook

    say = Speaker(lang)
    with Gradebook(gradebook) as book:
        if student is not None:
            book.check_student(student)
        found = book.extensions(student)
    if json:
        print_json({"extensions": found})
    else:
        console().print(extensions_table(found, say) if found else say(NONE))
