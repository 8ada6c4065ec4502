"""What a learning platform gets a column for: an assignment, a unit or an exercise, and each student's points on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from autograder.gradebook.policy import Score
from autograder.results import total
from autograder.text import Text


@dataclass(frozen=True)
class Item:
    """Some exercises that are one column elsewhere. `points`: exercise -> what can be had."""

    id: str
    title: Text
    points: Mapping[str, float]

    @property
    def names(self) -> set[str]:
        """What its column may be called, in lower case."""
        return {name.lower() for name in (self.id, self.title.en, self.title.zh) if name}

    @property
    def max_score(self) -> float:
        return total(self.points.values())

    def score(self, student: str, scores: Mapping[tuple[str, str], Score]) -> float | None:
        """The student's points: None where nothing was handed in, or while a fault of ours hides a part of it."""
        known = [scores[student, name] for name in self.points if (student, name) in scores]
        if not known or any(score.score is None for score in known):
            return None
        return total(score.score or 0.0 for score in known)
