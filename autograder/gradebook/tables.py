"""The gradebook as a pandas table: a row for each student, each exercise or each test."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from autograder.errors import UserError
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
        "student": ("student", *scheme.versions, *PER_STUDENT),
        "exercise": PER_EXERCISE,
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
        rows = [_per_student(student, scores, scheme) for student in book.students()]
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
        return columns[0] == "student" and columns[-len(PER_STUDENT) :] == PER_STUDENT
    return columns == {"exercise": PER_EXERCISE, "test": PER_TEST}[per]


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
