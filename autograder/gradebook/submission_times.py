"""When attempts were handed in, and who says so: how it is kept, and how it is told."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from autograder.gradebook.schema import submission_times_table
from autograder.results import Submitted, TimeSource
from autograder.text import Text

SOURCES = {
    TimeSource.GIVEN: Text("the instructor's list", "教师提供的时间表"),
    TimeSource.NBGRADER: Text("nbgrader's timestamp", "nbgrader 的时间戳"),
    TimeSource.COMMIT: Text("the commit's date", "提交（commit）的日期"),
    TimeSource.CANVAS_ON_TIME: Text(
        "the download; Canvas does not mark it late", "下载时间；Canvas 未标记为迟交"
    ),
    TimeSource.CANVAS: Text(
        "Canvas's download, so it is the latest possible", "Canvas 下载的时间，即最晚可能"
    ),
    TimeSource.MOODLE: Text(
        "Moodle's download, so it is the latest possible", "Moodle 下载的时间，即最晚可能"
    ),
    TimeSource.FILE: Text("the file's own date", "文件自身的日期"),
    TimeSource.RECORDED: Text(
        "when it was graded, because nothing tells when it was handed in",
        "评分的时间，因为没有提交时间的记录",
    ),
}


def tells_more(new: Submitted | None, known: Submitted | None) -> bool:
    """Whether a time is to be kept beside the one that is known: the first one is, and the earliest that an instructor says.

    The same content may be handed in again: it is as old as its first time.
    """
    if new is None or known is None or new.source is not TimeSource.GIVEN:
        return new is not None and known is None
    return known.source is not TimeSource.GIVEN or new.at < known.at


def add_time(connection: sa.Connection, attempt_id: int, submitted: Submitted) -> None:
    """Keep when an attempt was handed in."""
    at = submitted.at.astimezone(UTC).replace(tzinfo=None)
    row = {"attempt_id": attempt_id, "submitted_at": at, "source": submitted.source.value}
    connection.execute(sa.insert(submission_times_table).values(row))


def newest_times() -> sa.Subquery:
    """The last row of each attempt."""
    table, other = submission_times_table, submission_times_table.alias()
    # Looked up for each attempt by the index: as a list of all newest rows SQLite went through it once an attempt.
    newest = sa.select(sa.func.max(other.c.id)).where(other.c.attempt_id == table.c.attempt_id)
    columns = (table.c.attempt_id, table.c.submitted_at, table.c.source)
    return sa.select(*columns).where(table.c.id == newest.scalar_subquery()).subquery()


def time_of(row: Any) -> Submitted | None:
    """What a row with `submitted_at` and `source` says."""
    if row.submitted_at is None:
        return None
    return Submitted(row.submitted_at.replace(tzinfo=UTC), TimeSource(row.source))


def shown(moment: datetime, zone: str) -> str:
    """A time as people read it: 2026-10-01 23:59 CST."""
    return f"{moment.astimezone(zone_of(zone)):%Y-%m-%d %H:%M %Z}"


def zone_of(name: str) -> Any:
    """The time zone of this name; UTC where this system knows none."""
    try:
        return ZoneInfo(name)
    except (LookupError, ValueError, OSError):
        return UTC
