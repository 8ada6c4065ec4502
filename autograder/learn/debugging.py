"""Find the bug: a right answer with one known mistake in it, for whoever has all points on the exercise.

Practice in finding planted mistakes helps learners to find their own. The journal keeps which kinds of mistakes they find.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from hashlib import sha256

from autograder.course import Course, CourseError, Exercise, Misconception
from autograder.grading.bundle import bundle_of
from autograder.grading.planted import Planted, is_small, plant
from autograder.grading.submissions import Submission
from autograder.grading.worker import Worker
from autograder.learn.hidden import hidden_worker
from autograder.learn.journal import Bug, entry_of, read_journal
from autograder.learn.reset import keep_copy
from autograder.learn.solution import NO_SOLUTION, has_all_points
from autograder.results import Outcome, Status, Visibility
from autograder.text import Text

HEAD = """# Find the bug in {exercise}: this right answer was changed into one with a mistake.
#
#   autograder debug {exercise} --line N   whether it stands in line N; the first line you name counts
#   autograder debug {exercise}            whether you have mended it, and nothing else
#
# 找出 {exercise} 里的错误：这份正确答案被改成了有一处错误的样子。上面第一条命令判断错误是否在第 N 行（只有第一次算数），
# 第二条命令判断你是否改好了它，并且没有改动别的地方。

"""
NOT_YET = Text(
    "{exercise} is for debugging once you have all its points, because what is shown is a right answer: run "
    "`autograder check {exercise} --hidden`",
    "{exercise} 得到全部分数之后才能用来找错，因为给出的是一份正确答案：请运行 `autograder check {exercise} --hidden`",
)
NOTHING = Text("{exercise} has no known mistakes", "{exercise} 没有已知的错误")
ABSENT = Text(
    "there is no bug to find yet; run `autograder debug {exercise}` first",
    "还没有要找的错误；请先运行 `autograder debug {exercise}`",
)
NO_LINE = Text(
    "{path} has {lines} lines; --line {line} is none of them", "{path} 共 {lines} 行，没有第 {line} 行"
)
FAULT = Text(
    "the tests of {exercise} could not be run, which is no fault of yours: {detail}",
    "{exercise} 的测试无法运行，这不是你的错：{detail}",
)
GONE = Text(
    "the mistake that was planted in {exercise} is no longer among its known ones; a new one comes next time",
    "之前放进 {exercise} 的错误已不在已知错误之列；下次会给出新的错误",
)


@dataclass(frozen=True)
class Tried:
    """What became of a mend.

    untouched: the file is still as it was given out.
    lost: what the tests check that it does not pass.
    small: it changes no more than the mistake did; None where that doesn't matter yet, or the file is no Python.
    """

    untouched: bool = False
    lost: Sequence[Text] = ()
    small: bool | None = None

    @property
    def mended(self) -> bool:
        return not self.untouched and not self.lost and self.small is True


def open_bug(exercise: Exercise) -> Bug | None:
    """The mistake that the learner is looking for now."""
    bugs = read_journal(exercise.root).entry(exercise).bugs
    return bugs[-1] if bugs and not bugs[-1].ended and exercise.debugged.is_file() else None


def begin(exercise: Exercise, level: int) -> tuple[Planted, list[Text]]:
    """Write a program with a mistake that the learner has not met; what the public tests check that it does not pass.

    Args:
        level: 1, a mistake that public tests show; 2, one that only hidden tests show. Where none of the level is left, any.

    Raises:
        CourseError: the exercise has no known mistakes, solutions are not at hand, or the learner does not have all
            its points.
    """
    if exercise.kind != "quiz" and not exercise.solution.is_file():
        raise CourseError.of(NO_SOLUTION, path=exercise.solution)
    if not exercise.spec.misconception or exercise.kind == "quiz":
        raise CourseError.of(NOTHING, exercise=exercise.id)
    if not has_all_points(exercise):
        raise CourseError.of(NOT_YET, exercise=exercise.id)
    with closing(hidden_worker()) as worker:
        planted, lost = _choose(exercise, level, worker)
    if exercise.debugged.is_file():
        keep_copy(exercise, exercise.debugged)
    exercise.debugged.write_text(planted.text, encoding="utf-8")
    with entry_of(exercise) as entry:
        if entry.bugs and not entry.bugs[-1].ended:
            entry.bugs.pop()  # its file is gone
        entry.bugs = [*entry.bugs, Bug(planted.mistake.name, planted.kind.value)]
    return planted, lost


def _choose(exercise: Exercise, level: int, worker: Worker) -> tuple[Planted, list[Text]]:
    """Of the mistakes that the learner has met least often, the first of this level; else the first."""
    first = None
    for planted in _least_met(exercise):
        lost = _lost(exercise, worker, planted.text, (Visibility.PUBLIC,))
        first = first or (planted, lost)
        if bool(lost) == (level == 1):
            return planted, lost
    if first is None:
        raise CourseError.of(NOTHING, exercise=exercise.id)
    return first


def _least_met(exercise: Exercise) -> Iterator[Planted]:
    """Planted, in an order of no meaning."""
    met = [bug.mistake for bug in read_journal(exercise.root).entry(exercise).bugs]
    counts = {mistake.name: met.count(mistake.name) for mistake in exercise.spec.misconception}

    def turn(mistake: Misconception) -> str:
        return sha256(f"{exercise.id} {mistake.name}".encode()).hexdigest()

    for mistake in sorted(exercise.spec.misconception, key=turn):
        if counts[mistake.name] == min(counts.values()):
            with suppress(ValueError):  # its edit no longer fits; an audit says so
                yield _planted(exercise, mistake)


def _planted(exercise: Exercise, mistake: Misconception) -> Planted:
    return plant(exercise, mistake, HEAD.format(exercise=exercise.id))


def _looked_for(exercise: Exercise) -> Planted:
    bug = open_bug(exercise)
    if bug is None:
        raise CourseError.of(ABSENT, exercise=exercise.id)
    for mistake in exercise.spec.misconception:
        if mistake.name == bug.mistake:
            return _planted(exercise, mistake)
    _end(exercise, "shown")
    raise CourseError.of(GONE, exercise=exercise.id)


def guess(exercise: Exercise, line: int) -> bool:
    """Whether the mistake stands in this line of the file as it was given out. The first guess is remembered."""
    planted = _looked_for(exercise)
    lines = planted.text.count("\n")
    if not 1 <= line <= lines:
        raise CourseError.of(NO_LINE, path=exercise.debugged, lines=lines, line=line)
    right = line in planted.lines
    with entry_of(exercise) as entry:
        if entry.bugs[-1].found_at_once is None:
            entry.bugs[-1].found_at_once = right
    return right


def try_mend(exercise: Exercise) -> tuple[Planted, Tried]:
    """What the learner's mend is worth, tested as a submission is; a good one ends the search."""
    planted = _looked_for(exercise)
    text = exercise.debugged.read_text(encoding="utf-8", errors="replace")
    if text == planted.text:
        return planted, Tried(untouched=True)
    with closing(hidden_worker()) as worker:
        lost = _lost(exercise, worker, text, tuple(Visibility))
    tried = Tried(lost=lost, small=None if lost else is_small(planted.text, planted.right, text))
    if tried.mended:
        _end(exercise, "mended")
    return planted, tried


