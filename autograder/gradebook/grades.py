"""What a grade is: points and weight of each assignment, a share for the course, and the lines that lead there."""

from __future__ import annotations

from msgspec import Struct

from autograder.text import Text


class AssignmentGrade(Struct, frozen=True):
    """One student's points on one assignment. `score` is None while a fault of ours keeps a part of it from being known.

    counted: whether it counts towards the final grade. lines: how its points come about, in order. dropped: it is one of
    the lowest. extra_credit: it counts above what can be had. late_days: of the student's, spent on it.
    """

    id: str
    title: Text
    score: float | None
    max_score: float
    weight: float
    counted: bool = True
    lines: tuple[Text, ...] = ()
    extra_credit: bool = False
    dropped: bool = False
    late_days: int = 0

    @property
    def share(self) -> float | None:
        """Of what can be had; None while it is unknown, or where nothing can be had."""
        return None if self.score is None or not self.max_score else self.score / self.max_score


class FinalGrade(Struct, frozen=True):
    """One student's grade for the course. `share` is 1 for full points, more with extra credit, None while not known.

    lines: how it comes about from the grades of the assignments.
    """

    student: str
    share: float | None
    assignments: tuple[AssignmentGrade, ...]
    lines: tuple[Text, ...] = ()

    @property
    def late_days(self) -> int:
        """Of the student's, spent so far."""
        return sum(one.late_days for one in self.assignments)
