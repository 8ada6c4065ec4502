"""Points given or taken by hand: how they are recorded, undone and read. Rows are added, never changed or removed.

What is undone gets a counter-entry: another adjustment of as many points the other way, and a row that links the two.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import sqlalchemy as sa
from msgspec import Struct

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
UNDONE = "undoes {number}: {reason}"


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
    undoes, undone = counter_entries_table.alias("undoes"), counter_entries_table.alias("undone")
    query = (
        sa.select(adjustments_table, undoes.c.undoes, undone.c.adjustment_id.label("undone_by"))
        .select_from(
            adjustments_table.outerjoin(undoes, undoes.c.adjustment_id == adjustments_table.c.id).outerjoin(
                undone, undone.c.undoes == adjustments_table.c.id
            )
        )
        .where(*conditions)
        .order_by(adjustments_table.c.id)
    )
    names = ("student", "exercise", "points", "reason", "who", "recorded_at", "undoes", "undone_by")
    return [
        Adjustment(number=row.id, **{name: getattr(row, name) for name in names})
        for row in connection.execute(query)
    ]


def one_adjustment(connection: sa.Connection, book: str, number: int) -> Adjustment:
    """The adjustment of this number; GradebookError where there is none."""
    found = read_adjustments(connection, [adjustments_table.c.id == number])
    if not found:
        raise GradebookError(
            f"{book} has no adjustment {number}; `autograder gradebook adjustments` lists them",
            f"{book} 中没有编号为 {number} 的调整；`autograder gradebook adjustments` 会列出全部",
        )
    return found[0]


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
    now = datetime.now(UTC).replace(tzinfo=None)
    rows = [{**dict(zip(COLUMNS, row, strict=True)), "who": who, "recorded_at": now} for row in given]
    if rows:
        connection.execute(sa.insert(adjustments_table), rows)


def add_counter_entry(connection: sa.Connection, book: str, number: int, who: str, reason: str) -> Adjustment:
    """Undo the adjustment of this number; which one that was."""
    undone = one_adjustment(connection, book, number)
    if undone.undone_by is not None:
        raise GradebookError(
            f"adjustment {number} was undone already, by {undone.undone_by}; to give the points again, use "
            "`autograder gradebook adjust`",
            f"编号 {number} 的调整已由编号 {undone.undone_by} 撤销；如需重新给分，请用 `autograder gradebook adjust`",
        )
    if undone.undoes is not None:
        raise GradebookError(
            f"adjustment {number} itself undoes {undone.undoes}; to give the points again, use "
            "`autograder gradebook adjust`",
            f"编号 {number} 本身就是对编号 {undone.undoes} 的撤销；如需重新给分，请用 `autograder gradebook adjust`",
        )
    row = {
        "student": undone.student,
        "exercise": undone.exercise,
        "points": -undone.points,
        "reason": UNDONE.format(number=number, reason=reason or undone.reason),
        "who": who,
        "recorded_at": datetime.now(UTC).replace(tzinfo=None),
    }
    added = connection.execute(sa.insert(adjustments_table).values(row))
    assert added.inserted_primary_key is not None  # SQLAlchemy always has it for a single-row insert
    link = {"adjustment_id": added.inserted_primary_key[0], "undoes": number}
    connection.execute(sa.insert(counter_entries_table).values(link))
    return undone


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
