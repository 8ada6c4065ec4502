"""Lists that instructors write as CSV: when things were handed in, and who gets more time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

from autograder.course import Course, CourseError
from autograder.errors import UserError
from autograder.gradebook.database import GradebookError
from autograder.gradebook.extensions import Extension
from autograder.gradebook.roster import Person, read_csv
from autograder.gradebook.submission_times import zone_of
from autograder.text import Text

TIMES = ("student", "exercise", "time")
EXTENSIONS = ("student", "section", "assignment", "days", "until", "reason")
NEEDED = {TIMES: ("student", "time"), EXTENSIONS: ("assignment", "reason")}
NO_COLUMN = Text(
    "{path} has no column {name!r}; its head is: {heads}", "{path} 没有 {name!r} 列；表头应为：{heads}"
)
IN_ROW = Text("{path}, row {number}: {problem}", "{path} 第 {number} 行：{problem}")
NO_TIME = Text(
    "{given!r} is no time; write date and time, as 2026-10-01T23:59 (read in {zone}) or 2026-10-01T23:59+08:00",
    "{given!r} 不是时间；请写日期和时间，例如 2026-10-01T23:59（按 {zone} 时区）或 2026-10-01T23:59+08:00",
)
FUTURE = Text("{given} lies in the future; correct it", "{given} 在将来；请改正")
NOBODY = Text("no student is named; write one", "没有写学生；请补上")
TWICE = Text(
    "{student}, {exercise}: there is a time for that already; keep one",
    "{student}，{exercise}：已有时间；请只保留一个",
)
NO_NUMBER = Text(
    "{given!r} is no number of days; write one, as 2 or 0.5", "{given!r} 不是天数；请写数字，例如 2 或 0.5"
)
NO_ASSIGNMENT = Text(
    "there is no assignment {name!r}; the course has {names}", "没有作业 {name!r}；课程里有：{names}"
)
NEVER_DUE = Text(
    "assignment {name!r} is never due, so there is no time to extend; give it `due` in course/course.toml, or `days` and the "
    "course `starts`",
    "作业 {name!r} 没有截止时间，无从延期；请在 course/course.toml 中给它写 `due`，或写 `days` 并给课程写 `starts`",
)


def parse_time(text: str, zone: str) -> datetime:
    """An ISO date and time; without an offset, in this time zone. GradebookError where it is none."""
    try:
        moment = datetime.fromisoformat(text.strip()) if ":" in text else None
    except ValueError:
        moment = None
    if moment is None:
        raise GradebookError.of(NO_TIME, given=text, zone=zone)
    return (moment if moment.tzinfo else moment.replace(tzinfo=zone_of(zone))).astimezone(UTC)


def read_times(path: Path, course: Course, people: Mapping[str, Person]) -> dict[tuple[str, str], datetime]:
    """(student, exercise) -> when it was handed in; ("student", "") -> when all the others of theirs were.

    Args:
        people: the roster: a student may be called by an id of theirs.

    Raises:
        UserError: a row that says nothing, or that can't be true.
    """
    called = {known: person.student for person in people.values() for known in person.ids}
    found: dict[tuple[str, str], datetime] = {}
    now = datetime.now(UTC)
    for number, row in _rows(path, TIMES):
        try:
            if not row["student"]:
                raise GradebookError.of(NOBODY)
            student = called.get(row["student"].lower(), row["student"])
            exercise = course.exercise(row["exercise"]).id if row["exercise"] else ""
            moment = parse_time(row["time"], course.policy.timezone)
            if moment > now:
                raise GradebookError.of(FUTURE, given=row["time"])
            if (student, exercise) in found:
                raise GradebookError.of(TWICE, student=student, exercise=exercise or "–")
        except (CourseError, GradebookError) as error:
            raise UserError.of(IN_ROW, path=path, number=number, problem=error.text) from None
        found[student, exercise] = moment
    return found


def read_extensions(path: Path, course: Course) -> list[Extension]:
    """The extensions in a CSV file. UserError where a row says nothing that could follow."""
    found = []
    for number, row in _rows(path, EXTENSIONS):
        try:
            found.append(
                extension_of(
                    course,
                    row["assignment"],
                    row["reason"],
                    student=row["student"],
                    section=row["section"],
                    until=row["until"],
                    days=_days(row["days"]),
                )
            )
        except GradebookError as error:
            raise UserError.of(IN_ROW, path=path, number=number, problem=error.text) from None
    return found


def extension_of(
    course: Course,
    assignment: str,
    reason: str,
    *,
    student: str = "",
    section: str = "",
    until: str | None = None,
    days: float | None = None,
) -> Extension:
    """An extension as people write it. GradebookError where something of it is wrong."""
    known = {one.id: one for one in course.assignments}
    if assignment not in known:
        raise GradebookError.of(NO_ASSIGNMENT, name=assignment, names=", ".join(known) or "–")
    if known[assignment].due is None:
        raise GradebookError.of(NEVER_DUE, name=assignment)
    made = Extension(
        assignment=assignment,
        student=student,
        section=section,
        until=parse_time(until, course.policy.timezone) if until else None,
        days=days,
        reason=reason,
    )
    made.check()
    return made


def _days(text: str) -> float | None:
    try:
        return float(text) if text else None
    except ValueError:
        raise GradebookError.of(NO_NUMBER, given=text) from None


def _rows(path: Path, columns: tuple[str, ...]) -> Iterator[tuple[int, dict[str, str]]]:
    """Row number and cells of each row that is not empty; a column that is not there is empty."""
    rows, _ = read_csv(path)
    heads = [head.strip().lower() for head in rows[0]]
    for name in NEEDED[columns]:
        if name not in heads:
            raise UserError.of(NO_COLUMN, path=path, name=name, heads=", ".join(columns))
    for number, row in enumerate(rows[1:], 2):
        cells = dict(zip(heads, (cell.strip() for cell in row), strict=False))
        if any(cells.values()):
            yield number, {name: cells.get(name, "") for name in columns}
