"""The pytest plugin behind `pytest exercises/` and `pytest solutions/`.

It gives tests their fixtures, in process; turns a question that is still the skeleton's into one quiet line; and ends
the run with a table of points.
"""

from __future__ import annotations

import re
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from autograder.course import Course, CourseError, Exercise, find_course
from autograder.course.catalogue import exercise_at
from autograder.course.given import given_functions
from autograder.errors import UserError
from autograder.text import Text, language

pytest_plugins = ("autograder.testing.marks",)

COURSE = pytest.StashKey[Course]()
POINTS = pytest.StashKey[float]()
OUR_ERROR = re.compile(r"^E   autograder\.[\w.]+\.(?=\w+:)")  # where it is defined is nothing to a learner
PLACE = pytest.StashKey[int]()
SECONDS = pytest.StashKey[float]()
TOLD = pytest.StashKey[list[BaseException]]()
GUARDS = pytest.StashKey[Any]()  # gives what a test's call stands in: seeds, limits, forbidden calls
ENDLESS = pytest.StashKey[dict[str, Any]]()  # exercise -> its tests that ran out of time
BACKENDS = pytest.StashKey[dict[str, Any]]()  # exercise -> what its tests ran on
ADVICE = pytest.StashKey[dict[str, Any]]()  # exercise -> what can be said of its failures
WENT_WRONG = Text("what went wrong", "错在哪里")


def _course(config: pytest.Config, path: Path) -> Course:
    if COURSE not in config.stash:
        config.stash[COURSE] = Course.load(find_course(path.parent), authoring=True)
    return config.stash[COURSE]


def _exercise(item: pytest.Item) -> Exercise | None:
    """The exercise whose public or hidden tests hold this item; None for any other test."""
    if item.path.parent.parent.name not in ("exercises", "solutions"):
        return None
    with suppress(CourseError):
        return exercise_at(_course(item.config, item.path), item.path)
    return None


def _needed(request: pytest.FixtureRequest) -> Exercise:
    exercise = _exercise(request.node)
    if exercise is None:
        raise pytest.UsageError(
            f"{request.path}: the fixture {request.fixturename!r} is for tests in exercises/UNIT/ or solutions/UNIT/ "
            "whose exercise is listed in course/course.toml"
        )
    return exercise


# --------------------------------------------------------------------------------------------------- fixtures


@pytest.fixture(scope="module")
def _loaded() -> dict[Path, Any]:
    """The student's modules of one test file, loaded once."""
    return {}


@pytest.fixture
def _backend(request: pytest.FixtureRequest, _loaded: dict[Path, Any]) -> Any:
    from autograder.guest.seed import seed_of
    from autograder.learn.own_parts import parts_or_advice
    from autograder.runner.in_process import local_backend
    from autograder.testing.reference import reference_parts

    exercise = _needed(request)
    in_exercises = request.path.parent.parent.name == "exercises"
    path = exercise.skeleton if in_exercises else exercise.solution
    if path not in _loaded:
        try:
            parts = parts_or_advice(exercise, language()) if in_exercises else reference_parts(exercise)
            _loaded[path] = local_backend(path, exercise, parts)
        except Exception as error:  # kept, so that every test of the file fails for the one reason
            _loaded[path] = error
    if isinstance(_loaded[path], Exception):
        raise _loaded[path]
    limits = exercise.public.limits if in_exercises else exercise.spec.limits
    marker = request.node.get_closest_marker("limits")
    if marker:
        from msgspec.structs import replace

        limits = replace(limits, **marker.kwargs)
    request.node.stash[SECONDS] = limits.seconds
    request.session.stash.setdefault(BACKENDS, {})[exercise.id] = _loaded[path]
    # With --pdb a learner may call their function from the prompt that a failure opens.
    _loaded[path].timed = not request.config.getoption("usepdb", False)
    request.node.stash[GUARDS] = partial(_loaded[path].begin, seed_of(request.node.name), limits)
    return _loaded[path]


@pytest.fixture
def student(_backend: Any) -> Any:
    """The module under test: the student's file, or under `solutions/` the reference."""
    return _backend.student


@pytest.fixture
def reference(request: pytest.FixtureRequest) -> Any:
    """The reference solution. For hidden tests only: a student's tree has none."""
    from autograder.testing.reference import load_reference

    if request.path.parent.parent.name == "exercises":
        raise pytest.UsageError(
            f"{request.path}: public tests can't use `reference`; write the expected values down"
        )
    return load_reference(_needed(request))


