"""Results without tests: of what can't be read, of what a fault of ours kept from being graded, of what ends its graders."""

from __future__ import annotations

from msgspec.structs import replace

from autograder.feedback.explain import FIXED
from autograder.grading.bundle import Bundle
from autograder.grading.submissions import Submission
from autograder.results import ExerciseResult, Isolation, Outcome, Status
from autograder.text import Text

DEADLY = Text(
    "Your file ended the program that tests it, twice ({how}), the second time with nothing else running; most likely it "
    "took all the memory there is. The reference solution does not. So it counts as failed.",
    "你的文件两次使评测程序终止（{how}），第二次没有运行其他任务；很可能是用尽了内存。参考答案则不会如此。因此按未通过计。",
)


def deadly(bundle: Bundle, submission: Submission, isolation: Isolation, how: str) -> ExerciseResult:
    """What stands for a submission that ended the process which tested it, and did so again while it ran alone.

    It has no key: the next run tries again.
    """
    return replace(
        refused(bundle, submission),
        isolation=isolation,
        message=DEADLY.format(how=how),
    )


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
        submitted=submission.submitted,
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
        submitted=submission.submitted,
        message=FIXED[Outcome.UNGRADED],
        detail=detail,
    )
