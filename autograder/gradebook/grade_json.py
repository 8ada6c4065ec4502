"""A final grade for machines: the numbers that it is made of, and the lines that people read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from autograder.gradebook.final_grade import AssignmentGrade, FinalGrade
from autograder.gradebook.policy import GradingScheme, Score
from autograder.gradebook.scores import Scores
from autograder.text import Text


def final_grade_json(
    grade: FinalGrade, assignments: Sequence[AssignmentGrade], scores: Scores, scheme: GradingScheme
) -> dict[str, Any]:
    """The document that `gradebook explain --json` prints."""
    exercises = {one.id: one.exercises for one in scheme.assignments}
    return {
        "student": grade.student,
        "share": grade.share,
        "late_days": grade.late_days,
        "lines": _lines(grade.lines),
        "assignments": [
            {
                "id": one.id,
                "score": one.score,
                "max_score": one.max_score,
                "share": one.share,
                "weight": one.weight,
                "counted": one.counted,
                "dropped": one.dropped,
                "extra_credit": one.extra_credit,
                "late_days": one.late_days,
                "lines": _lines(one.lines),
                "exercises": [
                    {"exercise": name, **standing_json(scores.get((grade.student, name)))}
                    for name in exercises[one.id]
                ],
            }
            for one in assignments
        ],
    }


def standing_json(score: Score | None) -> dict[str, Any]:
    """A score with when its attempt was handed in, who says so, and what lateness takes."""
    said = score.submitted if score else None
    late = score.lateness if score else None
    return {
        "score": score.score if score else None,
        "max_score": score.max_score if score else None,
        "submitted_at": said.at if said else None,
        "submitted_source": said.source.value if said else None,
        "due": late.deadline.holds if late else None,
        "seconds_late": late.late.total_seconds() if late else None,
        "late_days": late.late_days if late else None,
        "taken": (1.0 if late.too_late else late.taken) if late else None,
    }


def _lines(lines: Sequence[Text]) -> list[dict[str, str]]:
    return [{"en": line.en, "zh": line.zh} for line in lines]
