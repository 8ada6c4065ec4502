"""The calls that tests make of an exercise's functions: recorded as the reference answers them, to be made again.

A call of a method needs the object, and so the calls that made it and that were made on it before: a `Scenario` is one call
with everything that it needs. Recorded are calls with plain arguments. What a test does to an object in another way (it sets
an attribute, or gives it to a function of its own) can't be made again, and neither can what depends on it.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from autograder.remote.errors import StudentError
from autograder.remote.proxy import Handle
from autograder.remote.values import MODULE

LARGEST = 4096  # elements of an argument
STEPS = 4  # calls of a scenario
VALUE = "a value"
REFUSALS = ("ValueError", "TypeError", "KeyError", "IndexError")  # what statements ask for bad arguments
HARMLESS = ("get", "unary", "binary", "reflected", "contains")  # operations that leave their object as it was


class Ref(NamedTuple):
    """What an earlier step of a scenario has made."""

    step: int


class Step(NamedTuple):
    """One call. `owner`: the step that made the object; None for a function or class of the module."""

    owner: int | None
    name: str  # of the function, class or method; "" where the object itself is called
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]

    @property
    def values(self) -> dict[str, Any]:
        """Its arguments that are no earlier step's."""
        every = {**{str(n): arg for n, arg in enumerate(self.args)}, **self.kwargs}
        return {place: arg for place, arg in every.items() if not isinstance(arg, Ref)}


Scenario = tuple[Step, ...]  # the last step's answer is what counts


class Opaque(Exception):
    """A value that is not plain."""


class Recorder:
    """Listens to what a backend is asked (`ConfinedBackend.listener`), one test after another."""

    def __init__(self) -> None:
        self._tests: list[list[Step | None]] = []
        self._answers: list[list[str]] = []  # what each step answered with: VALUE, a REFUSALS, or ""
        self._origins: dict[
            tuple[int, int], tuple[int, int | None, str]
        ] = {}  # handle -> test, step, attribute
        self._remotes: list[Any] = []  # as long as their ids are in use
        self._spoilt: set[tuple[int, int]] = set()  # (test, step) whose object was changed in another way
        self._lock = threading.Lock()  # ranks call at the same time
        self.inputs: set[Any] = set()  # keys of every argument that is no single number
        self.calls: set[Any] = set()  # keys of every call whose arguments are plain

    def begin(self) -> None:
        """A test begins."""
        self._tests.append([])
        self._answers.append([])

    def __call__(
        self,
        kind: str,
        target: Handle | None,
        name: str,
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        result: Any,
    ) -> None:
        """One operation, as `RemoteModule.operate` has it, with its answer or the exception in its place."""
        if target is None or not self._tests:
            return
        with self._lock:
            self._hear(kind, target, name, args, kwargs, result)

    def _hear(
        self,
        kind: str,
        target: Handle,
        name: str,
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        result: Any,
    ) -> None:
        for value in (*args, *kwargs.values()):
            with suppress(Opaque, TypeError):  # a key that can't be hashed belongs to no plain value
                if not is_single(key := key_of(copied(value))):
                    self.inputs.add(key)
        test = len(self._tests) - 1
        origin = self._origin(target)
        if kind == "get" and isinstance(result, Handle):
            if target._handle_number == MODULE:
                self._keep(result, (-1, None, name))
            elif origin and origin[2] == "":
                self._keep(result, (test, origin[1], name))
        elif kind == "call":
            self._call(test, origin, args, kwargs, result)
        elif kind not in HARMLESS:
            for value in (target, *args, *kwargs.values()):
                self._spoil(value)

    def scenarios(self) -> Iterator[tuple[Scenario, str]]:
        """Each recorded call that answered with a value, or refused its arguments, with what it needs."""
        for test, (steps, answers) in enumerate(zip(self._tests, self._answers, strict=True)):
            for last, answered in enumerate(answers):
                if answered and (found := self._needed(test, steps, last)):
                    yield found, answered

    def _call(
        self,
        test: int,
        origin: tuple[int, int | None, str] | None,
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        result: Any,
    ) -> None:
        steps = self._tests[test]
        step = None
        try:
            if origin is None:
                raise Opaque
            _, owner, name = origin
            own = tuple(self._argument(arg, test) for arg in args)
            step = Step(owner, name, own, {key: self._argument(arg, test) for key, arg in kwargs.items()})
            self.calls.add(step_key(step))
        except Opaque:
            if origin is not None and origin[1] is not None:
                self._spoilt.add((test, origin[1]))
            for value in (*args, *kwargs.values()):
                self._spoil(value)
        steps.append(step)
        is_value = not isinstance(result, Handle | Exception) and result is not None
        self._answers[test].append("" if step is None else VALUE if is_value else refusal(result))
        if isinstance(result, Handle):
            self._keep(result, (test, len(steps) - 1, ""))

    def _argument(self, value: Any, test: int) -> Any:
        if isinstance(value, Handle):
            origin = self._origin(value)
            if origin is None or origin[1] is None or origin[2]:
                raise Opaque
            return Ref(origin[1])
        return copied(value)

    def _keep(self, handle: Handle, origin: tuple[int, int | None, str]) -> None:
        remote = handle._handle_remote
        if all(remote is not known for known in self._remotes):
            self._remotes.append(remote)
        self._origins[id(remote), handle._handle_number] = origin

    def _origin(self, handle: Handle) -> tuple[int, int | None, str] | None:
        found = self._origins.get((id(handle._handle_remote), handle._handle_number))
        return found if found is not None and found[0] in (-1, len(self._tests) - 1) else None

    def _spoil(self, value: Any) -> None:
        origin = self._origin(value) if isinstance(value, Handle) else None
        if origin is not None and origin[1] is not None:
            self._spoilt.add((origin[0], origin[1]))

    def _needed(self, test: int, steps: Sequence[Step | None], last: int) -> Scenario | None:
        """The steps that the last one needs, numbered anew; None where they can't all be made again."""
        objects: set[int] = set()
        needed = {last}
        for number in range(last, -1, -1):
            step = steps[number]
            touched = _touched(step)
            if number in objects or number in needed or touched & objects:
                if step is None or touched & {spoilt for there, spoilt in self._spoilt if there == test}:
                    return None
                needed.add(number)
                objects |= touched
        if len(needed) > STEPS:
            return None
        places = {number: place for place, number in enumerate(sorted(needed))}

        def moved(value: Any) -> Any:
            return Ref(places[value.step]) if isinstance(value, Ref) else value

        found = []
        for number in sorted(needed):
            step = steps[number]
            assert step is not None
            owner = None if step.owner is None else places[step.owner]
            named = {key: moved(arg) for key, arg in step.kwargs.items()}
            found.append(Step(owner, step.name, tuple(map(moved, step.args)), named))
        return tuple(found)


