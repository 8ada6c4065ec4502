"""`check()`: run an exercise's public tests on what the student has written so far.

It stands in the cell after each question. While the student's file is imported by a test run it does nothing.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from autograder.course import Course, CourseError, Exercise, find_course
from autograder.feedback.progress import DONE
from autograder.feedback.report import Report
from autograder.learn.attempts import attempt_in, attempt_of, failing_questions, note_public
from autograder.learn.hints import give_hint
from autograder.results import Limits, Outcome, TestResult, Visibility
from autograder.text import Text, encodable, joined, language

if TYPE_CHECKING:
    from autograder.runner.collect import TestCase
    from autograder.runner.in_process import InProcessBackend
    from autograder.runner.run import Ending


# In a notebook a name is absent because its cell comes later, or was changed and not run.
NOT_RUN = Text("not run yet", "尚未运行")
NO_COURSE = Text(
    'There is no course at or above {here}; say where it is: check({name}, course="DIR")',
    '{here} 及其上级目录里没有课程；请指明课程的位置：check({name}, course="DIR")',
)
NO_NAME = Text(
    'check() does not know the exercise here; write check("UNIT/TOPIC")',
    'check() 不知道这里是哪道题；请写成 check("UNIT/TOPIC")',
)
INTERRUPTED = Text(
    "interrupted in {test}, line {line} of {file}: {source}",
    "在 {test} 中被中断，{file} 第 {line} 行：{source}",
)
KNOWN = Text("A known mistake: {hint}", "常见误解：{hint}")
KNOWN_AGAIN = Text("The same mistake as in {test}.", "与 {test} 是同一个错误。")
HIDDEN_TOO = Text(
    "All public tests pass. Hidden tests decide: autograder check {exercise} --hidden",
    "公开测试全部通过，最终由隐藏测试决定：autograder check {exercise} --hidden",
)
INTERRUPTED_ELSEWHERE = Text("interrupted in {test}", "在 {test} 中被中断")


class Interrupted(KeyboardInterrupt):
    """Ctrl-C during a test; the message says in which, and where in the student's file."""


def check(exercise: str | None = None, *, lang: str | None = None, course: str | Path | None = None) -> None:
    """Test the caller's definitions against the public tests of `exercise` and show a small table.

    What keeps it from doing so (no course here, no such exercise) is said where the table would be.

    Args:
        exercise: `UNIT/TOPIC`. May be left out in a file of that name.
        lang: "en" or "zh"; the locale's by default.
        course: the course's folder; by default the one at or above the file, or the working folder.
    """
    caller = sys._getframe(1)
    namespace = caller.f_globals
    if namespace.get("__name__") != "__main__":
        return  # the file is being imported, by a test run or by another file
    lang = language(lang)
    try:
        report = _report(exercise, namespace, lang, course)
    except CourseError as error:
        print(encodable(error.text.pick(lang), sys.stdout.encoding))
    else:
        show(report)


def _report(
    exercise: str | None, namespace: Mapping[str, Any], lang: str, course: str | Path | None
) -> Report:
    file = namespace.get("__file__")
    name = exercise or (f"{Path(file).parent.name}/{Path(file).stem}" if file else "")
    start = Path(file).parent if file else Path.cwd()
    try:
        root = find_course(start, Path(course) if course is not None else None)
    except CourseError as error:
        if course is not None:
            raise
        shown = f'"{exercise}"' if exercise else '"UNIT/TOPIC"'
        raise CourseError.of(NO_COURSE, here=start.resolve(), name=shown) from error
    if not name:
        raise CourseError.of(NO_NAME)
    return _noted(Course.load(root, authoring=True).exercise(name), namespace, lang)


def _noted(exercise: Exercise, namespace: Mapping[str, Any], lang: str) -> Report:
    """The report on a notebook's or script's definitions, noted as an attempt, with a hint where something fails."""
    report = check_namespace(exercise, namespace, lang)
    file = namespace.get("__file__")
    attempt = attempt_in(Path(file)) if file else attempt_of(namespace)
    _note(exercise, attempt, report, in_notebook=file is None)
    return report if report.complete or file else dataclasses.replace(report, hint=give_hint(exercise, lang))