def give_up(exercise: Exercise) -> Planted:
    """Where the mistake is; that ends the search."""
    planted = _looked_for(exercise)
    _end(exercise, "shown")
    return planted


def _end(exercise: Exercise, how: str) -> None:
    with entry_of(exercise) as entry:
        entry.bugs[-1].ended = how


def _lost(exercise: Exercise, worker: Worker, text: str, visibilities: Collection[Visibility]) -> list[Text]:
    """What a program's tests of these visibilities check that it does not pass. A diagnosis would name the mistake."""
    name, bundle = f"{exercise.topic}.py", bundle_of(exercise)
    result = worker.grade(bundle, Submission("", exercise.id, name, name, {name: text.encode()}))
    if result.status is Status.UNGRADED:
        raise CourseError.of(FAULT, exercise=exercise.id, detail=result.detail)
    lost = {test.name for test in result.tests if test.outcome is not Outcome.PASSED}
    cases = worker.grader(bundle).cases
    sentences = [case.sentence for case in cases if case.name in lost and case.visibility in visibilities]
    return list(dict.fromkeys(sentences))


def met(course: Course) -> list[tuple[Exercise, Bug]]:
    """Every mistake that the learner has looked for, in course order."""
    journal = read_journal(course.root)
    return [(exercise, bug) for exercise in course for bug in journal.entry(exercise).bugs]
