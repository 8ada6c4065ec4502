"""Exercises are learned after what they require."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from autograder.authoring.build import build
from autograder.course import Course, CourseError
from autograder.course.order import learning_order

Edit = Callable[[Path, str, str], None]


def require(toy: Path, edited: Edit, topic: str, name: str) -> None:
    edited(toy / f"solutions/{topic}.toml", "difficulty = ", f'requires = ["{name}"]\ndifficulty = ')
    build(Course.load(toy, authoring=True))


def order(toy: Path) -> list[str]:
    return [exercise.id for exercise in learning_order(Course.load(toy))]


def test_without_requirements_it_is_the_course_s_own(toy: Path) -> None:
    assert order(toy) == ["basics/affine", "extras/vowels"]


def test_what_is_required_comes_first(toy: Path, edited: Edit) -> None:
    require(toy, edited, "basics/affine", "extras/vowels")
    assert order(toy) == ["extras/vowels", "basics/affine"]


def test_a_circle_is_told(toy: Path, edited: Edit) -> None:
    require(toy, edited, "basics/affine", "extras/vowels")
    require(toy, edited, "extras/vowels", "basics/affine")
    with pytest.raises(CourseError, match="basics/affine -> extras/vowels -> basics/affine; take one"):
        order(toy)


def test_an_unknown_requirement_is_told_where_the_whole_course_is(toy: Path, edited: Edit) -> None:
    require(toy, edited, "basics/affine", "extras/nosuch")
    with pytest.raises(CourseError, match=r"affine\.toml requires 'extras/nosuch'"):
        order(toy)
    shutil.rmtree(toy / "solutions")
    assert order(toy) == ["basics/affine", "extras/vowels"]
