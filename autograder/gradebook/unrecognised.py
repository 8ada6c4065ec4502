"""Which files of each student nobody could place, as the last run over each folder found it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import msgspec
import sqlalchemy as sa
from msgspec import Struct

from autograder.gradebook.schema import unrecognised_table
from autograder.results import Unrecognised

KEPT = 20  # files of one student; the others are counted


class Kept(Struct, frozen=True):
    """What is kept of one student's. `more`: how many others there were."""

    files: tuple[Unrecognised, ...]
    more: int = 0


class Noted(Struct, frozen=True):
    """What one run found. `source` is the name of the folder that was graded."""

    source: str
    files: tuple[Unrecognised, ...]
    more: int
    recorded_at: datetime


def kept(files: Sequence[Unrecognised]) -> Kept:
    """As much of a student's files as is kept."""
    return Kept(tuple(files[:KEPT]), max(0, len(files) - KEPT))


def note(connection: sa.Connection, source: str, found: Mapping[str, Sequence[Unrecognised]]) -> None:
    """Add a row for each of these students of whom the last one from this source says something else."""
    last = {row.student: row.files for row in _last(connection, source=source)}
    now = datetime.now(UTC).replace(tzinfo=None)
    rows = []
    for student, files in found.items():
        said = msgspec.json.encode(kept(files)).decode()
        if said != last.get(student) and (files or student in last):
            rows.append({"student": student, "source": source, "files": said, "recorded_at": now})
    if rows:
        connection.execute(sa.insert(unrecognised_table), rows)


def noted(connection: sa.Connection, student: str | None) -> dict[str, list[Noted]]:
    """Student -> what the last run over each source found, where it found anything."""
    found: dict[str, list[Noted]] = {}
    for row in _last(connection, student=student):
        files = msgspec.json.decode(row.files, type=Kept)
        if files.files:
            one = Noted(row.source, files.files, files.more, row.recorded_at)
            found.setdefault(row.student, []).append(one)
    return found


def _last(
    connection: sa.Connection, *, source: str | None = None, student: str | None = None
) -> Sequence[sa.Row[tuple[object, ...]]]:
    table = unrecognised_table
    newest = sa.select(sa.func.max(table.c.id)).group_by(table.c.student, table.c.source)
    if source is not None:
        newest = newest.where(table.c.source == source)
    if student is not None:
        newest = newest.where(table.c.student == student)
    return connection.execute(
        sa.select(table).where(table.c.id.in_(newest)).order_by(table.c.student, table.c.id)
    ).all()
