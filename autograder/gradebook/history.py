"""One student's record as a story in order of time, each line with what the score was after it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from autograder.feedback.labels import label
from autograder.gradebook.adjustments import Adjustment
from autograder.gradebook.attempts import Attempt
from autograder.gradebook.moves import what_differs
from autograder.gradebook.policy import GradingScheme, Rules, Score, Version, score_of
from autograder.gradebook.regrades import KeptShare, Regrade, kept_by
from autograder.gradebook.store import Gradebook
from autograder.results import ExerciseResult
from autograder.text import Text, joined, shortened


class Kind(StrEnum):
    """What happened. What happened at one time is told in this order."""

    ATTEMPT = "attempt"
    REGRADE = "regrade"
    ADJUSTMENT = "adjustment"
    UNDONE = "undone"


class Event(Struct, frozen=True):
    """One thing that happened to one exercise of one student. `score`: what it was afterwards, None while unknown.

    number: the attempt's or the adjustment's own, or the regrade's. told: what is to be said of it.
    """

    when: datetime  # UTC
    kind: Kind
    exercise: str
    number: int
    told: Text
    who: str = ""
    reason: str = ""
    score: float | None = None
    max_score: float = 0.0


MOMENT = timedelta(microseconds=1)  # times are recorded in these
HANDED_IN = Text("{path}: {status}", "{path}：{status}")
REGRADED = Text("regraded, R{number}", "重新评分 R{number}")
KEEPS = Text("keeps what it had", "保留原有得分")
RULES = Text("other rules hold from now on", "此后适用新的规则")
TAKEN_BACK = Text("R{number} is undone", "R{number} 被撤销")
ADJUSTED = Text("adjusted, #{number}: {points}", "人工调整 #{number}：{points}")


class Record(Struct, frozen=True):
    """All that is recorded of one student on one exercise, what was undone, too."""

    exercise: str
    attempts: Sequence[
        tuple[Attempt, int | None]
    ]  # each with the regrade that added it; as they were recorded
    adjustments: Sequence[Adjustment]
    shares: Sequence[KeptShare]
    regrades: Sequence[Regrade]
    rules: Rules | None  # before any regrade
    results: dict[int, ExerciseResult]  # number -> result in full

    def score_at(self, moment: datetime, scheme: GradingScheme) -> Score | None:
        """What followed from what was recorded up to then, and from the rules that held."""
        applied = [one for one in self.regrades if one.recorded_at <= moment]
        counting = [one for one in applied if one.undone is None or one.undone.recorded_at > moment]
        numbers = {one.number for one in counting}
        shares = [share for share in self.shares if share.regrade in numbers]
        attempts: dict[int, Attempt] = {}
        for attempt, regrade in self.attempts:
            if attempt.recorded_at <= moment and (regrade is None or regrade in numbers):
                kept = kept_by(shares, attempt.handed_in, attempt.result.content)
                attempts[attempt.handed_in] = replace(attempt, kept=kept)
        ordered = [attempts[number] for number in sorted(attempts)]
        given = [one for one in self.adjustments if one.recorded_at <= moment]
        rules = next((one.rules for one in reversed(counting) if one.rules), self.rules)
        worth = scheme.versions.get(self.exercise, Version("", 0.0)).max_score
        policy = (rules or scheme.rules).policy
        return score_of(ordered, given, policy, Version("", worth))

    def moved_at(self, moment: datetime, scheme: GradingScheme) -> bool:
        """Whether what was recorded just then moved the score."""
        before, after = (self.score_at(one, scheme) for one in (moment - MOMENT, moment))
        return (before and before.score) != (after and after.score)


def history(
    book: Gradebook, scheme: GradingScheme, student: str, exercises: Sequence[str] | None = None
) -> list[Event]:
    """What happened to one student's work, oldest first: to all of it, or to some exercises.

    Each score follows from what was recorded by then, under the rules that were noted by then.
    """
    book.check_student(student)
    told = [event for record in _records(book, student, exercises) for event in _story(record, scheme)]
    order = list(Kind)
    return sorted(told, key=lambda event: (event.when, order.index(event.kind), event.number, event.exercise))


def _records(book: Gradebook, student: str, exercises: Sequence[str] | None) -> Iterator[Record]:
    attempts: dict[str, list[tuple[Attempt, int | None]]] = {}
    for attempt, regrade in book.every_attempt(student, exercises):
        attempts.setdefault(attempt.result.exercise, []).append((attempt, regrade))
    every = [attempt for listed in attempts.values() for attempt, _ in listed]
    results = dict(zip((one.result_id for one in every), book.in_full(every), strict=True))
    adjustments, shares = book.adjustments(student, exercises), book.kept_shares(student, exercises)
    regrades, rules = book.regrades(), book.rules(first=True)
    for name in sorted({*attempts, *(exercise for _, exercise in adjustments)}):
        place = student, name
        yield Record(
            name,
            attempts.get(name, []),
            adjustments.get(place, []),
            shares.get(place, []),
            regrades,
            rules,
            results,
        )


def _story(record: Record, scheme: GradingScheme) -> Iterator[Event]:
    for source in SOURCES:
        for event in source(record, scheme):
            score = record.score_at(event.when, scheme)
            worth = scheme.versions.get(record.exercise, Version("", 0.0)).max_score
            yield replace(
                event,
                score=score.score if score else 0.0,
                max_score=score.max_score if score else worth,
            )


def _handed_in(record: Record, _scheme: GradingScheme) -> Iterator[Event]:
    for attempt, regrade in record.attempts:
        if regrade is None:
            result = attempt.result
            told = HANDED_IN.format(path=shortened(result.path), status=label(result.status))
            yield Event(attempt.recorded_at, Kind.ATTEMPT, record.exercise, attempt.handed_in, told)


def _regrades(record: Record, scheme: GradingScheme) -> Iterator[Event]:
    """Those that changed something here, each with its undoing."""
    added = {regrade: attempt for attempt, regrade in record.attempts if regrade is not None}
    kept = {share.regrade for share in record.shares}
    standing = {a.handed_in: record.results[a.result_id] for a, regrade in record.attempts if regrade is None}
    for one in record.regrades:
        told = []
        if one.number in added:
            attempt = added[one.number]
            now = record.results[attempt.result_id]
            told = what_differs(standing[attempt.handed_in], now)
            if one.undone is None:
                standing[attempt.handed_in] = now
        elif not record.moved_at(one.recorded_at, scheme):
            continue
        told += [KEEPS] if one.number in kept else []
        told += [RULES] if one.rules is not None else []
        said = joined(REGRADED.format(number=one.number), *told)
        yield Event(one.recorded_at, Kind.REGRADE, record.exercise, one.number, said, one.who, one.reason)
        if one.undone is not None:
            back = TAKEN_BACK.format(number=one.number)
            yield Event(
                one.undone.recorded_at,
                Kind.UNDONE,
                record.exercise,
                one.number,
                back,
                one.undone.who,
                one.undone.reason,
            )


def _adjustments(record: Record, _scheme: GradingScheme) -> Iterator[Event]:
    for one in record.adjustments:
        told = ADJUSTED.format(number=one.number, points=f"{one.points:+g}")
        yield Event(one.recorded_at, Kind.ADJUSTMENT, record.exercise, one.number, told, one.who, one.reason)


# Whatever else is recorded of a student's work becomes a part of the story by a function here.
SOURCES: tuple[Callable[[Record, GradingScheme], Iterator[Event]], ...] = (
    _handed_in,
    _regrades,
    _adjustments,
)
