"""`check()`: run an exercise's public tests on what the student has written so far.

It stands in the cell after each question. While the student's file is imported by a test run it does nothing.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from autograder.course import Course, CourseError, Exercise, find_course
from autograder.lang import language
from autograder.learn.report import Report
from autograder.results import Limits, Outcome, TestResult, Visibility

if TYPE_CHECKING:
    from autograder.testing.run import Ending
    from autograder.testing.sides import LocalSide


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


def check_namespace(exercise: Exercise, namespace: Mapping[str, Any], lang: str) -> Report:
    """The report on definitions in a notebook's or script's namespace."""
    from autograder.testing.sides import LocalSide

    module = ModuleType("submission")
    module.__dict__.update({name: value for name, value in namespace.items() if not name.startswith("__")})
    file = namespace.get("__file__")

    def is_student(filename: str) -> bool:
        return filename == file or "ipykernel_" in filename or filename.startswith("<ipython-input")

    return run_public(exercise, LocalSide(module, exercise.public.forbidden, is_student), is_student, lang)


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


def run_public(exercise: Exercise, side: LocalSide, is_student: Callable[[str], bool], lang: str) -> Report:
    """Run the public tests in this process, one after another."""
    from autograder.testing.cases import collect
    from autograder.testing.run import run_case

    limits = exercise.public.limits
    tests = []
    for case in collect(exercise.public_tests, Visibility.PUBLIC):
        ending = run_case(case, side, None, limits)
        tests.append(_result(case, ending, is_student, limits))
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
    from msgspec.structs import replace

    whole = replace(first, name=exercise.skeleton.name, max_score=sum(case.points for case in cases))
    return Report(exercise.id, exercise.public.title.text.pick(lang), [whole], lang)


def show(report: Report) -> None:
    """HTML in a notebook, text anywhere else."""
    if "ipykernel" in sys.modules:
        from IPython.display import display

        display(report)
    else:
        print(report)
