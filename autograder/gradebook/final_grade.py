"""From scores to a grade for each assignment, and for the course, each with the lines that lead to it."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from autograder.gradebook.policy import GradingScheme, ScoredAssignment
from autograder.gradebook.scores import Scores
from autograder.results import total
from autograder.text import Text


class AssignmentGrade(Struct, frozen=True):
    """One student's points on one assignment. `score` is None while a fault of ours keeps a part of it from being known.

    counted: whether it counts towards the final grade. lines: how its points and its weight come about, in order.
    """

    id: str
    title: Text
    score: float | None
    max_score: float
    weight: float
    counted: bool = True
    lines: tuple[Text, ...] = ()


class FinalGrade(Struct, frozen=True):
    """One student's grade for the course. `share` is 1 for full points, more with extra credit, None while not known."""

    student: str
    share: float | None
    assignments: tuple[AssignmentGrade, ...]
    lines: tuple[Text, ...] = ()


def final_grades(scores: Scores, scheme: GradingScheme, students: Sequence[str]) -> dict[str, FinalGrade]:
    """Student -> final grade, for all of these, under the scheme's assignments and policy."""
    return {student: _final_grade(student, scores, scheme) for student in students}


def _final_grade(student: str, scores: Scores, scheme: GradingScheme) -> FinalGrade:
    assignments = tuple(assignment_grade(student, one, scores, scheme) for one in scheme.assignments)
    counted = [one for one in assignments if one.counted and one.max_score]
    weight = total(one.weight for one in counted)
    known = all(one.score is not None for one in counted)
    share = (
        total(one.weight * (one.score or 0.0) / one.max_score for one in counted) / weight if weight else None
    )
    return FinalGrade(student, share if known else None, assignments)


def assignment_grade(
    student: str, assignment: ScoredAssignment, scores: Scores, scheme: GradingScheme
) -> AssignmentGrade:
    """One student's points on one assignment."""
    known = {name: scores.get((student, name)) for name in assignment.exercises}
    unknown = any(score is not None and score.score is None for score in known.values())
    return AssignmentGrade(
        assignment.id,
        assignment.title,
        None if unknown else total(score.score or 0.0 for score in known.values() if score),
        total(
            score.max_score if score else scheme.versions[name].max_score
            for name, score in known.items()
            if score or name in scheme.versions
        ),
        assignment.weight,
    )
