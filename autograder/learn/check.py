"""`check()`: run an exercise's public tests on what the student has written so far.

It stands in the cell after each question. While the student's file is imported by a test run it does nothing.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from autograder.course import Course, CourseError, Exercise, find_course
from autograder.lang import language
from autograder.learn.report import Report
from autograder.results import Limits, Outcome, TestResult, Text, Visibility

if TYPE_CHECKING:
    from autograder.testing.run import Ending
    from autograder.testing.sides import LocalSide


# In a notebook a name is absent because its cell comes later, or was changed and not run.
NOT_RUN = Text("not run yet", "尚未运行")


def check(exercise: str | None = None, *, lang: str | None = None) -> None:
    """Test the caller's definitions against the public tests of `exercise` and show a small table.

    Args:
        exercise: `UNIT/TOPIC`. May be left out in a file of that name.
        lang: "en" or "zh"; the locale's by default.

    Raises:
        CourseError: if the course or the exercise can't be found from the working folder.
    """
    caller = sys._getframe(1)
    namespace = caller.f_globals
    if namespace.get("__name__") != "__main__":
        return  # the file is being imported, by a test run or by another file
    file = namespace.get("__file__")
    course = Course.load(find_course(Path(file).parent if file else None), authoring=True)
    name = exercise or (f"{Path(file).parent.name}/{Path(file).stem}" if file else "")
    if not name:
        raise CourseError('check() does not know the exercise here; write check("UNIT/TOPIC")')
    show(check_namespace(course.exercise(name), namespace, language(lang)))


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
            f"{course.exercise(exercise).public_tests} has no test {test!r}; take its present name"
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
    from autograder.testing.sides import LocalSide

    module = ModuleType("submission")
    module.__dict__.update({name: value for name, value in namespace.items() if not name.startswith("__")})
    file = namespace.get("__file__")

    def is_student(filename: str) -> bool:
        return filename == file or "ipykernel_" in filename or filename.startswith("<ipython-input")

    side = LocalSide(module, exercise.public.forbidden, is_student)
    return run_public(exercise, side, is_student, lang, only=only, absent=None if file else NOT_RUN)


def check_file(exercise: Exercise, lang: str, path: Path | None = None) -> Report:
    """The report on a file, the exercise's own by default."""
    from autograder.student.loading import filename_of
    from autograder.testing.sides import local_side

    path = path or exercise.skeleton
    filename = filename_of(path.name, str(path.parent.resolve()))

    def is_student(name: str) -> bool:
        return name == filename

    try:
        side = local_side(path, exercise)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # the file may raise anything, SystemExit included
        return _not_loaded(exercise, error, is_student, lang)
    return run_public(exercise, side, is_student, lang)


def run_public(
    exercise: Exercise,
    side: LocalSide,
    is_student: Callable[[str], bool],
    lang: str,
    *,
    only: str | None = None,
    absent: Text | None = None,
) -> Report:
    """Run the public tests, or the one called `only`, in this process, one after another.

    `absent` is what to say of a name that isn't there.
    """
    from autograder.testing.cases import collect
    from autograder.testing.run import run_case

    limits = exercise.public.limits
    tests = []
    for case in collect(exercise.public_tests, Visibility.PUBLIC):
        if only not in (None, case.function_name):
            continue
        ending = run_case(case, side, None, limits)
        result = _result(case, ending, is_student, limits)
        if absent is not None and result.question and isinstance(ending.error, AttributeError):
            result = replace(result, message=absent)
        tests.append(result)
    return Report(exercise.id, exercise.public.title.text.pick(lang), tests, lang)


def _result(case: Any, ending: Ending, is_student: Callable[[str], bool], limits: Limits) -> TestResult:
    from autograder.testing.explain import explain

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
    from autograder.testing.cases import collect
    from autograder.testing.run import Ending

    cases = collect(exercise.public_tests, Visibility.PUBLIC)
    first = _result(cases[0], Ending(Outcome.ERROR, error), is_student, exercise.public.limits)
    whole = replace(first, name=exercise.skeleton.name, max_score=sum(case.points for case in cases))
    return Report(exercise.id, exercise.public.title.text.pick(lang), [whole], lang)


def show(report: Report) -> None:
    """HTML in a notebook, text anywhere else."""
    if "ipykernel" in sys.modules:
        from IPython.display import display

        display(report)
    else:
        print(report)
