"""Graders of the exercises that assignments derive from others: a student's own tests, and a mistake to find."""

from __future__ import annotations

from collections.abc import Sequence

from autograder.feedback.own_tests import MISSED, NOTHING, told_after_grading
from autograder.grading.bundle import DebugBundle, OwnTestsBundle, result_key
from autograder.grading.grader import ExerciseGrader
from autograder.grading.own_tests import Judgement, OwnTests, Tester, Unusable, Verdict, judge
from autograder.grading.planted import is_small
from autograder.grading.submissions import Submission
from autograder.guest.loading import PART, decode_source
from autograder.results import ExerciseResult, Isolation, Outcome, Status, TestResult, Visibility, total
from autograder.text import Text, joined, printable

SHOWN = 3  # tests that a mend does not pass
OUTPUT_SHOWN = 2000  # characters of what a test said, for the instructor
RIGHT_ANSWERS = "right_answers"
NOT_TRIED = Text(
    "Not tried, because your tests refuse a right answer.", "没有试过，因为你的测试不接受一个正确答案。"
)
UNUSABLE = Text("Your tests can't be run: {error}", "你的测试无法运行：{error}")
NOT_BEGUN = Text(
    "None of your tests could begin. They may have the parameters that tests of exercises have (student, reference, "
    "gradients, unchanged, build, parts, ranks) and those that `parametrize` gives them.",
    "没有一个测试能够开始。测试的参数只能是练习测试可用的那些（student、reference、gradients、unchanged、build、parts、ranks）"
    "以及 `parametrize` 给出的参数。",
)
NO_REFERENCE = Text(
    "What tests ask for as `reference` is your own answer to {exercise}, handed in beside them; there is none.",
    "测试中的 `reference` 是与它一起提交的、你自己对 {exercise} 的答案；这次没有提交。",
)
ALL_PASS, NO_MORE = "all_tests_pass", "no_more_changed"
STILL = Text("Not mended yet. These tests fail:", "还没有改好。这些测试没有通过：")
FIRST_MEND = Text("Looked at once all tests pass.", "全部测试通过之后才会检查。")
TOO_MUCH = Text(
    "All tests pass, but more was changed than the mistake: put back what was right.",
    "测试全部通过，但改动超出了错误本身：请把原本正确的部分改回去。",
)
A_NOTEBOOK = Text(
    "Mend the file that you were given, and hand in that: {path} is a notebook.",
    "请在发给你的文件里改好错误并提交该文件：{path} 是 notebook。",
)


class OwnTestsGrader:
    """Grades tests that students wrote: the share of the known mistakes that they catch."""

    def __init__(self, bundle: OwnTestsBundle, tester: Tester, isolation: Isolation) -> None:
        self.bundle = bundle
        self.isolation = isolation
        self._tester = tester

    def close(self) -> None:
        self._tester.close()

    def grade(self, submission: Submission) -> ExerciseResult:
        """Try the tests on every right answer and every known mistake."""
        own = {name: raw for name, raw in submission.files.items() if name != submission.main}
        answer = next((name for name in own if name.startswith(PART)), "")
        source = submission.files[submission.main]
        text = source.decode("utf-8", "replace")
        remark = Text()
        if not answer and "reference" in text:
            remark = NO_REFERENCE.format(exercise=self._base)
        tests: Sequence[TestResult] = ()
        status, output = Status.GRADED, ""
        try:
            found = judge(
                self._tester,
                OwnTests(source, submission.main, own, answer),
                self.bundle,
                self.bundle.accepted,
            )
        except Unusable as error:
            status, output = Status.INVALID, str(error)
            # Once they have met a program, a text of theirs may hold what it answered.
            told = NOT_BEGUN if error.met_programs else UNUSABLE.format(error=printable(str(error), 300))
            remark = joined(told, remark)
        else:
            tests = self._tests(found, submission.main, text)
            if found.refused:
                output = "\n".join(
                    f"{found.refused.program or 'reference'}: {f.test}: {f.error}"
                    for f in found.refused.failures
                )
            elif not found.caught:
                remark = joined(NOTHING, remark)
        return ExerciseResult(
            student=submission.student,
            exercise=self.bundle.exercise,
            status=status,
            score=total(test.score for test in tests),
            max_score=self.bundle.max_score,
            isolation=self.isolation,
            key=result_key(self.bundle, submission.main, submission.files, self.isolation),
            path=submission.path,
            message=remark,
            output=printable(output, OUTPUT_SHOWN),
            tests=tuple(tests),
        )

    @property
    def _base(self) -> str:
        return self.bundle.exercise.replace("/own_test_", "/")

    def _tests(self, found: Judgement, path: str, source: str) -> list[TestResult]:
        """One for the right answers, which is worth nothing, and one for each known mistake, under a neutral name."""
        hints = {m.name: m.hint.text for m in self.bundle.spec.misconception}
        tests = [_test(RIGHT_ANSWERS, _refusal(found.refused, path, source))]
        names = [name for name in hints if name in (*found.caught, *found.missed)]
        points = self.bundle.max_score / len(names)
        for number, name in enumerate(names, 1):
            caught = name in found.caught
            # Who asserts nothing has not begun to look for mistakes.
            message = Text() if caught or not found.caught else joined(MISSED, hints[name])
            outcome = Outcome.PASSED if caught else Outcome.FAILED
            if found.refused:
                outcome, message = Outcome.NOT_RUN, NOT_TRIED
            tests.append(_test(f"mistake_{number}", message, outcome, points))
        return tests


