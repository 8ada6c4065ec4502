"""`new`: an exercise that works from the first minute, and what its author still owes."""

from __future__ import annotations

from pathlib import Path

import pytest

from autograder.authoring.build import build
from autograder.authoring.new import new_exercise
from autograder.course import Course, CourseError


def test_new_build_audit(toy: Path) -> None:
    """Everything that can work does; what a person has to write is a warning."""
    from autograder.audit import audit

    new_exercise(Course.load(toy), "basics/rectify")
    course = Course.load(toy, authoring=True)
    build(course, ["basics/rectify"])
    course = Course.load(toy)
    assert [e.id for e in course.select(["basics"])] == ["basics/affine", "basics/rectify"]
    (report,) = audit(course, [course.exercise("rectify")])
    assert [point.problems for point in report.points] == [()] * 8
    assert "1 misconceptions; a standard exercise has 8 to 10" in report.points[7].warnings


def test_new_unit_at_the_end(toy: Path) -> None:
    paths = new_exercise(Course.load(toy), "fresh/idea")
    course = Course.load(toy, authoring=True)
    assert course.units[-1].id == "fresh"
    assert all(path.is_file() for path in paths)
    assert "# A course small enough" in (toy / "course/course.toml").read_text()
    assert course.exercise("fresh/idea").spec.difficulty == 2


def test_a_unit_that_was_described_and_not_listed(toy: Path) -> None:
    unit = toy / "course/fresh/unit.toml"
    unit.parent.mkdir()
    unit.write_text('title.en = "Fresh"\ntitle.zh = "新"\nexercises = []  # to come\n', encoding="utf-8")
    new_exercise(Course.load(toy), "fresh/idea")
    last = Course.load(toy, authoring=True).units[-1]
    assert (last.id, last.title.en, last.exercises) == ("fresh", "Fresh", ("idea",))
    assert "# to come" in unit.read_text(encoding="utf-8")


def test_an_unusual_layout_is_not_spoilt(toy: Path) -> None:
    """Either the topic is added rightly, or nothing is written and the author is told to add it."""
    path = toy / "course/basics/unit.toml"
    unusual = path.read_text().replace('exercises = ["affine"]', 'exercises = [\n  "affine",  # first\n]')
    path.write_text(unusual)
    try:
        new_exercise(Course.load(toy, authoring=True), "basics/rectify")
    except CourseError as error:
        assert "by hand" in str(error)
        assert str(path) in str(error)
        assert path.read_text() == unusual
    else:
        course = Course.load(toy, authoring=True)
        assert course.units[0].exercises == ("affine", "rectify")
        assert "# first" in path.read_text()


@pytest.mark.parametrize("name", ["affine", "Basics/affine", "basics/a-b", "basics/a/b", "../x", "basics/"])
def test_bad_names(toy: Path, name: str) -> None:
    with pytest.raises(CourseError, match="write UNIT/TOPIC"):
        new_exercise(Course.load(toy), name)


def test_nothing_is_overwritten(toy: Path) -> None:
    with pytest.raises(CourseError, match=r"affine\.py exists already; choose another name"):
        new_exercise(Course.load(toy), "basics/affine")
    lesson = toy / "course/basics/started.md"
    lesson.write_text("mine")
    before = (toy / "course/basics/unit.toml").read_text()
    with pytest.raises(CourseError, match=r"started\.md exists already"):
        new_exercise(Course.load(toy), "basics/started")
    assert lesson.read_text() == "mine"
    assert (toy / "course/basics/unit.toml").read_text() == before
    assert not (toy / "solutions/basics/started.py").exists()