def require(exercise: str, test: str, namespace: Mapping[str, Any], *, lang: str | None = None) -> None:
    """One public test, for platforms that run tests one by one: returns if every set of its parameters passes.

    Args:
        exercise: `UNIT/TOPIC`.
        test: the name of the test function.
        namespace: the notebook's definitions.
        lang: as for `check`.

    Raises:
        AssertionError: it does not pass; the message is what the student is to read.
        CourseError: there is no such exercise or test at or above the working folder.
    """
    course = Course.load(find_course(), authoring=True)
    report = check_namespace(course.exercise(exercise), namespace, language(lang), only=test)
    if not report.tests:
        raise CourseError(
            f"{course.exercise(exercise).public_tests} has no test {test!r}; take its present name",
            f"{course.exercise(exercise).public_tests} 里没有测试 {test!r}；请使用它现在的名字",
        )
    told: dict[str, None] = {}
    for outcome, name, message in report.lines():
        if outcome is Outcome.NOT_IMPLEMENTED and name not in message:
            message = f"{name}: {message}"  # there is no table here whose first column says which
        if outcome is not Outcome.PASSED:
            told[message] = None
    if told:
        raise AssertionError("\n".join(told))


def check_namespace(
    exercise: Exercise, namespace: Mapping[str, Any], lang: str, *, only: str | None = None
) -> Report:
    """The report on definitions in a notebook's or script's namespace; with `only`, on that test function alone."""
    from autograder.guest.loading import install
    from autograder.learn.own_parts import parts_or_advice
    from autograder.runner.in_process import InProcessBackend

    install(parts_or_advice(exercise, lang))
    module = ModuleType("submission")
    module.__dict__.update({name: value for name, value in namespace.items() if not name.startswith("__")})
    file = namespace.get("__file__")

    def is_student(filename: str) -> bool:
        return filename == file or "ipykernel_" in filename or filename.startswith("<ipython-input")

    backend = InProcessBackend(lambda skipped: module, exercise.public.forbidden_calls, is_student)
    return run_public(exercise, backend, is_student, lang, only=only, absent=None if file else NOT_RUN)


def check_own(exercise: Exercise, lang: str) -> Report:
    """The report on the exercise's own file, noted as an attempt."""
    attempt = attempt_in(exercise.skeleton)
    report = check_file(exercise, lang)
    _note(exercise, attempt, report)
    return report


def _note(exercise: Exercise, attempt: str, report: Report, *, in_notebook: bool = False) -> None:
    note_public(
        exercise, attempt, report.score, report.max_score, report.failing,
        passes=report.complete, in_notebook=in_notebook,
    )  # fmt: skip


def check_file(exercise: Exercise, lang: str, path: Path | None = None) -> Report:
    """The report on a file, the exercise's own by default."""
    from autograder.guest.loading import filename_of
    from autograder.learn.own_parts import parts_or_advice
    from autograder.runner.in_process import local_backend

    path = path or exercise.skeleton
    filename = filename_of(path.name, str(path.parent.resolve()))

    def is_student(name: str) -> bool:
        return name == filename

    try:
        backend = local_backend(path, exercise, parts_or_advice(exercise, lang))
    except CourseError:
        raise
    except KeyboardInterrupt as stop:
        raise _interrupted(stop, path.name, is_student, lang) from None
    except BaseException as error:  # the file may raise anything, SystemExit included
        return _not_loaded(exercise, error, is_student, lang)
    return run_public(exercise, backend, is_student, lang)