@pytest.fixture
def gradients(_backend: Any) -> Any:
    """`gradients(target, *args, upstream=None, output=None)`: forward and backward on the student's side."""
    return _backend.helpers["gradients"]


@pytest.fixture
def unchanged(_backend: Any) -> Any:
    """`unchanged(target, *args)`: whether a call on the student's side leaves its arguments as they were."""
    return _backend.helpers["unchanged"]


@pytest.fixture
def build(_backend: Any) -> Any:
    """`build("torch.nn.Linear", 4, 3)`: an object of a torch class on the student's side."""
    return _backend.helpers["build"]


@pytest.fixture
def parts(_backend: Any) -> Any:
    """The parts that a capstone takes as an argument, `parts.TOPIC` a module: the learner's own, or the references."""
    return _backend.helpers["parts"]()


@pytest.fixture
def weights(request: pytest.FixtureRequest) -> Any:
    """Name -> tensor: the weights that ship with a capstone, new for each test."""
    from autograder.testing.weights import load_weights

    return load_weights(_needed(request))


@pytest.fixture
def ranks(_backend: Any) -> Any:
    """`ranks(world_size, "train", *args)`: one call for each rank, joined by a counting interconnect."""
    return _backend.ranks


# --------------------------------------------------------------------------------------------------- reporting


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Share each function's points among its parameter sets, before -k takes some away."""
    from autograder.runner.collect import points_of

    functions: dict[Any, list[pytest.Item]] = {}
    for place, item in enumerate(items):
        item.stash[PLACE] = place
        functions.setdefault((item.path, getattr(item, "originalname", item.name)), []).append(item)
    for group in functions.values():
        for item in group:
            item.stash[POINTS] = points_of(item) / len(group)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Any:
    """The call alone is guarded and limited: what is reported of it afterwards may take its time.

    Of an exercise's tests that need the same, two run out of time and no more.
    """
    from autograder.feedback.explain import FIXED
    from autograder.learn.endless import Endless
    from autograder.results import Outcome
    from autograder.sandbox.errors import TimedOut

    guards, exercise = item.stash.get(GUARDS, None), _exercise(item)
    if guards is None or exercise is None:
        return (yield)
    if item.path != exercise.public_tests:  # the reference's own hidden tests
        with guards():
            return (yield)
    endless = item.session.stash.setdefault(ENDLESS, {})
    if exercise.id in endless and endless[exercise.id].rule_out(item.name):
        pytest.fail(FIXED[Outcome.NOT_RUN].pick(language()), pytrace=False)
    try:
        with guards():
            return (yield)
    except TimedOut:
        if exercise.id not in endless:
            endless[exercise.id] = Endless(exercise)
        endless[exercise.id].add(item.name)
        raise


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    from autograder.runner.run import unanswered

    report = yield
    exercise = _exercise(item)
    if exercise is None:
        return report
    question = unanswered(call.excinfo.value) if call.excinfo else None
    if question:
        report.outcome = "skipped"
        report.longrepr = (str(item.path), 0, "not implemented")
        report.not_implemented = question
    elif report.failed and call.excinfo is not None and item.path.parent.parent.name == "exercises":
        told = item.session.stash.setdefault(TOLD, [])
        loading = call.when == "setup"
        if loading and any(known is call.excinfo.value for known in told):
            report.outcome = "skipped"  # the file does not load: said once, not once for each test
            report.longrepr = (str(item.path), 0, "not loaded")
            report.not_loaded = True
        elif item.config.option.tbstyle == "auto":
            report.longrepr = _readable(item, call.excinfo, "" if loading else _sentence(item))
        advice = "" if loading or item.path != exercise.public_tests else _advice(item, exercise)
        if advice:
            report.sections.append((WENT_WRONG.pick(language()), advice))
        if loading:
            told.append(call.excinfo.value)
    # The attributes travel with the report, also from pytest-xdist's workers.
    report.exercise = exercise.id
    report.points = item.stash[POINTS]
    report.place = item.stash[PLACE]
    report.public = item.path == exercise.public_tests
    return report


def _advice(item: pytest.Item, exercise: Exercise) -> str:
    """What else can be said of this failure; all of the exercise's tests are looked at once."""
    from autograder.learn.advice import Advice, advise

    backend = item.session.stash.get(BACKENDS, {}).get(exercise.id)
    known = item.session.stash.setdefault(ADVICE, {})
    if exercise.id not in known:
        endless = item.session.stash.get(ENDLESS, {}).get(exercise.id)
        names = endless.names if endless is not None else ()
        known[exercise.id] = advise(exercise, backend, names) if backend is not None else Advice()
    return known[exercise.id].of(item.name).pick(language())


