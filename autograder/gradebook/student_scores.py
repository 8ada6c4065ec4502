"""One student's scores: what their attempts earn by their due dates, and where their late days go. Pure functions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from autograder.gradebook.extensions import Extension, extended_due
from autograder.gradebook.lateness import Deadline, lateness_of
from autograder.gradebook.policy import (
    GradingScheme,
    Score,
    ScoredAssignment,
    first_handed_in,
    score_of,
    submitted_of,
)
from autograder.gradebook.weighing import Weighed, best_choice
from autograder.results import total

if TYPE_CHECKING:
    from autograder.gradebook.adjustments import Adjustment
    from autograder.gradebook.store import Attempt


class StudentRecord(Struct, frozen=True):
    """What is recorded of one student: attempts and adjustments by exercise, and the extensions that apply to them."""

    attempts: Mapping[str, Sequence[Attempt]] = {}
    adjustments: Mapping[str, Sequence[Adjustment]] = {}
    extensions: Sequence[Extension] = ()


class Points(Struct, frozen=True):
    """Points on an assignment. score: None while a part of it is unknown. best: what can be had."""

    score: float | None
    best: float


def scores_of(
    record: StudentRecord,
    scheme: GradingScheme,
    due_with: Mapping[str, ScoredAssignment] | None = None,
    names: Iterable[str] | None = None,
) -> dict[str, Score]:
    """Exercise -> score, for all that is recorded or for these exercises.

    Args:
        due_with: `scheme.due_with()`, where it is at hand.
    """
    due_with = scheme.due_with() if due_with is None else due_with
    deadlines = {one.id: _deadline(one, record) for one in due_with.values()}
    if scheme.policy.late_days:
        for name, days in _late_days(record, scheme, due_with, deadlines).items():
            deadlines[name] = replace(deadlines[name], late_days=days)
    if names is None:
        names = record.attempts.keys() | record.adjustments.keys()
    return _scores(names, record, scheme, due_with, deadlines)


def points_on(assignment: ScoredAssignment, scheme: GradingScheme, scores: Mapping[str, Score]) -> Points:
    """A student's points on an assignment, from their scores."""
    known = [scores[name] for name in assignment.exercises if name in scores]
    unknown = any(score.score is None for score in known)
    best = []
    for name in assignment.exercises:
        version = scheme.versions.get(name)
        now = version.max_score if version else assignment.worth.get(name, 0.0)
        if name not in assignment.bonus:
            best.append(scores[name].max_score if name in scores else now)
    return Points(None if unknown else total(score.score or 0.0 for score in known), total(best))


def _deadline(assignment: ScoredAssignment, record: StudentRecord) -> Deadline:
    assert assignment.due is not None  # `due_with` has no other
    given = [one for one in record.extensions if one.assignment == assignment.id]
    extended, reason = extended_due(assignment.due, given)
    return Deadline(assignment.due, assignment.late, extended, reason)


def _scores(
    names: Iterable[str],
    record: StudentRecord,
    scheme: GradingScheme,
    due_with: Mapping[str, ScoredAssignment],
    deadlines: Mapping[str, Deadline],
) -> dict[str, Score]:
    found = {}
    for name in names:
        assignment = due_with.get(name)
        score = score_of(
            record.attempts.get(name, ()),
            record.adjustments.get(name, ()),
            scheme.policy,
            scheme.versions.get(name),
            deadlines[assignment.id] if assignment else None,
        )
        if score is not None:
            found[name] = score
    return found


def _late_days(
    record: StudentRecord,
    scheme: GradingScheme,
    due_with: Mapping[str, ScoredAssignment],
    deadlines: Mapping[str, Deadline],
) -> dict[str, int]:
    """Assignment -> how many of the student's late days are spent on it: where they help the final grade most."""
    budget = scheme.policy.late_days
    useful = {name: min(budget, days) for name, days in _needed(record, due_with, deadlines).items()}
    if not useful:
        return {}
    # The earlier ones come first: where it makes no difference, theirs are the days.
    ordered = sorted(
        (one for one in scheme.assignments if one.begun),
        key=lambda one: (one.due is None, one.due and one.due.timestamp()),
    )
    weighed = []
    for assignment in ordered:
        shares = []
        for days in range(useful.get(assignment.id, 0) + 1):
            spent = dict(deadlines)
            if days:
                spent[assignment.id] = replace(deadlines[assignment.id], late_days=days)
            scores = _scores(assignment.exercises, record, scheme, due_with, spent)
            points = points_on(assignment, scheme, scores)
            shares.append((points.score or 0.0) / points.best if points.best else 0.0)
        worth = assignment.weight if points.best else 0.0
        weighed.append(Weighed(worth, tuple(shares), assignment.extra_credit))
    choice = best_choice(weighed, budget, scheme.policy.drop_lowest)
    if choice is None:
        return {}
    return {one.id: days for one, days in zip(ordered, choice.late_days, strict=True) if days}


def _needed(
    record: StudentRecord, due_with: Mapping[str, ScoredAssignment], deadlines: Mapping[str, Deadline]
) -> dict[str, int]:
    """Assignment -> the late days that would make all of it punctual that is late and not too late."""
    found: dict[str, int] = {}
    for name, attempts in record.attempts.items():
        assignment = due_with.get(name)
        if assignment is None:
            continue
        first = first_handed_in(attempts)
        for attempt in attempts:
            said = first.get(attempt.result.content) or submitted_of(attempt)
            needed = lateness_of(said, deadlines[assignment.id]).needed
            if needed:
                found[assignment.id] = max(found.get(assignment.id, 0), needed)
    return found
