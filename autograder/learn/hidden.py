"""The hidden tests on a learner's own file, where the solutions are at hand."""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextlib import ExitStack, closing, nullcontext
from dataclasses import replace

from autograder.course import CourseError, Exercise
from autograder.course.catalogue import require_file
from autograder.feedback.report import Report
from autograder.grading.bundle import Bundle, bundle_of, result_key
from autograder.grading.submissions import Submission
from autograder.grading.worker import Mode, Worker
from autograder.guest.loading import PART, module_name
from autograder.learn.attempts import attempt_in, failing_questions, note_hidden
from autograder.learn.journal import HiddenPoints, read_journal
from autograder.learn.own_parts import own_parts
from autograder.results import Isolation, Status
from autograder.sandbox.errors import SandboxUnavailable
from autograder.text import Text, joined

COMPLETE = Text("Complete: all tests pass, the hidden ones, too.", "完成：全部测试都已通过，包括隐藏测试。")


def hidden_worker() -> Worker:
    """What runs hidden tests on a learner's own file; in process where no sandbox is to be had."""
    worker = Worker(Mode())
    try:
        worker.start()
    except SandboxUnavailable:
        return Worker(Mode(unsafe=True))  # the learner's own code on the learner's own machine
    return worker


def check_hidden(exercise: Exercise, lang: str, worker: Worker | None = None) -> Report:
    """Grade the learner's own file as the instructor's grader would, and note it as an attempt.

    Args:
        worker: one that stays open; by default one of its own.

    Raises:
        CourseError: if the solutions are not here (a released tree).
    """
    if not exercise.hidden_tests.is_file():
        raise CourseError(
            f"{exercise.hidden_tests} is not here: this tree was released without hidden tests; leave out --hidden",
            f"没有 {exercise.hidden_tests}：发放的文件里不含隐藏测试；请去掉 --hidden",
        )
    with nullcontext(worker) if worker is not None else closing(hidden_worker()) as at_work:
        report, _ = _graded(exercise, lang, at_work)
    return report


def hidden_points(exercises: Iterable[Exercise], lang: str) -> dict[str, HiddenPoints]:
    """Exercise -> what its hidden tests say of the learner's own file. What the journal knows is not run again."""
    found: dict[str, HiddenPoints] = {}
    with ExitStack() as stack:
        worker: Worker | None = None
        for exercise in exercises:
            points = read_journal(exercise.root).entry(exercise).hidden
            if points is None or points.key != _key(bundle_of(exercise), own_submission(exercise)):
                if worker is None:
                    worker = stack.enter_context(closing(hidden_worker()))
                worker.keep_only(exercise.id)
                _, points = _graded(exercise, lang, worker)
            if points is not None:
                found[exercise.id] = points
    return found


def _graded(exercise: Exercise, lang: str, worker: Worker) -> tuple[Report, HiddenPoints | None]:
    """The report, and what is to be remembered of it; nothing where a fault of ours kept it from being graded."""
    attempt, bundle, submission = attempt_in(exercise.skeleton), bundle_of(exercise), own_submission(exercise)
    result = worker.grade(bundle, submission)
    title = exercise.spec.title.text.pick(lang)
    report = Report(exercise.id, title, result.tests, lang, shares=True, message=result.message)
    if result.status is Status.UNGRADED:
        return report, None
    if report.complete:
        report = replace(report, message=joined(report.message, COMPLETE))
    else:
        cases = worker.grader(bundle).cases
        report = replace(report, failing=failing_questions(exercise, cases, result.tests))
    return report, note_hidden(exercise, attempt, report, _key(bundle, submission))


def own_submission(exercise: Exercise) -> Submission:
    """The learner's own file as a submission, with the files beside it and the learner's own parts of a capstone."""
    path = exercise.skeleton
    require_file(path, exercise)
    files = {path.name: path.read_bytes()}
    files |= {
        p.name: p.read_bytes()
        for p in path.parent.glob("*.py")
        if p != path and not p.name.startswith("test_")
    }
    return Submission("", exercise.id, path.name, path.name, files | own_parts(exercise))


def _key(bundle: Bundle, submission: Submission) -> str:
    """Changes with everything that the answer of the hidden tests depends on.

    That is the file itself, the parts of a capstone, and of the files beside it those that it speaks of.
    """
    text = submission.files[submission.main].decode("utf-8", "replace")
    used = {
        name: raw
        for name, raw in submission.files.items()
        if name == submission.main or name.startswith(PART) or re.search(rf"\b{module_name(name)}\b", text)
    }
    return result_key(bundle, submission.main, used, Isolation.NONE)
