"""Results and attempts as rows: how a result is written, and how it is read again, in brief or with its tests."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from msgspec.structs import replace

from autograder.gradebook.attempts import Attempt
from autograder.gradebook.regrades import HANDED_IN, WITH_REGRADES
from autograder.gradebook.schema import (
    attempts_table,
    faults_table,
    regraded_attempts_table,
    results_table,
    tests_table,
)
from autograder.gradebook.submission_times import newest_times, time_of
from autograder.results import (
    ExerciseResult,
    Isolation,
    Outcome,
    Status,
    Submitted,
    TestResult,
    TimeSource,
    Visibility,
)
from autograder.text import Text

ROWS = 10_000  # read at a time, where everybody's are


def attempt_rows(connection: sa.Connection, *conditions: sa.ColumnElement[bool]) -> Iterable[Any]:
    """Attempts with their results in brief, as they were recorded."""
    brief = [column for column in results_table.c if column is not results_table.c.output]
    times, original = newest_times(), attempts_table.alias("original")
    query = (
        sa.select(
            attempts_table.c.student,
            attempts_table.c.path,
            attempts_table.c.recorded_at.label("attempted_at"),
            HANDED_IN.label("handed_in"),
            regraded_attempts_table.c.regrade_id,
            original.c.recorded_at.label("first_recorded_at"),
            times.c.submitted_at,
            times.c.source,
            *brief,
        )
        .select_from(
            WITH_REGRADES.join(results_table, results_table.c.id == attempts_table.c.result_id)
            .join(original, original.c.id == HANDED_IN)
            .outerjoin(times, times.c.attempt_id == HANDED_IN)
        )
        .where(*conditions)
        .order_by(attempts_table.c.id)
    )
    return connection.execution_options(yield_per=ROWS).execute(query)


def attempt_of(row: Any) -> Attempt:
    submitted = time_of(row)
    if submitted is None and row.regrade_id is not None:  # it is as old as what it stands for
        submitted = Submitted(row.first_recorded_at.replace(tzinfo=UTC), TimeSource.RECORDED)
    result = replace(in_brief(row, row.student, row.path), submitted=submitted)
    return Attempt(result, row.attempted_at, row.id, row.handed_in)


def key_of(result: ExerciseResult) -> str | None:
    """The key to store a result under. None for what must not be found again: it is graded anew by the next run."""
    return result.key if result.key and result.status is not Status.UNGRADED else None


def says_the_same(latest: Any, result: ExerciseResult, key: str | None) -> bool:
    """Whether the latest attempt already says this."""
    if key is not None:
        return bool(latest.key == key)
    said = (latest.status, latest.message_en, _reason(latest.detail or ""))
    return bool(
        latest.key is None and said == (result.status.value, result.message.en, _reason(result.detail))
    )


def _reason(detail: str) -> str:
    """The line that says why a result is ungraded: tracebacks name other temporary files in every run."""
    return detail.partition("\n")[0]


def id_of_result(connection: sa.Connection, result: ExerciseResult, key: str | None, now: datetime) -> int:
    """The row of a result: the one under its key, or a new one."""
    if key is not None:
        known = connection.scalar(sa.select(results_table.c.id).where(results_table.c.key == key))
        if known is not None:
            return int(known)
    return _insert_result(connection, result, key, now)


def _insert_result(connection: sa.Connection, result: ExerciseResult, key: str | None, now: datetime) -> int:
    row = connection.execute(
        sa.insert(results_table).values(
            key=key,
            exercise=result.exercise,
            status=result.status.value,
            score=result.score,
            max_score=result.max_score,
            isolation=result.isolation.value,
            message_en=result.message.en,
            message_zh=result.message.zh,
            output=result.output.replace("\0", ""),
            recorded_at=now,
        )
    )
    assert row.inserted_primary_key is not None  # SQLAlchemy always has it for a single-row insert
    result_id = row.inserted_primary_key[0]
    if result.detail:
        connection.execute(sa.insert(faults_table).values(result_id=result_id, detail=result.detail))
    if result.tests:
        connection.execute(
            sa.insert(tests_table),
            [
                {
                    **{
                        name: getattr(test, name)
                        for name in ("name", "score", "max_score", "diagnosis", "question")
                    },
                    "visibility": test.visibility.value,
                    "outcome": test.outcome.value,
                    "message_en": test.message.en,
                    "message_zh": test.message.zh,
                    "result_id": result_id,
                    "position": position,
                }
                for position, test in enumerate(result.tests)
            ],
        )
    return int(result_id)


def tests_of(connection: sa.Connection, result_ids: list[int]) -> dict[int, tuple[TestResult, ...]]:
    """The tests of these results (at most PARAMETERS), in order."""
    found: dict[int, list[TestResult]] = {result_id: [] for result_id in result_ids}
    rows = connection.execute(
        sa.select(tests_table)
        .where(tests_table.c.result_id.in_(result_ids))
        .order_by(tests_table.c.result_id, tests_table.c.position)
    )
    for row in rows:
        found[row.result_id].append(
            TestResult(
                **{
                    name: getattr(row, name)
                    for name in ("name", "score", "max_score", "diagnosis", "question")
                },
                visibility=Visibility(row.visibility),
                outcome=Outcome(row.outcome),
                message=Text(row.message_en, row.message_zh),
            )
        )
    return {result_id: tuple(tests) for result_id, tests in found.items()}


def in_brief(row: Any, student: str = "", path: str = "") -> ExerciseResult:
    """A result from its own row, without what takes room: its output, its tests, and why it is ungraded."""
    return ExerciseResult(
        student=student,
        exercise=row.exercise,
        status=Status(row.status),
        score=row.score,
        max_score=row.max_score,
        isolation=Isolation(row.isolation),
        key=row.key or "",
        path=path,
        message=Text(row.message_en, row.message_zh),
    )
