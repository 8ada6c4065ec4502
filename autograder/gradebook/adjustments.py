"""Points given or taken by hand: how they are recorded, undone and read. Rows are added, never changed or removed.

What is undone gets a counter-entry: another adjustment of as many points the other way, and a row that links the two.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from msgspec import Struct

from autograder.gradebook.counter_entries import Decisions
from autograder.gradebook.database import GradebookError
from autograder.gradebook.roster import Person
from autograder.gradebook.schema import adjustments_table, counter_entries_table
from autograder.text import Text

COLUMNS = ("student", "exercise", "points", "reason")
MEANT = Text("did you mean {names}?", "你要找的是不是 {names}？")
LISTED = Text("`autograder gradebook show` lists them.", "`autograder gradebook show` 会列出所有学生。")
NEW_STUDENT = Text(
    " For somebody who is not on the roster and has handed in nothing, add --new-student",
    " 不在名单上、也没有提交过的学生，请加 --new-student",
)
ADJUSTMENTS = Decisions(
    adjustments_table,
    counter_entries_table,
    Text("adjustment", "调整"),
    "adjustments",
    Text(
        "to give the points again, use `autograder gradebook adjust`",
        "如需重新给分，请用 `autograder gradebook adjust`",
    ),
)


class Adjustment(Struct, frozen=True):
    """Points given or taken by a person, and why. Its number is what `undo` takes.

    undoes, undone_by: the number of the adjustment whose counter-entry this is, and of this one's own counter-entry.
    """

    student: str
    exercise: str
    points: float
    reason: str
    who: str
    recorded_at: datetime
    number: int
    undoes: int | None = None
    undone_by: int | None = None


def read_adjustments(
    connection: sa.Connection, conditions: Sequence[sa.ColumnElement[bool]] = ()
) -> list[Adjustment]:
    """The adjustments of which these conditions on their table hold, oldest first."""
    return [_adjustment(row) for row in ADJUSTMENTS.rows(connection, conditions)]


def one_adjustment(connection: sa.Connection, book: str, number: int) -> Adjustment:
    """The adjustment of this number; GradebookError where there is none."""
    return _adjustment(ADJUSTMENTS.row(connection, book, number))


def _adjustment(row: sa.Row[Any]) -> Adjustment:
    names = ("student", "exercise", "points", "reason", "who", "recorded_at", "undoes", "undone_by")
    return Adjustment(number=row.id, **{name: getattr(row, name) for name in names})


def check_adjustment(student: str, exercise: str, points: float, reason: str) -> None:
    """What is recorded here stays: nothing that no score can be made of, and nothing that nobody can explain."""
    if not math.isfinite(points):
        raise GradebookError(
            f"{student}, {exercise}: {points} is no number of points; give one, as 1.5 or -1",
            f"{student}，{exercise}：{points} 不是分数；请给出数字，例如 1.5 或 -1",
        )
    if not reason.strip():
        raise GradebookError(
            f"{student}, {exercise}: the reason is blank; say in a few words why points are given or taken",
            f"{student}，{exercise}：没有写理由；请用几个字说明为什么加分或扣分",
        )


def add_adjustments(
    connection: sa.Connection, given: Sequence[tuple[str, str, float, str]], who: str
) -> None:
    """Add (student, exercise, points, reason) of adjustments that one person made. The students have their rows."""
    ADJUSTMENTS.add(connection, [dict(zip(COLUMNS, row, strict=True)) for row in given], who)


def add_counter_entry(connection: sa.Connection, book: str, number: int, who: str, reason: str) -> Adjustment:
    """Undo the adjustment of this number; which one that was."""

    def counter(undone: sa.Row[Any]) -> dict[str, Any]:
        return {"student": undone.student, "exercise": undone.exercise, "points": -undone.points}

    return _adjustment(ADJUSTMENTS.undo(connection, book, number, who, reason, counter))


def unknown_student(
    book: str, name: str, students: Sequence[str], people: Mapping[str, Person], remedy: Text | None = None
) -> GradebookError:
    """What to say of a name that is nobody's: who may be meant, by name or by what others call them.

    Args:
        remedy: what else may be done about it.
    """
    called = {student.lower(): student for student in students}
    called |= {other: p.student for p in people.values() for other in (*p.ids, p.name.lower()) if other}
    near = difflib.get_close_matches(name.lower(), called, n=3, cutoff=0.7)
    exact = called.get(name.lower())
    meant = [exact] if exact else list(dict.fromkeys(called[one] for one in near))
    said = MEANT.format(names=Text(" or ".join(map(repr, meant)), " 或 ".join(map(repr, meant))))
    said = said if meant else LISTED
    more = remedy or Text()
    return GradebookError(
        f"{book} has no student {name!r}; {said.en}{more.en}",
        f"{book} 中没有学生 {name!r}；{said.zh}{more.zh}",
    )


def unknown_section(book: str, name: str, sections: Iterable[str]) -> GradebookError:
    """What to say of a section that nobody on the roster is in."""
    known = sorted(section for section in sections if section)
    listed = Text(", ".join(known) or "none", "、".join(known) or "无")
    return GradebookError(
        f"{book} has nobody in a section {name!r}; its sections: {listed.en}. `autograder gradebook roster FILE` takes over "
        "sections from a column `section` or `group`",
        f"{book} 中没有人属于分组 {name!r}；已有分组：{listed.zh}。`autograder gradebook roster 文件` 会读取 `section` 或 `group` 列",
    )
