"""From what is recorded to a score. Pure functions: changing a policy never runs anybody's code again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from msgspec import Struct

from autograder.results import AttemptPolicy, ExerciseResult, Policy, Status, total

if TYPE_CHECKING:
    from autograder.gradebook.store import Adjustment, Attempt


class Score(Struct, frozen=True):
    """One student's standing on one exercise. `score` is None while it is unknown (only ungraded attempts)."""

    score: float | None
    max_score: float
    adjusted: float
    result: ExerciseResult


def score_of(attempts: Sequence[Attempt], adjustments: Sequence[Adjustment], policy: Policy) -> Score | None:
    """The score that these attempts (oldest first) and adjustments on one exercise give; None without attempts.

    An attempt that stayed ungraded counts only while there is no graded one: a fault of ours takes nothing away.
    A score is never below zero; adjustments may lift it above the maximum.
    """
    if not attempts:
        return None
    graded = [attempt.result for attempt in attempts if attempt.result.status is not Status.UNGRADED]
    adjusted = total(adjustment.points for adjustment in adjustments)
    if not graded:
        last = attempts[-1].result
        return Score(None, last.max_score, adjusted, last)
    if policy.attempts is AttemptPolicy.BEST:
        chosen = max(graded, key=lambda result: result.score or 0.0)
    else:
        chosen = graded[-1]
    return Score(max(0.0, total((chosen.score or 0.0, adjusted))), chosen.max_score, adjusted, chosen)
