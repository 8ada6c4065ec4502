"""One student's record as a story in order of time, each line with what the score was after it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from autograder.feedback.labels import label
from autograder.gradebook.adjustments import Adjustment
from autograder.gradebook.attempts import Attempt
from autograder.gradebook.extensions import Extension
from autograder.gradebook.moves import what_differs
from autograder.gradebook.policy import GradingScheme, Rules, Score, Version, submitted_of
from autograder.gradebook.regrades import KeptShare, Regrade, kept_by
from autograder.gradebook.store import Gradebook
from autograder.gradebook.student_scores import StudentRecord, points_on, scores_of
from autograder.gradebook.submission_times import shown
from autograder.results import ExerciseResult, TimeSource
from autograder.text import Text, joined, number, shortened


class Kind(StrEnum):
    """What happened. What happened at one time is told in this order."""

    EXTENSION = "extension"
    ATTEMPT = "attempt"
    REGRADE = "regrade"
    ADJUSTMENT = "adjustment"
    UNDONE = "undone"


class Event(Struct, frozen=True):
    """One thing that happened to one exercise of one student, or to one assignment.

    exercise: its name; the assignment's, where all of it got more time. number: the attempt's, the adjustment's or the
    extension's own, or the regrade's. told: what is to be said of it. score: what it was afterwards, None while unknown.
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
SUBMITTED = Text("handed in {when}", "提交于 {when}")
REGRADED = Text("regraded, R{number}", "重新评分 R{number}")
KEEPS = Text("keeps what it had", "保留原有得分")
RULES = Text("other rules hold from now on", "此后适用新的规则")
TAKEN_BACK = Text("R{number} is undone", "R{number} 被撤销")
ADJUSTED = Text("adjusted, #{number}: {points}", "人工调整 #{number}：{points}")
EXTENDED_BY = Text(
    "extension #{number} of {assignment}: {days} days", "{assignment} 的延期 #{number}：{days} 天"
)
EXTENDED_TO = Text(
    "extension #{number} of {assignment}: until {until}", "{assignment} 的延期 #{number}：至 {until}"
)
NO_LONGER_EXTENDED = Text(
    "extension #{number} of {assignment} is undone", "{assignment} 的延期 #{number} 被撤销"
)


class Record(Struct, frozen=True):
    """All that is recorded of one student, what was undone, too. Mappings are by exercise."""

    attempts: Mapping[str, Sequence[tuple[Attempt, int | None]]]  # each with the regrade that added it
    adjustments: Mapping[str, Sequence[Adjustment]]
    shares: Mapping[str, Sequence[KeptShare]]
    extensions: Sequence[Extension]
    regrades: Sequence[Regrade]
    rules: Rules | None  # before any regrade
    results: Mapping[int, ExerciseResult]  # number -> result in full

    @property
    def exercises(self) -> list[str]:
        return sorted({*self.attempts, *self.adjustments})

    def scheme_at(self, moment: datetime, scheme: GradingScheme) -> GradingScheme:
        """The rules that held then. No exercise's version is known to be another one's."""
        noted = next((one.rules for one in reversed(self._counting(moment)) if one.rules), self.rules)
        known = scheme if noted is None else scheme.under(noted)
        versions = {name: Version("", known.versions[name].max_score) for name in known.versions}
        return replace(known, versions=versions)

    def scores_at(self, moment: datetime, scheme: GradingScheme) -> dict[str, Score]:
        """What followed from what was recorded up to then, and from the rules that held."""
        numbers = {one.number for one in self._counting(moment)}
        attempts = {}
        for name, recorded in self.attempts.items():
            shares = [share for share in self.shares.get(name, ()) if share.regrade in numbers]
            standing: dict[int, Attempt] = {}
            for attempt, regrade in recorded:
                if attempt.recorded_at <= moment and (regrade is None or regrade in numbers):
                    kept = kept_by(shares, attempt.handed_in, attempt.result.content)
                    standing[attempt.handed_in] = replace(attempt, kept=kept)
            attempts[name] = [standing[one] for one in sorted(standing)]
        adjustments = {
            name: [one for one in given if one.recorded_at <= moment]
            for name, given in self.adjustments.items()
        }
        undone = {one.undoes for one in self.extensions if one.undoes and one.recorded_at <= moment}
        extensions = [
            replace(one, undone_by=None)
            for one in self.extensions
            if one.recorded_at <= moment and one.undoes is None and one.number not in undone
        ]
        record = StudentRecord(attempts, adjustments, extensions)
        return scores_of(record, self.scheme_at(moment, scheme))

    def moved_at(self, moment: datetime, scheme: GradingScheme, exercise: str) -> bool:
        """Whether what was recorded just then moved the score."""
        before, after = (self.scores_at(one, scheme).get(exercise) for one in (moment - MOMENT, moment))
        return (before and before.score) != (after and after.score)

    def _counting(self, moment: datetime) -> list[Regrade]:
        applied = [one for one in self.regrades if one.recorded_at <= moment]
        return [one for one in applied if one.undone is None or one.undone.recorded_at > moment]


def history(
    book: Gradebook, scheme: GradingScheme, student: str, exercises: Sequence[str] | None = None
) -> list[Event]:
    """What happened to one student's work, oldest first: to all of it, or to some exercises.

    Each score follows from what was recorded by then, of all exercises, under the rules that were noted by then.
    """
    book.check_student(student)
    record = _record(book, student)
    told = [
        event
        for source in SOURCES
        for event in source(record, scheme, exercises)
        if exercises is None or event.exercise in exercises
    ]
    order = list(Kind)
    told.sort(key=lambda event: (event.when, order.index(event.kind), event.number, event.exercise))
    return [_with_score(event, record, scheme) for event in told]


