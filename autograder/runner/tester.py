"""What a tester's process runs: tests that a learner wrote, on a program that lives in another confined process.

pytest collects from files, and a confined process has none. So the marks of a plain test function are read here:
`parametrize` and `limits`. `autograder.remote.relay` is the way to the program.
"""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from types import ModuleType
from typing import Any, NoReturn

import pytest

import autograder.testing
from autograder.guest.helpers import REMOTE_HELPERS
from autograder.guest.loading import load_module
from autograder.guest.threads import renew_pool
from autograder.remote import warmup
from autograder.remote.errors import StudentError
from autograder.remote.relay import RelayedSandbox
from autograder.remote.server import Server
from autograder.results import Limits
from autograder.runner.collect import FIXTURES, TestCase
from autograder.runner.confined import ConfinedBackend
from autograder.runner.run import Ending, run_case
from autograder.sandbox.messages import Program
from autograder.text import Text

PROGRAM = Program(
    "autograder.runner.tester",
    files=("remote", "guest", "runner", "testing", "course", "results.py", "errors.py", "text.py"),
)
MOST_TOLD = 3  # failures of one program
RUN = "run_tests"
PARAM = type(pytest.param())


class WrongFixture(Exception):
    """A test asks for what no test of an exercise is given."""


class _Tried(ConfinedBackend):
    """The program under test. What its tests take of memory is limited with their own process."""

    def own_memory(self, mebibytes: int) -> AbstractContextManager[None]:
        return nullcontext()


def run_tests(
    module: ModuleType,
    programs: Any,
    own: Mapping[str, bytes],
    main: str,
    limits: Sequence[float],
    weights: bytes,
) -> list[tuple[str, str, str]]:
    """(test, outcome, error) of the first tests that the program does not pass.

    Args:
        module: the learner's tests.
        programs: the stub of `autograder.remote.relay.Programs`.
        own, main: the learner's own solution, which a test is given as `reference`.
        limits: seconds and MiB of a test.
        weights: the file of those that ship with the exercise.
    """
    cases = [replace(case, weights=weights) for case in cases_of(module)]
    wanted = Limits(limits[0], int(limits[1]))
    reference = load_module(own, main) if any("reference" in case.fixtures for case in cases) else None
    found = []
    with _Tried(RelayedSandbox(programs), {}, "", wanted, ()) as backend:  # type: ignore[arg-type]
        for case in cases:
            programs.began(case.name)
            ending = run_case(case, backend, reference, wanted)
            if not ending.passed:
                found.append((case.name, ending.outcome.value, _said(ending)))
                if len(found) == MOST_TOLD:
                    break
    return found if cases else [("", "", "")]


def _said(ending: Ending) -> str:
    error = ending.error
    if isinstance(error, StudentError):
        return str(error)[:300]
    return f"{type(error).__name__}: {error}"[:300] if error is not None else ""


def cases_of(module: ModuleType) -> Iterator[TestCase]:
    """The test functions of a module, each once for each set of its parameters. WrongFixture."""
    for name, function in list(vars(module).items()):
        if not (name.startswith("test") and inspect.isfunction(function)):
            continue
        marks = getattr(function, "pytestmark", [])
        own_limits = {
            key: value for mark in marks if mark.name == "limits" for key, value in mark.kwargs.items()
        }
        sets = list(_parameters(mark.args for mark in reversed(marks) if mark.name == "parametrize"))
        for number, parameters in enumerate(sets):
            fixtures = tuple(key for key in inspect.signature(function).parameters if key not in parameters)
            strange = [key for key in fixtures if key not in FIXTURES]
            if strange:
                raise WrongFixture(f"{name}: {strange[0]}")
            yield TestCase(
                name=f"{name}[{number}]" if len(sets) > 1 else name,
                function=function,
                fixtures=fixtures,
                parameters=parameters,
                points=1.0,
                sentence=Text(),
                own_limits=own_limits,
            )


def _parameters(marks: Iterable[tuple[Any, ...]]) -> Iterator[dict[str, Any]]:
    """Every combination of what `parametrize` marks give."""
    choices = []
    for names, rows, *_ in marks:
        keys = [key.strip() for key in names.split(",")] if isinstance(names, str) else list(names)
        choices.append([dict(zip(keys, _values(row, len(keys)), strict=True)) for row in rows])
    for chosen in itertools.product(*choices):
        yield {key: value for part in chosen for key, value in part.items()}


def _values(row: Any, count: int) -> Sequence[Any]:
    if isinstance(row, PARAM):
        return row.values
    return row if count > 1 else (row,)


def warm_up() -> None:
    """Import what learners' tests are written with, before any of them is here."""
    for name in autograder.testing.__all__:
        getattr(autograder.testing, name)
    warmup.warm_up()
    REMOTE_HELPERS[RUN] = run_tests


def prepare(setting: list[str]) -> Callable[[], None]:
    """Nothing depends on the exercise."""
    return lambda: None


def serve(channel: int) -> NoReturn:
    """Serve one file of tests."""
    renew_pool()
    Server(channel).serve()
