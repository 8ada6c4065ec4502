"""The catalogue: which units and exercises there are, and where each one's files lie."""

from autograder.course.catalogue import Assignment, Course, Unit, find_course
from autograder.course.exercise import Exercise
from autograder.course.spec import Edit, ExerciseSpec, Hint, Misconception, PublicSpec
from autograder.course.toml import CourseError

__all__ = [
    "Assignment",
    "Course",
    "CourseError",
    "Edit",
    "Exercise",
    "ExerciseSpec",
    "Hint",
    "Misconception",
    "PublicSpec",
    "Unit",
    "find_course",
]
