"""What an attempt is."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct

from autograder.results import ExerciseResult


class Attempt(Struct, frozen=True):
    """One hand-in of one exercise, with its result in brief: without `tests`, `output` and `detail`."""

    result: ExerciseResult
    recorded_at: datetime
    result_id: int  # what `Gradebook.in_full` finds the rest by
    handed_in: int = (
        0  # the attempt with which this was handed in: this one, or the one that a regrade stands for
    )
    kept: float = 0.0  # the share of the points that a regrade has left it
