"""The order in which exercises are learned: what one requires comes before it."""

from __future__ import annotations

from autograder.course.catalogue import COURSE_FILE, Course
from autograder.course.exercise import Exercise
from autograder.course.toml import CourseError


def learning_order(course: Course) -> list[Exercise]:
    """The course's exercises, each after those that it requires, otherwise in the course's own order.

    Raises:
        CourseError: an exercise requires one that is not in the course, or, in the end, itself.
    """
    ordered: dict[str, Exercise] = {}

    def place(exercise: Exercise, waiting: tuple[str, ...]) -> None:
        if exercise.id in ordered:
            return
        if exercise.id in waiting:
            circle = " -> ".join((*waiting[waiting.index(exercise.id) :], exercise.id))
            raise CourseError(
                f"{exercise.spec_file}: exercises require one another: {circle}; take one `requires` out",
                f"{exercise.spec_file}：练习互相要求：{circle}；请去掉其中一处 `requires`",
            )
        for name in exercise.basics.requires:
            if name in course.exercises:
                place(course.exercises[name], (*waiting, exercise.id))
            elif course.has_solutions:  # a part that was given out alone need not hold it
                raise CourseError(
                    f"{exercise.spec_file} requires {name!r}, which {course.root / COURSE_FILE} does not hold; correct it",
                    f"{exercise.spec_file} 要求 {name!r}，而 {course.root / COURSE_FILE} 中没有它；请改正",
                )
        ordered[exercise.id] = exercise

    for exercise in course:
        place(exercise, ())
    return list(ordered.values())