def _touched(step: Step | None) -> set[int]:
    if step is None:
        return set()
    owner = set() if step.owner is None else {step.owner}
    return owner | {arg.step for arg in (*step.args, *step.kwargs.values()) if isinstance(arg, Ref)}


def refusal(answer: Any) -> str:
    """The builtin exception by which a function refuses its arguments; "" for any other answer."""
    kind = answer.mro[0] if isinstance(answer, StudentError) and answer.mro else ""
    return kind if kind in REFUSALS else ""


def copied(value: Any) -> Any:
    """A copy of a plain value; Opaque for any other, and for a large one."""
    match value:
        case None | bool() | int() | float() | str() | bytes() | torch.dtype():
            if isinstance(value, str | bytes) and len(value) > LARGEST:
                raise Opaque
            return value
        case Tensor():
            if value.numel() > LARGEST or value.layout is not torch.strided or value.is_complex():
                raise Opaque
            return value.detach().clone()
        case np.ndarray():
            if value.size > LARGEST or value.dtype.kind not in "biuf":
                raise Opaque
            return value.copy()
    if type(value) in (list, tuple, set, frozenset):
        if len(value) > LARGEST:
            raise Opaque
        return type(value)(map(copied, value))
    if type(value) is dict:
        return {copied(key): copied(item) for key, item in value.items()}
    raise Opaque


def key_of(value: Any) -> Any:
    """What two arguments have in common that are the same input, in whatever form."""
    match value:
        case Tensor() | np.ndarray():
            return key_of(value.tolist())
        case list() | tuple():
            return tuple(map(key_of, value))
        case set() | frozenset():
            return frozenset(map(key_of, value))
        case dict():
            return tuple((key_of(key), key_of(item)) for key, item in value.items())
        case torch.dtype():
            return str(value)
    return value


def is_single(key: Any) -> bool:
    """Whether a key is of one number, truth value or dtype, in however many brackets: that alone is nobody's input."""
    while isinstance(key, tuple) and len(key) == 1:
        (key,) = key
    return not isinstance(key, tuple | frozenset | str | bytes) or key == () or str(key).startswith("torch.")


def step_key(step: Step) -> Any:
    """What calls of the same thing with the same input have in common."""
    return (step.name, tuple((place, key_of(value)) for place, value in step.values.items()))


def scenario_key(scenario: Scenario) -> Any:
    """The same of a whole scenario."""
    return tuple((step.owner, step_key(step)) for step in scenario)