def _record(book: Gradebook, student: str) -> Record:
    attempts: dict[str, list[tuple[Attempt, int | None]]] = {}
    for attempt, regrade in book.every_attempt(student):
        attempts.setdefault(attempt.result.exercise, []).append((attempt, regrade))
    every = [attempt for listed in attempts.values() for attempt, _ in listed]
    results = dict(zip((one.result_id for one in every), book.in_full(every), strict=True))
    return Record(
        attempts,
        {exercise: given for (_, exercise), given in book.adjustments(student).items()},
        {exercise: kept for (_, exercise), kept in book.kept_shares(student).items()},
        book.extensions(student),
        book.regrades(),
        book.rules(first=True),
        results,
    )


def _with_score(event: Event, record: Record, scheme: GradingScheme) -> Event:
    scores = record.scores_at(event.when, scheme)
    then = record.scheme_at(event.when, scheme)
    score = scores.get(event.exercise)
    if score is not None:
        return replace(event, score=score.score, max_score=score.max_score)
    whole = next((one for one in then.assignments if one.id == event.exercise), None)
    if whole is not None:
        points = points_on(whole, then, scores)
        return replace(event, score=points.score, max_score=points.best)
    return replace(event, score=0.0, max_score=then.versions.get(event.exercise, Version("", 0.0)).max_score)


def _handed_in(record: Record, scheme: GradingScheme, _: Sequence[str] | None) -> Iterator[Event]:
    for exercise, recorded in record.attempts.items():
        for attempt, regrade in recorded:
            if regrade is not None:
                continue
            result, said = attempt.result, submitted_of(attempt)
            told = [HANDED_IN.format(path=shortened(result.path), status=label(result.status))]
            if said.source is not TimeSource.RECORDED:
                told.append(SUBMITTED.format(when=shown(said.at, scheme.policy.timezone)))
            yield Event(attempt.recorded_at, Kind.ATTEMPT, exercise, attempt.handed_in, joined(*told))


def _regrades(record: Record, scheme: GradingScheme, _: Sequence[str] | None) -> Iterator[Event]:
    for exercise in record.exercises:
        yield from _regrades_of(exercise, record, scheme)


def _regrades_of(exercise: str, record: Record, scheme: GradingScheme) -> Iterator[Event]:
    """Those that changed something here, each with its undoing."""
    attempts = record.attempts.get(exercise, ())
    added = {regrade: attempt for attempt, regrade in attempts if regrade is not None}
    kept = {share.regrade for share in record.shares.get(exercise, ())}
    standing = {a.handed_in: record.results[a.result_id] for a, regrade in attempts if regrade is None}
    for one in record.regrades:
        told = []
        if one.number in added:
            attempt = added[one.number]
            now = record.results[attempt.result_id]
            told = what_differs(standing[attempt.handed_in], now)
            if one.undone is None:
                standing[attempt.handed_in] = now
        elif not record.moved_at(one.recorded_at, scheme, exercise):
            continue
        told += [KEEPS] if one.number in kept else []
        told += [RULES] if one.rules is not None else []
        said = joined(REGRADED.format(number=one.number), *told)
        yield Event(one.recorded_at, Kind.REGRADE, exercise, one.number, said, one.who, one.reason)
        if one.undone is not None:
            back, how = TAKEN_BACK.format(number=one.number), one.undone
            yield Event(how.recorded_at, Kind.UNDONE, exercise, one.number, back, how.who, how.reason)


def _adjustments(record: Record, _scheme: GradingScheme, _: Sequence[str] | None) -> Iterator[Event]:
    for exercise, given in record.adjustments.items():
        for one in given:
            told = ADJUSTED.format(number=one.number, points=f"{one.points:+g}")
            yield Event(one.recorded_at, Kind.ADJUSTMENT, exercise, one.number, told, one.who, one.reason)


def _extensions(record: Record, scheme: GradingScheme, exercises: Sequence[str] | None) -> Iterator[Event]:
    """One line for an assignment; where exercises are chosen, one for each of them that is due with it."""
    numbers = {one.number: one for one in record.extensions}
    due_with = scheme.due_with()
    for one in record.extensions:
        given = numbers.get(one.undoes or 0, one)
        name = given.assignment
        if one.undoes is not None:
            kind, told = Kind.UNDONE, NO_LONGER_EXTENDED.format(number=given.number, assignment=name)
        elif one.until is not None:
            until = shown(one.until, scheme.policy.timezone)
            kind, told = Kind.EXTENSION, EXTENDED_TO.format(number=one.number, assignment=name, until=until)
        else:
            days = number(one.days or 0.0)
            kind, told = Kind.EXTENSION, EXTENDED_BY.format(number=one.number, assignment=name, days=days)
        chosen = (
            [name]
            if exercises is None
            else [e for e in exercises if e in due_with and due_with[e].id == name]
        )
        for about in chosen:
            yield Event(one.recorded_at, kind, about, given.number, told, one.who, one.reason)


# Whatever else is recorded of a student's work becomes a part of the story by a function here.
SOURCES: tuple[Callable[[Record, GradingScheme, Sequence[str] | None], Iterator[Event]], ...] = (
    _handed_in,
    _regrades,
    _adjustments,
    _extensions,
)
