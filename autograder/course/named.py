"""Which exercise a learner means: its name, its file, or the unit that it opens."""

from __future__ import annotations

from pathlib import Path

from autograder.course.catalogue import Course, exercise_at
from autograder.course.exercise import Exercise
from autograder.course.toml import CourseError


def one_exercise(course: Course, name: str) -> Exercise:
    """The exercise called `UNIT/TOPIC` or TOPIC, or the one whose file this is. CourseError otherwise."""
    if name.endswith(".py"):
        return _of_file(course, Path(name).resolve())
    topics = _topics(course, name)
    if topics:
        raise CourseError(
            f"{name!r} is a unit; write one of its exercises: {', '.join(topics)}",
            f"{name!r} 是一个单元；请写出其中的一道练习：{'、'.join(topics)}",
        )
    return course.exercise(name)


def first_exercise(course: Course, name: str) -> Exercise:
    """As `one_exercise`; of a unit its first."""
    topics = _topics(course, name)
    return course.exercise(topics[0]) if topics else one_exercise(course, name)


def _topics(course: Course, name: str) -> list[str]:
    name = name.replace("\\", "/").rstrip("/").removeprefix("exercises/")
    return [exercise.id for exercise in course if exercise.unit == name]


def _of_file(course: Course, path: Path) -> Exercise:
    exercise = exercise_at(course, path)
    if exercise is None or path not in (exercise.skeleton.resolve(), exercise.public_tests.resolve()):
        raise CourseError(
            f"{path} is no exercise of the course in {course.root}; write UNIT/TOPIC, or exercises/UNIT/TOPIC.py",
            f"{path} 不是课程 {course.root} 的练习；请写 UNIT/TOPIC 或 exercises/UNIT/TOPIC.py",
        )
    return exercise
