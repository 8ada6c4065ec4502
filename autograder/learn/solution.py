"""The reference solution, for a learner who has all points or gives up."""

from __future__ import annotations

from autograder.authoring.build import solution_of
from autograder.course import CourseError, Exercise
from autograder.grading.planted import code_of
from autograder.learn.attempts import attempt_in
from autograder.learn.journal import read_journal
from autograder.text import Text

NO_SOLUTION = Text(
    "{path} is not here: this tree was released without solutions; ask your instructor",
    "没有 {path}：发放的文件里不含答案；请询问教师",
)


def solution_text(exercise: Exercise, *, give_up: bool = False) -> str:
    """The code of the reference, without the statement.

    Raises:
        CourseError: solutions are not at hand, or the last attempt does not have all points and nobody gives up.
    """
    if not exercise.solution.is_file():
        raise CourseError.of(NO_SOLUTION, path=exercise.solution)
    if not give_up and not has_all_points(exercise):
        raise CourseError(
            f"{exercise.skeleton} does not have all points yet: run `autograder check {exercise.id} --hidden`, "
            "ask for a hint, or add --give-up",
            f"{exercise.skeleton} 还没有得到全部分数：请运行 `autograder check {exercise.id} --hidden`，看看提示，或加上 --give-up",
        )
    return code_of(exercise, solution_of(exercise))


def has_all_points(exercise: Exercise) -> bool:
    """Whether the file, as it is now, has all points, those of the hidden tests included."""
    entry = read_journal(exercise.root).entry(exercise)
    return entry.complete and entry.attempt == attempt_in(exercise.skeleton)
