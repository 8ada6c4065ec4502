"""Write the test: a learner's own tests of an exercise, and which known mistakes they catch.

Who writes tests that tell right programs from wrong ones has understood the task: Wrenn and Krishnamurthi, "Executable
Examples for Programming Problem Comprehension", ICER 2019.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing

from autograder.course import CourseError, Exercise
from autograder.course.derived import template_of
from autograder.grading.bundle import bundle_of
from autograder.grading.own_tests import Judgement, OwnTests, Unusable, judge
from autograder.grading.worker import Mode, Worker
from autograder.learn.hidden import own_submission
from autograder.learn.journal import entry_of
from autograder.text import Text

NO_SOLUTIONS = Text(
    "{path} is not here: this tree was released without solutions, and your tests are tried on those; hand them in instead",
    "没有 {path}：发放的文件里不含答案，无法试运行你的测试；请直接提交",
)
NO_CODE = Text("{exercise} is a quiz: there is no program to test", "{exercise} 是小测验：没有可以测试的程序")


def begin(exercise: Exercise) -> bool:
    """Write a file for the learner's tests, if there is none; whether it was written now."""
    if exercise.kind == "quiz":
        raise CourseError.of(NO_CODE, exercise=exercise.id)
    path = exercise.own_tests
    if path.exists():
        return False
    with path.open("x", encoding="utf-8") as file:
        file.write(template_of(exercise))
    return True


def try_out(exercise: Exercise, tried: Callable[[int, int], None]) -> Judgement:
    """What the learner's tests are worth; the journal keeps it. `tried` as in `judge`.

    Raises:
        CourseError: solutions are not at hand, or the file of tests can't be used.
        SandboxUnavailable: this machine can't confine a program.
    """
    if not exercise.solution.is_file():
        raise CourseError.of(NO_SOLUTIONS, path=exercise.solution)
    own = own_submission(exercise)
    path = exercise.own_tests
    tests = OwnTests(path.read_bytes(), path.name, own.files, own.main)
    accepted = {file.name: file.read_bytes() for file in exercise.accepted}
    with closing(Worker(Mode(hide=(exercise.root,)))) as worker, worker.tester() as tester:
        try:
            judgement = judge(tester, tests, bundle_of(exercise), accepted, tried)
        except Unusable as error:
            raise CourseError(f"{path} can't be used: {error}", f"{path} 无法使用：{error}") from None
    with entry_of(exercise) as entry:
        entry.caught = [len(judgement.caught), len(judgement.caught) + len(judgement.missed)]
    return judgement
