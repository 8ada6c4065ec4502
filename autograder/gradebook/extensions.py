"""More time for a student or a section: how it is recorded, undone, and which due date holds."""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from msgspec import Struct

from autograder.gradebook.counter_entries import Decisions
from autograder.gradebook.database import GradebookError
from autograder.gradebook.schema import extension_counter_entries_table, extensions_table
from autograder.results import MAX_DAYS
from autograder.text import Text

EXTENSIONS = Decisions(
    extensions_table,
    extension_counter_entries_table,
    Text("extension", "延期"),
    "extensions",
    Text(
        "to give the time again, use `autograder gradebook extend`",
        "如需重新延期，请用 `autograder gradebook extend`",
    ),
)
NO_LENGTH = Text(
    "{whose}, {assignment}: say until when or by how many days, and one of the two; days are a number above 0",
    "{whose}，{assignment}：请说明延到何时，或延长多少天，二者取一；天数须大于 0",
)
NO_REASON = Text(
    "{whose}, {assignment}: the reason is blank; say in a few words why more time is given",
    "{whose}，{assignment}：没有写理由；请用几个字说明为什么延期",
)
NOBODY = Text(
    "{assignment}: name a student or a section, and one of the two",
    "{assignment}：请写明学生或分组，二者取一",
)


class Extension(Struct, frozen=True, kw_only=True):
    """More time on one assignment, for one student or for a section of the roster, and why.

    until: the new due date (UTC). days: or so many days after the one of the course. number, undoes, undone_by: as an
    adjustment has them; nothing follows from what is undone, nor from what undoes it.
    """

    assignment: str
    student: str = ""
    section: str = ""
    until: datetime | None = None
    days: float | None = None
    reason: str
    who: str = ""
    recorded_at: datetime = datetime.min
    number: int = 0
    undoes: int | None = None
    undone_by: int | None = None

    @property
    def whose(self) -> str:
        return self.student or self.section

    @property
    def holds(self) -> bool:
        return self.undoes is None and self.undone_by is None

    def due(self, original: datetime) -> datetime:
        """When the assignment is due with it, that was due at another time: never earlier."""
        extended = self.until or original + timedelta(days=self.days or 0.0)
        return max(original, extended)

    def check(self) -> None:
        """GradebookError where nothing could follow from it, or nobody could explain it."""
        said = {"whose": self.whose, "assignment": self.assignment}
        if bool(self.student) == bool(self.section):
            raise GradebookError.of(NOBODY, **said)
        days = self.days
        if (self.until is None) == (days is None) or (
            days is not None and not (math.isfinite(days) and 0 < days <= MAX_DAYS)
        ):
            raise GradebookError.of(NO_LENGTH, **said)
        if not self.reason.strip():
            raise GradebookError.of(NO_REASON, **said)


def read_extensions(connection: sa.Connection, student: str | None, section: str) -> list[Extension]:
    """All extensions, oldest first; of one student and the section that they are in, where named."""
    columns = extensions_table.c
    conditions = [] if student is None else [(columns.student == student) | (columns.section == section)]
    return [_extension(row) for row in EXTENSIONS.rows(connection, conditions)]


def add_extensions(connection: sa.Connection, given: Iterable[Extension], who: str) -> None:
    """Add extensions that one person gave. The students have their rows."""
    EXTENSIONS.add(connection, [_row(one) for one in given], who)


def undo_extension(connection: sa.Connection, book: str, number: int, who: str, reason: str) -> Extension:
    """Undo the extension of this number; which one that was."""
    return _extension(
        EXTENSIONS.undo(connection, book, number, who, reason, lambda row: _row(_extension(row)))
    )


def extended_due(original: datetime, extensions: Iterable[Extension]) -> tuple[datetime | None, str]:
    """The latest due date that any of these gives, and why; None where none is later than the original."""
    given = [(one.due(original), -one.number, one.reason) for one in extensions if one.holds]
    latest = max(given, default=(original, 0, ""))
    return (latest[0], latest[2]) if latest[0] > original else (None, "")


def _row(one: Extension) -> dict[str, Any]:
    return {
        "student": one.student or None,
        "section": one.section or None,
        "assignment": one.assignment,
        "until": one.until and one.until.astimezone(UTC).replace(tzinfo=None),
        "days": one.days,
        "reason": one.reason,
    }


def _extension(row: sa.Row[Any]) -> Extension:
    names = ("assignment", "days", "reason", "who", "recorded_at", "undoes", "undone_by")
    return Extension(
        number=row.id,
        student=row.student or "",
        section=row.section or "",
        until=row.until and row.until.replace(tzinfo=UTC),
        **{name: getattr(row, name) for name in names},
    )
