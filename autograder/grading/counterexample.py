"""The smallest input on which a submission and the reference differ, for a failure that no known mistake explains.

Each function of an exercise has a fixed list of small inputs, the smallest first: drawn once from the calls that public tests
make of it, by a seed that is the exercise's own. An input stays in the list where the reference gives a short, finite answer
that does not hang on chance, where every accepted solution gives the same, and where no hidden test asks it. To refuse
arguments is an answer, too, where a public test asks for that exception. The first input
of the list that a submission answers otherwise is its counterexample. So none in the list is smaller, the same submission has
the same one everywhere, and no student, however many files they hand in, is shown more of the reference than the list.

A submission is asked in a process of its own, which has seen no test, and once more in another: what it answers only after
other calls is not shown. It costs nobody a point: the search begins when all verdicts are there.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from autograder.feedback.as_python import tokens_in
from autograder.grading.diagnosis import same
from autograder.grading.recorded_calls import (
    VALUE,
    Recorder,
    Ref,
    Scenario,
    is_single,
    key_of,
    refusal,
    step_key,
)
from autograder.grading.small_inputs import SMALL, Inputs, size_of
from autograder.remote.errors import StudentError
from autograder.remote.intake import LoadedTooLong, TooMuch
from autograder.remote.proxy import Handle
from autograder.results import Limits
from autograder.runner.backend import Backend
from autograder.runner.run import unanswered
from autograder.sandbox.errors import Ended

MOST = 64  # inputs in the list of a function that have an answer
REFUSED = 8  # besides, inputs that are to be refused by one kind of exception
SECONDS = 2.0  # of CPU that a submission may take for all its answers; beyond that there is no example
ENDED = 3  # inputs that the reference does not come back from
DUST = 1e-6  # differences of this size are rounding, whatever the values are
SEED = 20


class NoAnswer(Exception):
    """A submission ended its process, or spent its time. It would do so at other inputs, too."""


class Known(NamedTuple):
    """An input and its right answer."""

    scenario: Scenario
    right: Any


class Counterexample(NamedTuple):
    """An input, what a submission gives (or the exception that it raises), and what is right."""

    scenario: Scenario
    given: Any
    right: Any


class Recorded(NamedTuple):
    """What the tests ask of the reference."""

    public: Recorder
    hidden: Recorder


@dataclass
class Counterexamples:
    """The lists of one exercise, each made when first needed.

    exercise: its id, the seed of what is drawn.
    questions: the functions and classes that are asked for.
    record: runs all tests on the reference.
    right: opens the reference, and each accepted solution.
    """

    exercise: str
    questions: Sequence[str]
    record: Callable[[], Recorded]
    right: Sequence[Callable[[], Backend]]
    limits: Limits

    def __post_init__(self) -> None:
        self._lists: dict[str, list[Known]] = {}
        self._limits = Limits(min(SECONDS, self.limits.seconds), self.limits.memory_mb)

    @cached_property
    def _recorded(self) -> Recorded:
        return self.record()

    @cached_property
    def _patterns(self) -> dict[str, dict[str, list[Scenario]]]:
        """Function -> what it answers (a value, a certain refusal) -> public calls that it answers so."""
        patterns: dict[str, dict[str, list[Scenario]]] = {name: {} for name in self.questions}
        for scenario, answered in self._recorded.public.scenarios():
            step = scenario[-1]
            while step.owner is not None:  # a method is its class's
                step = scenario[step.owner]
            if step.name in patterns:
                patterns[step.name].setdefault(answered, []).append(scenario)
        return patterns

    def is_asked(self, function: str) -> bool:
        """Whether a public test calls it with plain values."""
        return bool(self._patterns.get(function))

    def inputs(self, function: str) -> list[Known]:
        """The list of one function or class."""
        if function not in self._lists:
            self._lists[function] = self._made(function)
        return self._lists[function]

    @contextmanager
    def asking(self, open_student: Callable[[], Backend]) -> Iterator[Callable[[str], Counterexample | None]]:
        """In the block: gives the smallest counterexample of a function, if it has one. One process answers for all functions.

        NoAnswer where the submission does not come back from an input.
        """
        with ExitStack() as stack:
            opened: list[Backend] = []

            def find(function: str) -> Counterexample | None:
                known = self.inputs(function)
                try:
                    if known and not opened:
                        opened.append(stack.enter_context(open_student()))
                        stack.enter_context(opened[0].begin(SEED, self._limits))
                    found = self._first(known, opened[0]) if known else None
                    return found if found and self._stands(found, open_student) else None
                except (Ended, StudentError, TooMuch, LoadedTooLong) as error:
                    raise NoAnswer from error

            yield find

    def _first(self, inputs: Sequence[Known], backend: Backend) -> Counterexample | None:
        """The first input that is answered otherwise; none where the function is not there yet."""
        for scenario, right in inputs:
            given = answer(backend, scenario)
            if isinstance(given, StudentError) and unanswered(given, self.questions):
                return None
            if not alike(given, right):
                return Counterexample(scenario, given, right)
        return None

    def _stands(self, found: Counterexample, open_student: Callable[[], Backend]) -> bool:
        """Whether it is answered so as the first question of all, too."""
        with open_student() as backend, backend.begin(SEED, self._limits):
            return alike(answer(backend, found.scenario), found.given)

    # ------------------------------------------------------------------------------------------ the list

    def _made(self, function: str) -> list[Known]:
        known: list[Known] = []
        for answered, patterns in self._patterns.get(function, {}).items():
            found = self._known(function, answered, patterns)
            known += found[: MOST if answered == VALUE else REFUSED]
        return sorted(known, key=lambda one: size_of(one.scenario))

    def _known(self, function: str, answered: str, patterns: Sequence[Scenario]) -> list[Known]:
        """Inputs like these that all right programs answer with a value, or by one kind of refusal."""
        drawn = Inputs(patterns, random.Random(f"{self.exercise} {function}")).small()
        asked = [scenario for scenario in drawn if not self._hidden(scenario)]
        known = [
            Known(scenario, right)
            for scenario, right in self._answers(self.right[0], asked, SEED)
            if (_tells(right) if answered == VALUE else refusal(right) == answered)
        ]
        for number, other in enumerate((self.right[0], *self.right[1:])):
            scenarios = [one.scenario for one in known]
            answers = {id(s): given for s, given in self._answers(other, scenarios, SEED + 1 + number)}
            known = [
                one
                for one in known
                if id(one.scenario) in answers and alike(answers[id(one.scenario)], one.right)
            ]
        return known

    def _hidden(self, scenario: Scenario) -> bool:
        """Whether a hidden test, and no public one, asks this, or gives one of these arguments."""
        public, hidden = self._recorded
        for step in scenario:
            if step.values and step_key(step) in hidden.calls - public.calls:
                return True
            keys = {key_of(value) for value in step.values.values()}
            if any(key in hidden.inputs and key not in public.inputs and not is_single(key) for key in keys):
                return True
        return False

    def _answers(
        self, open_right: Callable[[], Backend], scenarios: Sequence[Scenario], seed: int
    ) -> Iterator[tuple[Scenario, Any]]:
        """What a right program answers, without the inputs that it does not come back from."""
        waiting = list(scenarios)
        with open_right() as backend:
            for _ in range(ENDED):
                try:
                    with backend.begin(seed, self._limits):
                        while waiting:
                            scenario = waiting.pop(0)
                            yield scenario, answer(backend, scenario)
                except (Ended, TooMuch):
                    continue
                return


def answer(backend: Backend, scenario: Scenario) -> Any:
    """What a program gives on this input, or the exception that it raises. Ended where it does not come back."""
    made: list[Any] = []

    def value(argument: Any) -> Any:
        return made[argument.step] if isinstance(argument, Ref) else argument

    try:
        for step in scenario:
            function = backend.student if step.owner is None else made[step.owner]
            if step.name:
                function = getattr(function, step.name)
            made.append(function(*map(value, step.args), **{k: value(v) for k, v in step.kwargs.items()}))
    except StudentError as error:
        return error
    except (TypeError, AttributeError) as error:  # a step gave something else than an object
        return StudentError(type(error).__name__, (type(error).__name__, "Exception"))
    return made[-1]


def alike(left: Any, right: Any) -> bool:
    """Whether two answers are the same for a student: a list or a tuple, and a number in whatever form."""
    if isinstance(left, Tensor) and isinstance(right, Tensor):
        left, right = left.detach(), right.detach()
        if same(left, right):
            return True
        floats = left.dtype == right.dtype and left.dtype.is_floating_point and left.shape == right.shape
        return floats and torch.allclose(left, right, rtol=0, atol=DUST)
    if isinstance(left, list | tuple) and isinstance(right, list | tuple):
        return len(left) == len(right) and all(map(alike, left, right))
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(alike(value, right[key]) for key, value in left.items())
    if all(isinstance(side, int | float) and not isinstance(side, bool) for side in (left, right)):
        return same(float(left), float(right)) or abs(left - right) <= DUST
    return same(left, right)


def _tells(right: Any) -> bool:
    """Whether an answer can be shown: it is plain, short and finite."""
    return 0 < tokens_in(right) <= SMALL and _finite(right)


def _finite(value: Any) -> bool:
    match value:
        case Tensor() | np.ndarray():
            return bool(np.isfinite(np.asarray(value.tolist())).all())
        case float():
            return math.isfinite(value)
        case list() | tuple() | set() | frozenset():
            return all(map(_finite, value))
        case dict():
            return all(map(_finite, value.values()))
        case Handle() | Exception():
            return False
    return True