def run_public(
    exercise: Exercise,
    backend: InProcessBackend,
    is_student: Callable[[str], bool],
    lang: str,
    *,
    only: str | None = None,
    absent: Text | None = None,
) -> Report:
    """Run the public tests, or the one called `only`, in this process, one after another.

    `absent` is what to say of a name that isn't there.
    """
    from autograder.runner.collect import collect
    from autograder.runner.run import run_case
    from autograder.runner.timeouts import run_in_turn

    limits = exercise.public.limits

    def run(case: TestCase) -> Ending:
        try:
            return run_case(case, backend, None, limits)
        except KeyboardInterrupt as stop:
            raise _interrupted(stop, case.name, is_student, lang) from None

    cases = [
        case
        for case in collect(exercise.public_tests, Visibility.PUBLIC, exercise.weights)
        if only in (None, case.function_name)
    ]
    tests = []
    for case, ending in run_in_turn(cases, run, backend, exercise.public.questions, limits):
        result = _result(case, ending, is_student, limits)
        if absent is not None and result.question and isinstance(ending.error, AttributeError):
            result = replace(result, message=absent)
        tests.append(result)
    tests = _with_advice(exercise, backend, cases, tests)
    report = Report(exercise.id, exercise.public.title.text.pick(lang), tests, lang)
    if report.complete:
        at_hand = exercise.hidden_tests.is_file() and absent is None  # hidden tests run on the file
        told = HIDDEN_TOO.format(exercise=exercise.id) if at_hand else DONE if report.max_score else Text()
        return dataclasses.replace(report, message=told)
    return dataclasses.replace(report, failing=failing_questions(exercise, cases, tests))


def _with_advice(
    exercise: Exercise, backend: InProcessBackend, cases: Sequence[TestCase], tests: Sequence[TestResult]
) -> list[TestResult]:
    """The results, with what else can be said of those that failed. A hint is told once."""
    from autograder.learn.advice import advise

    if {test.outcome for test in tests} <= {Outcome.PASSED, Outcome.NOT_IMPLEMENTED}:
        return list(tests)
    advice = advise(exercise, backend, [test.name for test in tests if test.outcome is Outcome.TIMEOUT])
    first: dict[Text, str] = {}  # hint -> the test function that it is told of
    shown = []
    for case, test in zip(cases, tests, strict=True):
        hint, message = advice.hints.get(test.name), test.message
        if hint is not None:
            name = first.setdefault(hint, case.function_name)
            told = KNOWN.format(hint=hint) if name == case.function_name else KNOWN_AGAIN.format(test=name)
            message = joined(message, told)
        elif test.name in advice.results:
            message = joined(case.sentence, advice.results[test.name])
        shown.append(replace(test, message=message))
    return shown


def _interrupted(
    stop: KeyboardInterrupt, test: str, is_student: Callable[[str], bool], lang: str
) -> Interrupted:
    from autograder.feedback.explain import frames_of

    frames = frames_of(stop, is_student)
    if not frames:
        return Interrupted(INTERRUPTED_ELSEWHERE.pick(lang).format(test=test))
    last = frames[-1]
    return Interrupted(
        INTERRUPTED.pick(lang).format(
            test=test, line=last.line, file=Path(last.filename).name, source=last.source
        )
    )


def _result(case: Any, ending: Ending, is_student: Callable[[str], bool], limits: Limits) -> TestResult:
    from autograder.feedback.explain import explain

    own = case.limits(limits)
    return TestResult(
        name=case.name,
        visibility=case.visibility,
        outcome=ending.outcome,
        score=case.points if ending.passed else 0.0,
        max_score=case.points,
        message=explain(ending, case, is_student, own.seconds, own.memory_mb),
        question=ending.question,
    )


def _not_loaded(
    exercise: Exercise, error: BaseException, is_student: Callable[[str], bool], lang: str
) -> Report:
    """Every test fails for the same reason, so the reason is said once."""
    from autograder.runner.collect import collect
    from autograder.runner.run import Ending
    from autograder.sandbox.errors import TimedOut

    cases = collect(exercise.public_tests, Visibility.PUBLIC)
    outcome = Outcome.TIMEOUT if isinstance(error, TimedOut) else Outcome.ERROR
    first = _result(cases[0], Ending(outcome, error), is_student, exercise.public.limits)
    whole = replace(first, name=exercise.skeleton.name, max_score=sum(case.points for case in cases))
    return Report(exercise.id, exercise.public.title.text.pick(lang), [whole], lang)


def show(report: Report) -> None:
    """HTML in a notebook, text anywhere else."""
    if "ipykernel" in sys.modules:
        from IPython.display import display

        display(report)
    else:
        print(encodable(str(report), sys.stdout.encoding))
