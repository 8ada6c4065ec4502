"""`autograder check --hidden`: public and hidden tests with diagnosis, for learners who have the solutions at hand."""

from __future__ import annotations

from autograder.course import CourseError, Exercise
from autograder.feedback.report import Report
from autograder.sandbox.errors import SandboxUnavailable


def check_hidden(exercise: Exercise, lang: str) -> Report:
    """Grade the learner's own file as the instructor's grader would; in process where no sandbox is to be had.

    Raises:
        CourseError: if the solutions are not here (a released tree).
    """
    if not exercise.hidden_tests.is_file():
        raise CourseError(
            f"{exercise.hidden_tests} is not here: this tree was released without hidden tests; leave out --hidden",
            f"没有 {exercise.hidden_tests}：发放的文件里不含隐藏测试；请去掉 --hidden",
        )
    from autograder.grading.bundle import bundle_of
    from autograder.grading.submissions import Submission
    from autograder.grading.worker import Mode, Worker
    from autograder.runner.in_process import require_file

    path = exercise.skeleton
    require_file(path, exercise)
    files = {path.name: path.read_bytes()}
    files |= {
        p.name: p.read_bytes()
        for p in path.parent.glob("*.py")
        if p != path and not p.name.startswith("test_")
    }
    submission = Submission("", exercise.id, path.name, path.name, files)
    bundle = bundle_of(exercise)
    worker = Worker(Mode())
    try:
        worker.room  # noqa: B018 - finds out whether there is a sandbox
    except SandboxUnavailable:
        worker = Worker(Mode(unsafe=True))  # the learner's own code on the learner's own machine
    try:
        result = worker.grade(bundle, submission)
    finally:
        worker.close()
    return Report(exercise.id, exercise.spec.title.text.pick(lang), result.tests, lang, shares=True)
