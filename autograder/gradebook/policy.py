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
    attempt: Attempt  # the one that counts

    @property
    def result(self) -> ExerciseResult:
        """Its result, in brief."""
        return self.attempt.result


def score_of(attempts: Sequence[Attempt], adjustments: Sequence[Adjustment], policy: Policy) -> Score | None:
    """The score that these attempts (oldest first) and adjustments on one exercise give; None without attempts.

    An attempt that stayed ungraded counts only while there is no graded one: a fault of ours takes nothing away.
    A score is never below zero; adjustments may lift it above the maximum.
    """
    if not attempts:
        return None
    graded = [attempt for attempt in attempts if attempt.result.status is not Status.UNGRADED]
    adjusted = total(adjustment.points for adjustment in adjustments)
    if not graded:
        return Score(None, attempts[-1].result.max_score, adjusted, attempts[-1])
    if policy.attempts is AttemptPolicy.BEST:
        chosen = max(graded, key=lambda attempt: attempt.result.score or 0.0)
    else:
        chosen = graded[-1]
    result = chosen.result
    return Score(max(0.0, total((result.score or 0.0, adjusted))), result.max_score, adjusted, chosen)
