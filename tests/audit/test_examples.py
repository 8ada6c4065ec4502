"""`audit --counterexamples`: for which misconceptions grading finds a small example; and that it does, over the whole course."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from autograder.audit.checks import ExerciseChecks, Shared
from autograder.audit.form import Style
from autograder.audit.leaks import StudentFiles
from autograder.audit.report import Finding
from autograder.course import Course, Exercise
from autograder.grading.worker import Mode, Worker

COURSE = Course.load(Path(__file__).resolve().parents[2], authoring=True)
SLICES = 10
WITHOUT_PLAIN_VALUES = "with functions or objects of their own alone"

Look = Callable[[Course, Exercise], Finding]


@pytest.fixture
def look(shared_sandbox: Any) -> Look:
    """The point that is asked for by `--counterexamples`."""

    def finding(course: Course, exercise: Exercise) -> Finding:
        shared = Shared(StudentFiles.of(course.root), Style.of(course.root, []), (), counterexamples=True)
        checks = ExerciseChecks(course, exercise, Worker(Mode()), shared)
        return checks.points()[9]()

    return finding


def test_how_many_have_one(toy: Path, look: Look, monkeypatch: pytest.MonkeyPatch) -> None:
    """Which have none is a warning; one that is too long to be read is a problem."""
    course = Course.load(toy, authoring=True)
    affine = course.exercise("basics/affine")
    found = look(course, affine)
    names = [mistake.name for mistake in affine.spec.misconception]
    assert found.summary.startswith(
        f"{len(names)} of {len(names)} misconceptions have a small counterexample, of "
    )
    assert found.problems == [] and found.warnings == []
    monkeypatch.setattr("autograder.audit.examples.SMALL", 1)
    assert f"for misconception {names[0]!r} has" in look(course, affine).problems[0]


def test_only_where_it_is_asked_for(affine: Exercise, shared_sandbox: Any) -> None:
    course = Course.load(affine.root, authoring=True)
    shared = Shared(StudentFiles.of(course.root), Style.of(course.root, []))
    assert 9 not in ExerciseChecks(course, affine, Worker(Mode()), shared).points()


@pytest.mark.parametrize("number", range(SLICES))
def test_every_exercise_has_some(look: Look, number: int) -> None:
    """Wherever public tests call something on plain values, some mistakes can be shown; where none can, the audit says why."""
    for exercise in list(COURSE)[number::SLICES]:
        found = look(COURSE, exercise)
        assert found.problems == []
        if exercise.kind == "exercise" and found.summary.startswith("0 of"):
            assert any(WITHOUT_PLAIN_VALUES in warning for warning in found.warnings), exercise.id