def _readable(item: pytest.Item, error: pytest.ExceptionInfo[BaseException], sentence: str) -> Any:
    """A learner's view of a failure: the test's line and their own lines, not the libraries' between them.

    Above what was asserted stands the sentence, which says what the test checks.
    """
    error = _told_as(error, item)
    folder = item.path.parent
    kept = [entry for entry in error.traceback if Path(entry.path).parent == folder]
    if not kept:
        return _short(error)
    given = {str(entry.path): given_functions(str(entry.frame.code.fullsource)) for entry in kept}
    own = [entry for entry in kept if entry.name not in given[str(entry.path)]]
    error.traceback = type(error.traceback)(own or kept)
    shown = error.getrepr(style="short", tbfilter=False)
    _put_above(shown, sentence)
    return shown


def _told_as(error: pytest.ExceptionInfo[BaseException], item: pytest.Item) -> pytest.ExceptionInfo[Any]:
    """An error of ours or of pytest's in the learner's language; a loop that did not end as `autograder check` says it."""
    from autograder.feedback.explain import FIXED
    from autograder.feedback.words import words
    from autograder.guest.cell_runner import OutOfTime
    from autograder.guest.forbid import ForbiddenCall
    from autograder.guest.imports import ForbiddenImport
    from autograder.results import Outcome
    from autograder.sandbox.errors import TimedOut

    value = error.value
    if isinstance(value, OutOfTime | TimedOut):
        seconds = item.stash.get(SECONDS, None) or _seconds(item)
        said = FIXED[Outcome.TIMEOUT].format(seconds=seconds, memory_mb=0).pick(language())
        kind: type[BaseException] = TimedOut
    elif isinstance(value, AssertionError | pytest.fail.Exception | ForbiddenCall | ForbiddenImport):
        said = words(value).pick(language())
        kind = type(value) if isinstance(value, ForbiddenCall | ForbiddenImport) else AssertionError
    else:
        return error
    return pytest.ExceptionInfo.from_exception(kind(said).with_traceback(value.__traceback__))


def _seconds(item: pytest.Item) -> float:
    exercise = _exercise(item)
    return exercise.public.limits.seconds if exercise else 0.0


def _short(error: pytest.ExceptionInfo[BaseException]) -> Any:
    """An error with no line of the learner's in its traceback: a file that is no Python, or is not there."""
    value = error.value
    if isinstance(value, CourseError):
        return value.text.pick(language())
    shown: Any = error.getrepr(style="value", chain=False)
    shown.reprtraceback.reprentries[-1].lines[:] = error.exconly().splitlines()
    if isinstance(value, SyntaxError) and value.filename and shown.reprcrash is not None:
        # For pytest's short summary, whose one line would be that of the file's path.
        place = f"{Path(value.filename).name}, line {value.lineno}"
        shown.reprcrash.message = f"{type(value).__name__}: {value.msg} ({place})"
    return shown


def _sentence(item: pytest.Item) -> str:
    from autograder.runner.collect import sentence_of

    return sentence_of(getattr(getattr(item, "obj", None), "__doc__", None)).pick(language())


def _put_above(shown: Any, sentence: str) -> None:
    """Write the sentence where pytest's marked lines (`E   AssertionError: ...`) begin."""
    lines = shown.reprtraceback.reprentries[-1].lines
    marked = next((i for i, line in enumerate(lines) if line.startswith("E ")), None)
    if marked is None:
        return
    lines[marked] = OUR_ERROR.sub("E   ", lines[marked])
    if sentence:
        lines.insert(marked, f"E   {sentence}")


def pytest_report_teststatus(report: Any) -> tuple[str, str, Any] | None:
    if getattr(report, "not_implemented", None):
        return "not implemented", "n", ("NOT IMPLEMENTED", {"yellow": True})
    if getattr(report, "not_loaded", False):
        return "not loaded", "x", ("NOT LOADED", {"red": True})
    return None


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    reports = [
        report
        for group in terminalreporter.stats.values()
        for report in group
        if getattr(report, "public", False) and (report.when == "call" or not report.passed)
    ]
    if reports:
        from autograder.feedback.progress import print_progress, progress_of
        from autograder.learn.after_public import note_and_test_hidden

        # Under pytest-xdist the tests ran in other processes, and this one has not met the course yet.
        course = _course(config, config.rootpath / reports[0].nodeid)
        rows = progress_of(course, reports)
        try:
            note_and_test_hidden(course, rows, language())
        except UserError as error:
            terminalreporter.write_line(error.text.pick(language()), red=True)
        print_progress(terminalreporter, course, rows)
