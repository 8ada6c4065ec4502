"""Regrades: what was handed in, graded again with a later version of its exercise, or counted under other rules.

A regrade adds attempts, each of which stands for an earlier one: it takes that one's place in the order of what was handed
in, and everything that is known of the hand-in (when it came) stays that of the earlier one. A regrade is undone by a row
that says so: the attempts that counted before count again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

import msgspec
import sqlalchemy as sa
from msgspec import Struct

from autograder.gradebook.database import GradebookError
from autograder.gradebook.policy import Rules
from autograder.gradebook.schema import (
    attempts_table,
    kept_shares_table,
    regraded_attempts_table,
    regrades_table,
    results_table,
    rules_table,
    undone_regrades_table,
)

# The attempt with which what an attempt is about was handed in: itself, or the one that it stands for. Whatever is
# recorded of a hand-in belongs to that one, so that a regrade changes none of it. Needs WITH_REGRADES.
HANDED_IN = sa.func.coalesce(regraded_attempts_table.c.stands_for, attempts_table.c.id)
WITH_REGRADES = attempts_table.outerjoin(
    regraded_attempts_table, regraded_attempts_table.c.attempt_id == attempts_table.c.id
).outerjoin(undone_regrades_table, undone_regrades_table.c.regrade_id == regraded_attempts_table.c.regrade_id)
NOT_UNDONE = undone_regrades_table.c.regrade_id.is_(None)


class Undoing(Struct, frozen=True):
    """Who took a regrade back, when (UTC) and why."""

    who: str
    reason: str
    recorded_at: datetime


class Regrade(Struct, frozen=True):
    """A regrade that was applied. Its number is what `undo` takes, behind an R."""

    number: int
    who: str
    reason: str
    recorded_at: datetime
    rules: Rules | None = None  # where others held from then on
    undone: Undoing | None = None

    @property
    def name(self) -> str:
        return f"R{self.number}"


class Regraded(Struct, frozen=True):
    """What a regrade found of one hand-in. `stands_for` is the number of the attempt that it was handed in with."""

    student: str
    exercise: str
    path: str
    result_id: int
    stands_for: int


def add_regrade(
    connection: sa.Connection,
    found: Iterable[Regraded],
    kept: Mapping[int, float],
    who: str,
    reason: str,
    rules: Rules | None,
) -> int:
    """Add a regrade with its attempts; its number.

    Args:
        kept: the attempt with which something was handed in -> the share of the points that it keeps.
        rules: those that hold from now on, where they are new.
    """
    now = datetime.now(UTC).replace(tzinfo=None)
    row = connection.execute(sa.insert(regrades_table).values(who=who, reason=reason, recorded_at=now))
    assert row.inserted_primary_key is not None  # SQLAlchemy always has it for a single-row insert
    number = int(row.inserted_primary_key[0])
    told = [{**msgspec.structs.asdict(one), "recorded_at": now} for one in found]
    stands_for = [row.pop("stands_for") for row in told]
    if told:
        added = sa.insert(attempts_table).returning(attempts_table.c.id, sort_by_parameter_order=True)
        numbers = connection.scalars(added, told).all()
        links = [
            {"attempt_id": attempt, "regrade_id": number, "stands_for": earlier}
            for attempt, earlier in zip(numbers, stands_for, strict=True)
        ]
        connection.execute(sa.insert(regraded_attempts_table), links)
    shares = [{"regrade_id": number, "attempt_id": one, "share": share} for one, share in kept.items()]
    if shares:
        connection.execute(sa.insert(kept_shares_table), shares)
    if rules is not None:
        add_rules(connection, rules, number)
    return number


def undo_regrade(connection: sa.Connection, book: str, number: int, who: str, reason: str) -> Regrade:
    """Say that a regrade no longer counts; which one that was."""
    found = {one.number: one for one in read_regrades(connection)}
    if number not in found:
        known = ", ".join(one.name for one in found.values())
        raise GradebookError(
            f"{book} has no regrade R{number}; " + (f"it has {known}" if known else "nothing was regraded"),
            f"{book} 中没有重新评分 R{number}；" + (f"现有 {known}" if known else "从未重新评分"),
        )
    regrade = found[number]
    if regrade.undone is not None:
        raise GradebookError(
            f"{regrade.name} was undone already, by {regrade.undone.who}; `autograder regrade` applies it again",
            f"{regrade.name} 已由 {regrade.undone.who} 撤销；`autograder regrade` 可再次应用",
        )
    row = {
        "regrade_id": number,
        "who": who,
        "reason": reason,
        "recorded_at": datetime.now(UTC).replace(tzinfo=None),
    }
    connection.execute(sa.insert(undone_regrades_table).values(row))
    return regrade


def read_regrades(connection: sa.Connection) -> list[Regrade]:
    """All regrades, oldest first."""
    rules = {row.regrade_id: _rules(row.rules) for row in connection.execute(sa.select(rules_table))}
    undone = {
        row.regrade_id: Undoing(row.who, row.reason, row.recorded_at)
        for row in connection.execute(sa.select(undone_regrades_table))
    }
    return [
        Regrade(row.id, row.who, row.reason, row.recorded_at, rules.get(row.id), undone.get(row.id))
        for row in connection.execute(sa.select(regrades_table).order_by(regrades_table.c.id))
    ]


def places_of_regrade(connection: sa.Connection, number: int) -> list[tuple[str, str]]:
    """(student, exercise) of the attempts that a regrade added, and of those that keep their points by it."""
    table = attempts_table.c
    of_attempts = (
        sa.select(table.student, table.exercise)
        .join(regraded_attempts_table, regraded_attempts_table.c.attempt_id == table.id)
        .where(regraded_attempts_table.c.regrade_id == number)
    )
    of_shares = (
        sa.select(table.student, table.exercise)
        .join(kept_shares_table, kept_shares_table.c.attempt_id == table.id)
        .where(kept_shares_table.c.regrade_id == number)
    )
    rows = connection.execute(sa.union(of_attempts, of_shares).order_by("student", "exercise"))
    return [(row.student, row.exercise) for row in rows]


class KeptShare(Struct, frozen=True):
    """By which regrade what was handed in with an attempt keeps a share of the points."""

    regrade: int
    attempt: int
    content: str  # of what was handed in; "" where that is not known
    share: float


def read_kept_shares(
    connection: sa.Connection, conditions: Sequence[sa.ColumnElement[bool]], undone: bool = False
) -> dict[tuple[str, str], list[KeptShare]]:
    """(student, exercise) -> the shares that count, where these conditions on attempts hold; all, with those `undone`."""
    query = (
        sa.select(kept_shares_table, attempts_table.c.student, attempts_table.c.exercise, results_table.c.key)
        .select_from(
            kept_shares_table.join(attempts_table)
            .join(results_table)
            .outerjoin(
                undone_regrades_table, undone_regrades_table.c.regrade_id == kept_shares_table.c.regrade_id
            )
        )
        .where(*conditions, *([] if undone else [NOT_UNDONE]))
    )
    found: dict[tuple[str, str], list[KeptShare]] = {}
    for row in connection.execute(query):
        content = (row.key or "").rpartition("-")[2]
        one = KeptShare(row.regrade_id, row.attempt_id, content, row.share)
        found.setdefault((row.student, row.exercise), []).append(one)
    return found


def kept_by(shares: Iterable[KeptShare], handed_in: int, content: str) -> float:
    """The share that these leave to an attempt: the same work keeps it, graded again in whichever way."""
    return max(
        (one.share for one in shares if one.attempt == handed_in or (content and one.content == content)),
        default=0.0,
    )


def add_rules(connection: sa.Connection, rules: Rules, regrade: int | None = None) -> None:
    """Note the rules that hold from now on: by a regrade, or since the first grading."""
    connection.execute(
        sa.insert(rules_table).values(
            regrade_id=regrade,
            rules=msgspec.json.encode(rules).decode(),
            recorded_at=datetime.now(UTC).replace(tzinfo=None),
        )
    )


def read_rules(connection: sa.Connection) -> Rules | None:
    """The rules that were noted last, by what was not undone; None where none were, or none that this version reads."""
    row = connection.execute(
        sa.select(rules_table.c.rules)
        .outerjoin(undone_regrades_table, undone_regrades_table.c.regrade_id == rules_table.c.regrade_id)
        .where(NOT_UNDONE)
        .order_by(rules_table.c.id.desc())
        .limit(1)
    ).first()
    return _rules(row.rules) if row else None


def first_rules(connection: sa.Connection) -> Rules | None:
    """The rules that were noted before any regrade."""
    row = connection.execute(
        sa.select(rules_table.c.rules).where(rules_table.c.regrade_id.is_(None)).order_by(rules_table.c.id)
    ).first()
    return _rules(row.rules) if row else None


def _rules(written: str) -> Rules | None:
    try:
        return msgspec.json.decode(written, type=Rules)
    except msgspec.ValidationError:  # of a version that had other keys
        return None
