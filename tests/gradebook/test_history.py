"""A student's record as a story: with late work, extensions and late days, each score is what held at that moment."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from autograder.gradebook import Gradebook, GradingScheme, Version
from autograder.gradebook.extensions import Extension
from autograder.gradebook.history import Event, history
from autograder.gradebook.policy import ScoredAssignment
from autograder.results import (
    ExerciseResult,
    Isolation,
    LateRule,
    Policy,
    Status,
    Submitted,
    TimeSource,
)
from autograder.text import Text

DUE = datetime.now(UTC) - timedelta(days=10)
NAMES = ("basics/affine", "basics/vowels")
VERSIONS = {name: Version("", 10.0) for name in NAMES}
WEEK = ScoredAssignment("week", Text("Week", "周"), NAMES, DUE, late=LateRule(penalty=0.2))


@pytest.fixture
def book(tmp_path: Path) -> Gradebook:
    return Gradebook(str(tmp_path / "g.db"))


@pytest.fixture
def late(book: Gradebook) -> Callable[[str, float, float], None]:
    def record(exercise: str, score: float, days: float) -> None:
        at = Submitted(DUE + timedelta(days=days), TimeSource.COMMIT)
        book.record(
            ExerciseResult(
                student="s001", exercise=exercise, status=Status.GRADED, score=score, max_score=10.0,
                isolation=Isolation.FULL, key=f"bundle-{exercise}{score}", path="s001/file.py", submitted=at,
            )
        )  # fmt: skip

    return record


def brief(events: list[Event]) -> list[tuple[str, str, float | None, float]]:
    return [(event.kind.value, event.exercise, event.score, event.max_score) for event in events]


def test_scores_are_after_lateness_and_extensions(
    book: Gradebook, late: Callable[[str, float, float], None]
) -> None:
    scheme = GradingScheme(VERSIONS, assignments=(WEEK,))
    late("basics/affine", 10.0, 1.5)
    late("basics/vowels", 8.0, -1.0)
    book.extend([Extension(assignment="week", student="s001", days=1.0, reason="ill")], who="ann")
    book.undo_extension(1, who="eve", reason="a mistake")
    told = history(book, scheme, "s001")
    assert brief(told) == [
        ("attempt", "basics/affine", 6.0, 10.0),  # two days late
        ("attempt", "basics/vowels", 8.0, 10.0),
        ("extension", "week", 16.0, 20.0),  # one day late
        ("undone", "week", 14.0, 20.0),
    ]
    assert "handed in" in told[0].told.en and "提交于" in told[0].told.zh
    assert (told[2].who, told[2].reason, told[3].who) == ("ann", "ill", "eve")
    assert "extension #1 of week: 1 days" in told[2].told.en and "被撤销" in told[3].told.zh
    assert brief(history(book, scheme, "s001", ["basics/affine"])) == [
        ("attempt", "basics/affine", 6.0, 10.0),
        ("extension", "basics/affine", 8.0, 10.0),
        ("undone", "basics/affine", 6.0, 10.0),
    ]


def test_late_days_go_where_they_help_most_by_then(
    book: Gradebook, late: Callable[[str, float, float], None]
) -> None:
    """One exercise's story needs all the others': the late day goes elsewhere once other work is handed in."""
    other = replace(WEEK, id="other", exercises=("basics/vowels",), weight=5.0)
    first = replace(WEEK, exercises=("basics/affine",))
    scheme = GradingScheme(VERSIONS, Policy(late_days=1), assignments=(first, other))
    late("basics/affine", 10.0, 0.5)
    late("basics/vowels", 10.0, 0.5)
    book.adjust("s001", "basics/affine", 1.0, reason="oral", who="ta")
    assert brief(history(book, scheme, "s001", ["basics/affine"])) == [
        ("attempt", "basics/affine", 10.0, 10.0),
        ("adjustment", "basics/affine", 9.0, 10.0),
    ]
