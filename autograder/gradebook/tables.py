"""The gradebook as a pandas table: a row for each student, each exercise or each test."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from autograder.errors import UserError
from autograder.gradebook.final_grade import FinalGrade, final_grades
from autograder.gradebook.grade_json import standing_json
from autograder.gradebook.policy import GradingScheme
from autograder.gradebook.scores import Counted, Scores, class_places, counted_results, current_scores
from autograder.gradebook.store import Gradebook
from autograder.results import Status, total
from autograder.text import escape_formula

if TYPE_CHECKING:
    import pandas as pd

PER_STUDENT = ("total", "max_score", "stale")  # after the student and the exercises
PER_EXERCISE = (
    "student", "exercise", "status", "score", "max_score", "adjusted", "isolation", "file", "bundle", "stale",
)  # fmt: skip
LATENESS = (
    "submitted_at",
    "submitted_source",
    "due",
    "seconds_late",
    "late_days",
    "taken",
)  # after PER_EXERCISE
GRADES = ("late_days", "final_percent")  # after PER_STUDENT and the assignments, in a course that has any
PER_TEST = (
    "student",
    "exercise",
    "test",
    "visibility",
    "outcome",
    "score",
    "max_score",
    "diagnosis",
    "stale",
)


def table(book: Gradebook, scheme: GradingScheme, per: str, scores: Scores | None = None) -> pd.DataFrame:
    """The export. `per` is "student", "exercise" or "test"; UserError for anything else.

    Everybody in the class is in it. `max_score` is what was graded on, else what the exercise is worth now; `stale` says
    what was graded with another version of the exercise than the current one.

    Args:
        scores: those of all exercises of the scheme, where they are at hand.
    """
    import pandas as pd

    heads = {
        "student": ("student", *scheme.versions, *PER_STUDENT, *_grade_heads(scheme)),
        "exercise": (*PER_EXERCISE, *LATENESS),
        "test": PER_TEST,
    }
    if per not in heads:
        raise UserError(
            f"--per {per!r}: choose student, exercise or test",
            f"--per {per!r}：请选择 student、exercise 或 test",
        )
    scores = current_scores(book, scheme, exercises=list(scheme.versions)) if scores is None else scores
    if per == "test":
        rows = [row for counted in counted_results(book, scheme, scores) for row in _per_test(counted)]
    elif per == "student":
        students = book.students()
        grades = final_grades(scores, scheme, students) if scheme.assignments else {}
        rows = [
            _per_student(student, scores, scheme) | _grades(grades.get(student), scheme)
            for student in students
        ]
    else:
        rows = list(_per_exercise(class_places(book, scheme), scores, scheme))
    frame = pd.DataFrame(rows, columns=pd.Index(heads[per]))  # named, because no rows would leave no head
    text = frame.select_dtypes(include=["object", "str"]).columns
    frame[text] = frame[text].map(escape_formula)
    return frame


def is_table(head: bytes, per: str) -> bool:
    """Whether a file that begins so is an earlier export of the same rows."""
    columns = tuple(head.partition(b"\n")[0].decode(errors="replace").rstrip("\r").split(","))
    if per == "student":
        width = len(PER_STUDENT)
        return columns[0] == "student" and any(
            columns[place : place + width] == PER_STUDENT for place in range(len(columns))
        )
    if per == "exercise":
        return columns in (PER_EXERCISE, (*PER_EXERCISE, *LATENESS))
    return columns == PER_TEST


def _per_student(student: str, scores: Scores, scheme: GradingScheme) -> dict[str, Any]:
    known = {name: scores.get((student, name)) for name in scheme.versions}
    return {
        "student": student,
        **{name: None if score is None else score.score for name, score in known.items()},
        "total": total(score.score or 0.0 for score in known.values() if score is not None),
        "max_score": total(
            scheme.versions[name].max_score if score is None else score.max_score
            for name, score in known.items()
        ),
        "stale": " ".join(name for name, score in known.items() if score is not None and score.outdated),
    }


def _grade_heads(scheme: GradingScheme) -> tuple[str, ...]:
    """A column for the points on each assignment, and the final grade; none in a course without assignments."""
    return (*(f"points:{one.id}" for one in scheme.assignments), *GRADES) if scheme.assignments else ()


def _grades(grade: FinalGrade | None, scheme: GradingScheme) -> dict[str, Any]:
    if grade is None:
        return {}
    cells: list[Any] = [one.score for one in grade.assignments]
    percent = None if grade.share is None else round(100 * grade.share, 6)
    return dict(zip(_grade_heads(scheme), [*cells, grade.late_days, percent], strict=True))


def _per_exercise(
    places: Iterable[tuple[str, str]], scores: Scores, scheme: GradingScheme
) -> Iterable[dict[str, Any]]:
    for student, name in places:
        score = scores.get((student, name))
        result = score.result if score else None
        yield {
            "student": student,
            "exercise": name,
            "status": score.status.value if score else Status.MISSING.value,
            "score": score.score if score else None,
            "max_score": score.max_score if score else scheme.versions[name].max_score,
            "adjusted": score.adjusted if score else 0.0,
            "isolation": result.isolation.value if result else "",
            "file": result.path if result else "",
            "bundle": result.bundle if result else "",
            "stale": score is not None and score.outdated,
            **{name: value for name, value in standing_json(score).items() if name in LATENESS},
        }


def _per_test(counted: Counted) -> list[dict[str, Any]]:
    """A row for each test; where none was run, one that says why."""
    result = counted.result
    row = {"student": result.student, "exercise": result.exercise, "stale": counted.stale}
    if not result.tests:
        none = {"test": "", "visibility": "", "outcome": result.status.value, "score": result.score}
        return [{**row, **none, "max_score": result.max_score, "diagnosis": None}]
    return [
        {
            **row,
            "test": test.name,
            "visibility": test.visibility.value,
            "outcome": test.outcome.value,
            "score": test.score,
            "max_score": test.max_score,
            "diagnosis": test.diagnosis,
        }
        for test in result.tests
    ]