def _refusal(refused: Verdict | None, path: str, source: str) -> Text:
    if refused is None:
        return Text()
    first = refused.failures[0]
    return told_after_grading(first.test, first.outcome, first.error, path, source)


def _test(name: str, message: Text, outcome: Outcome | None = None, points: float = 0.0) -> TestResult:
    if outcome is None:
        outcome = Outcome.FAILED if message.en else Outcome.PASSED
    return TestResult(
        name=name,
        visibility=Visibility.HIDDEN,
        outcome=outcome,
        score=points if outcome is Outcome.PASSED else 0.0,
        max_score=points,
        message=message,
    )


class DebugGrader:
    """Grades mends: half of the points where all tests pass, the other half where no more was changed than the mistake."""

    def __init__(self, bundle: DebugBundle, grader: ExerciseGrader) -> None:
        """grader: of the exercise that the mistake was planted in."""
        self.bundle = bundle
        self._grader = grader

    def close(self) -> None:
        self._grader.close()

    def grade(self, submission: Submission) -> ExerciseResult:
        """Run every test of the exercise on the mend, and measure it."""
        key = result_key(self.bundle, submission.main, submission.files, self._grader.isolation)
        result = self._grader.grade(submission)
        score, tests, message = result.score, [], result.message
        status = Status.INVALID if result.status is Status.NOT_BEGUN else result.status
        if not submission.main.endswith(".py"):
            status, score, message = Status.INVALID, 0.0, A_NOTEBOOK.format(path=submission.path)
        elif result.status is Status.GRADED:
            tests = self._tests(result, decode_source(submission.files[submission.main]))
            score = total(test.score for test in tests)
        elif result.status is not Status.UNGRADED:
            score = 0.0
        return ExerciseResult(
            student=submission.student,
            exercise=self.bundle.exercise,
            status=status,
            score=score,
            max_score=self.bundle.max_score,
            isolation=result.isolation,
            key=key,
            path=submission.path,
            message=message,
            detail=result.detail,
            output=result.output,
            tests=tuple(tests),
        )

    def _tests(self, result: ExerciseResult, text: str) -> list[TestResult]:
        half = self.bundle.max_score / 2
        lost = {test.name for test in result.tests if test.outcome is not Outcome.PASSED}
        if lost:
            sentences = dict.fromkeys(case.sentence for case in self._grader.cases if case.name in lost)
            told = joined(STILL, *list(sentences)[:SHOWN])
            return [
                _test(ALL_PASS, told, Outcome.FAILED, half),
                _test(NO_MORE, FIRST_MEND, Outcome.NOT_RUN, half),
            ]
        small = is_small(self.bundle.given, self.bundle.right, text)
        return [
            _test(ALL_PASS, Text(), Outcome.PASSED, half),
            _test(NO_MORE, Text() if small else TOO_MUCH, Outcome.PASSED if small else Outcome.FAILED, half),
        ]
