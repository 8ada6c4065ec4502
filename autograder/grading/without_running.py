"""Results of submissions that were not run: what can't be read, and what a fault of ours kept from being graded."""

from __future__ import annotations

from autograder.feedback.explain import FIXED
from autograder.grading.bundle import Bundle
from autograder.grading.submissions import Submission
from autograder.results import ExerciseResult, Isolation, Outcome, Status
from autograder.text import Text


def refused(bundle: Bundle, submission: Submission) -> ExerciseResult:
    """A submission that can't be read is recorded, with the reason, at zero points."""
    return ExerciseResult(
        student=submission.student,
        exercise=bundle.exercise,
        status=Status.INVALID,
        score=0.0,
        max_score=bundle.max_score,
        isolation=Isolation.NONE,
        path=submission.path,
        message=submission.problem or Text(),
    )


def ungraded(bundle: Bundle, submission: Submission, detail: str) -> ExerciseResult:
    """What stands for a submission that a fault of ours keeps from being graded; the next run tries again."""
    return ExerciseResult(
        student=submission.student,
        exercise=bundle.exercise,
        status=Status.UNGRADED,
        score=None,
        max_score=bundle.max_score,
        isolation=Isolation.NONE,
        path=submission.path,
        message=FIXED[Outcome.UNGRADED],
        detail=detail,
    )
