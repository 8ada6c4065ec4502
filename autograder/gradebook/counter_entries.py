"""What people decide is added, never changed or removed: a decision is undone by another row, and a link between the two."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from autograder.gradebook.database import GradebookError
from autograder.text import Text

UNDONE = "undoes {number}: {reason}"
NOT_THERE = Text(
    "{book} has no {kind} {number}; `autograder gradebook {lists}` lists them",
    "{book} 中没有编号为 {number} 的{kind}；`autograder gradebook {lists}` 会列出全部",
)
UNDONE_ALREADY = Text(
    "{kind} {number} was undone already, by {other}; {again}",
    "编号 {number} 的{kind}已由编号 {other} 撤销；{again}",
)
IS_COUNTER_ENTRY = Text(
    "{kind} {number} itself undoes {other}; {again}",
    "编号 {number} 本身就是对编号 {other} 的撤销；{again}",
)


@dataclass(frozen=True)
class Decisions:
    """One kind of decision.

    table, links: where its rows are, and which of them undo which. lists: the command that lists them. again: how to make
    one anew.
    """

    table: sa.Table
    links: sa.Table
    kind: Text
    lists: str
    again: Text

    def rows(
        self, connection: sa.Connection, conditions: Sequence[sa.ColumnElement[bool]] = ()
    ) -> Sequence[sa.Row[Any]]:
        """The rows of which these conditions hold, oldest first, with `undoes` and `undone_by`."""
        undoes, undone = self.links.alias("undoes"), self.links.alias("undone")
        (entry,) = self.links.primary_key.columns.keys()
        query = (
            sa.select(self.table, undoes.c.undoes, undone.c[entry].label("undone_by"))
            .select_from(
                self.table.outerjoin(undoes, undoes.c[entry] == self.table.c.id).outerjoin(
                    undone, undone.c.undoes == self.table.c.id
                )
            )
            .where(*conditions)
            .order_by(self.table.c.id)
        )
        return connection.execute(query).all()

    def row(self, connection: sa.Connection, book: str, number: int) -> sa.Row[Any]:
        """The row of this number; GradebookError where there is none."""
        found = self.rows(connection, [self.table.c.id == number])
        if not found:
            raise GradebookError.of(NOT_THERE, book=book, number=number, kind=self.kind, lists=self.lists)
        return found[0]

    def add(self, connection: sa.Connection, rows: Sequence[Mapping[str, Any]], who: str) -> None:
        """Add decisions of one person."""
        if rows:
            connection.execute(sa.insert(self.table), [{**row, **_signed(who)} for row in rows])

    def undo(
        self,
        connection: sa.Connection,
        book: str,
        number: int,
        who: str,
        reason: str,
        counter: Callable[[sa.Row[Any]], Mapping[str, Any]],
    ) -> sa.Row[Any]:
        """Add the counter-entry of the decision with this number; which one that was.

        Args:
            counter: what the counter-entry says of the matter itself.

        Raises:
            GradebookError: there is no such decision, or it is undone already, or is a counter-entry itself.
        """
        undone = self.row(connection, book, number)
        said = {"number": number, "kind": self.kind, "again": self.again}
        if undone.undone_by is not None:
            raise GradebookError.of(UNDONE_ALREADY, other=undone.undone_by, **said)
        if undone.undoes is not None:
            raise GradebookError.of(IS_COUNTER_ENTRY, other=undone.undoes, **said)
        told = UNDONE.format(number=number, reason=reason or undone.reason)
        row = {**counter(undone), **_signed(who), "reason": told}
        added = connection.execute(sa.insert(self.table).values(row))
        assert added.inserted_primary_key is not None  # SQLAlchemy always has it for a single-row insert
        (entry,) = self.links.primary_key.columns.keys()
        link = {entry: added.inserted_primary_key[0], "undoes": number}
        connection.execute(sa.insert(self.links).values(link))
        return undone


def _signed(who: str) -> dict[str, Any]:
    return {"who": who, "recorded_at": datetime.now(UTC).replace(tzinfo=None)}
