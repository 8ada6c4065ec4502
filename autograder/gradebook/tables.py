"""The gradebook as a pandas table: a row for each student, each exercise or each test."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from autograder.errors import UserError
from autograder.gradebook.policy import Score
from autograder.gradebook.scores import counted_results, current_scores
from autograder.gradebook.store import Gradebook
from autograder.results import ExerciseResult, Policy, total
from autograder.text import escape_formula

if TYPE_CHECKING:
    import pandas as pd

PER_EXERCISE = ("student", "exercise", "status", "score", "max_score", "adjusted", "isolation", "file")
PER_TEST = ("student", "exercise", "test", "visibility", "outcome", "score", "max_score", "diagnosis")


def table(book: Gradebook, exercises: Sequence[str], policy: Policy, per: str) -> pd.DataFrame:
    """The export. `per` is "student", "exercise" or "test"; UserError for anything else."""
    import pandas as pd

    heads = {"student": ("student", *exercises, "total"), "exercise": PER_EXERCISE, "test": PER_TEST}
    if per not in heads:
        raise UserError(
            f"--per {per!r}: choose student, exercise or test",
            f"--per {per!r}：请选择 student、exercise 或 test",
        )
    if per == "test":
        rows = [row for result, _ in counted_results(book, policy, exercises) for row in _per_test(result)]
    else:
        make = _per_student if per == "student" else _per_exercise
        rows = make(current_scores(book, policy, exercises=exercises), book.students(), exercises)
    frame = pd.DataFrame(rows, columns=pd.Index(heads[per]))  # named, because no rows would leave no head
    text = frame.select_dtypes(include=["object", "str"]).columns
    frame[text] = frame[text].map(escape_formula)
    return frame


def is_table(head: bytes, per: str) -> bool:
    """Whether a file that begins so is an earlier export of the same rows."""
    columns = head.partition(b"\n")[0].decode(errors="replace").rstrip("\r").split(",")
    if per == "student":
        return columns[0] == "student" and "total" in columns
    return tuple(columns[:3]) == {"exercise": PER_EXERCISE, "test": PER_TEST}[per][:3]


def _per_student(
    scores: dict[tuple[str, str], Score], students: Sequence[str], exercises: Sequence[str]
) -> list[dict[str, Any]]:
    rows = []
    for student in students:
        known = {name: scores.get((student, name)) for name in exercises}
        row: dict[str, Any] = {"student": student}
        row |= {name: None if score is None else score.score for name, score in known.items()}
        row["total"] = total(score.score or 0.0 for score in known.values() if score is not None)
        rows.append(row)
    return rows


def _per_exercise(
    scores: dict[tuple[str, str], Score], students: Sequence[str], exercises: Sequence[str]
) -> list[dict[str, Any]]:
    return [
        {
            "student": student,
            "exercise": name,
            "status": score.result.status.value,
            "score": score.score,
            "max_score": score.max_score,
            "adjusted": score.adjusted,
            "isolation": score.result.isolation.value,
            "file": score.result.path,
        }
        for student in students
        for name in exercises
        if (score := scores.get((student, name))) is not None
    ]


def _per_test(result: ExerciseResult) -> list[dict[str, Any]]:
    return [
        {
            "student": result.student,
            "exercise": result.exercise,
            "test": test.name,
            "visibility": test.visibility.value,
            "outcome": test.outcome.value,
            "score": test.score,
            "max_score": test.max_score,
            "diagnosis": test.diagnosis,
        }
        for test in result.tests
    ]
