"""Small inputs of the kind that an exercise's public tests give: drawn, and never a test's own.

A recorded call is a pattern. Of its arguments types and structure stay. Equal sizes in it are one symbol, or one for each
axis, and are drawn anew, seldom above 2. Numbers are small and round, where those observed at that place leave it open:
their sign stays, and so does what all of them have in common (whole numbers, rows that sum to one, in order, a triangle).
Texts are pieces of observed ones. Nothing here knows a hidden test or a submission.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from autograder.feedback.as_python import tokens_in
from autograder.grading.recorded_calls import Ref, Scenario, Step, scenario_key

SMALL = 12  # numbers, words and signs in an input
DRAWS = 800  # for one function
OF_A_SIZE = 14  # inputs that are kept of one size
ROUND = (1.0, 2.0, -1.0, 0.5, 3.0, -2.0, 4.0, 0.25, -0.5, 0.0)
BETWEEN = (0.5, 1.0, 0.25, 0.75, 0.0)  # 0 and 1
INFINITE = (float("inf"), float("-inf"))
LONGEST_TEXT = 24


@dataclass
class Seen:
    """The numbers that were observed at one place, each as a tensor."""

    tensors: list[Tensor] = field(default_factory=list)

    def add(self, value: Any) -> None:
        self.tensors.append(value.detach() if isinstance(value, Tensor) else torch.as_tensor(value))

    @cached_property
    def numbers(self) -> list[float]:
        """Each different one; of many, some."""
        every = torch.cat([tensor.flatten().double() for tensor in self.tensors])
        return sorted(set(every.tolist()))[:LARGEST_KNOWN]

    @cached_property
    def finite(self) -> list[float]:
        return [number for number in self.numbers if number == number and number not in INFINITE] or [0.0]

    @cached_property
    def whole(self) -> bool:
        return all(number == int(number) for number in self.finite)

    def _each(self, least: int) -> list[Tensor]:
        """The tensors that have rows of at least so many numbers."""
        return [t.double() for t in self.tensors if t.dim() and t.shape[-1] >= least]

    @cached_property
    def sums_to_one(self) -> bool:
        rows = self._each(2)
        return bool(rows) and all(
            bool((t >= 0).all()) and torch.allclose(t.sum(-1), torch.ones(()).double(), atol=1e-4)
            for t in rows
        )

    @cached_property
    def rises(self) -> bool:
        rows = self._each(3)
        return bool(rows) and all(bool((t.diff() >= 0).all()) for t in rows)

    @cached_property
    def rises_strictly(self) -> bool:
        return self.rises and all(bool((t.diff() > 0).all()) for t in self._each(3))

    @cached_property
    def falls(self) -> bool:
        rows = self._each(3)
        return bool(rows) and all(bool((t.diff() <= 0).all()) for t in rows)

    @cached_property
    def triangle(self) -> bool:
        found = [t for t in self._each(2) if t.dim() >= 2 and t.shape[-1] == t.shape[-2]]
        return bool(found) and all(torch.equal(t, t.tril()) for t in found)


LARGEST_KNOWN = 64


class Inputs:
    """Draws scenarios that are like those of one function that were recorded."""

    def __init__(self, patterns: Sequence[Scenario], rng: random.Random) -> None:
        self._patterns = patterns
        self._rng = rng
        self._seen: dict[tuple[str, ...], Seen] = {}
        for pattern in patterns:
            for step in pattern:
                for place, value in step.values.items():
                    self._observe((step.name, place), value)
        self._sizes: dict[Any, int] = {}
        self._jointly = True

    def small(self) -> list[Scenario]:
        """Different inputs of at most SMALL tokens, the shortest first; of those of one size, the simplest."""
        found: dict[Any, tuple[int, float, Scenario]] = {}
        # The recorded calls themselves are public, and those that are small the first to be tried.
        drawn: Iterable[Scenario] = [
            *self._patterns,
            *(self._drawn(self._patterns[n % len(self._patterns)]) for n in range(DRAWS)),
        ]
        for scenario in drawn:
            size = size_of(scenario)
            key = scenario_key(scenario)
            if 0 < size <= SMALL and key not in found:
                found[key] = (size, len(found), scenario)
        kept: dict[int, list[Scenario]] = {}
        for size, _, scenario in sorted(found.values(), key=lambda one: one[:2]):
            if len(kept.setdefault(size, [])) < OF_A_SIZE:
                kept[size].append(scenario)
        return [scenario for size in sorted(kept) for scenario in sorted(kept[size], key=_cost)]

    # ------------------------------------------------------------------------------------------ drawing

    def _observe(self, place: tuple[str, ...], value: Any) -> None:
        match value:
            case bool() | int() | float() | Tensor() | np.ndarray():
                self._seen.setdefault(place, Seen()).add(value)
            case list() | tuple() | set() | frozenset():
                items = list(value)
                if len(items) > 1 and all(type(item) in (int, float) for item in items):
                    self._seen.setdefault(place, Seen()).add(items)
                for item in items:
                    self._observe((*place, "[]"), item)
            case dict():
                for item in value.values():
                    self._observe((*place, "{}"), item)

    def _drawn(self, pattern: Scenario) -> Scenario:
        self._sizes, self._jointly = {}, self._rng.random() < 0.6
        self._plain = self._rng.random() < 0.3
        steps = []
        for step in pattern:

            def drawn(place: str, value: Any, step: Step = step) -> Any:
                return value if isinstance(value, Ref) else self._value(value, (step.name, place))

            args = tuple(drawn(str(n), arg) for n, arg in enumerate(step.args))
            steps.append(
                Step(step.owner, step.name, args, {key: drawn(key, arg) for key, arg in step.kwargs.items()})
            )
        return tuple(steps)

    def _size(self, size: int, axis: int) -> int:
        if size <= 1:
            return size
        key = size if self._jointly else (size, axis)
        if key not in self._sizes:
            choices = [n for n in (1, 2, 2, 3, 4) if n <= size]
            self._sizes[key] = self._rng.choice(choices)
        return self._sizes[key]

    def _value(self, value: Any, place: tuple[str, ...]) -> Any:
        match value:
            case bool():
                both = {True, False} <= set(map(bool, self._seen[place].numbers))
                return self._rng.random() < 0.5 if both else value
            case int():
                return self._int(value, place)
            case float():
                return self._numbers(1, self._seen[place], torch.float64)[0]
            case Tensor():
                shape = [self._size(n, axis) for axis, n in enumerate(value.shape)]
                return self._tensor(shape, self._seen[place], value.dtype)
            case np.ndarray():
                shape = [self._size(n, axis) for axis, n in enumerate(value.shape)]
                seen = self._seen[place]
                return self._tensor(shape, seen, torch.from_numpy(value).dtype).numpy()
            case str():
                return self._text(value)
            case list():
                return self._items(value, place)
            case set() | frozenset():
                return type(value)(
                    self._items(sorted(value, key=repr), place)
                )  # a set has no order that lasts
            case tuple():
                alike = len(set(map(type, value))) == 1 and len(value) > 2
                items = (
                    self._items(list(value), place)
                    if alike
                    else [self._value(item, (*place, "[]")) for item in value]
                )
                return tuple(items)
            case dict():
                keys = list(value)
                if len(keys) > 3:
                    keys = sorted(self._rng.sample(range(len(keys)), self._rng.choice([1, 2, 3])))
                    keys = [list(value)[n] for n in keys]
                return {key: self._value(value[key], (*place, "{}")) for key in keys}
        return value

    def _items(self, items: list[Any], place: tuple[str, ...]) -> list[Any]:
        if not items:
            return []
        count = self._size(len(items), 0)
        if all(type(item) in (int, float) for item in items) and len(items) > 1:
            numbers = self._tensor([count], self._seen[place], torch.float64).tolist()
            return [type(items[0])(number) for number in numbers]
        return [self._value(self._rng.choice(items), (*place, "[]")) for _ in range(count)]

    def _int(self, value: int, place: tuple[str, ...]) -> int:
        if not self._jointly and value in {key[0] for key in self._sizes if isinstance(key, tuple)}:
            choices = [n for key, n in self._sizes.items() if isinstance(key, tuple) and key[0] == value]
            if self._rng.random() < 0.5:
                return self._rng.choice(choices)
        elif value in self._sizes and self._rng.random() < 0.7:
            return self._sizes[value]
        low, high = int(min(self._seen[place].finite)), int(max(self._seen[place].finite))
        return self._rng.choice([value, *(n for n in (0, 1, 2, 3, 4) if min(low, 1) <= n <= high)])

    def _tensor(self, shape: Sequence[int], seen: Seen, dtype: torch.dtype) -> Tensor:
        count = int(np.prod(shape)) if shape else 1
        if count > 4 * SMALL:  # too large to be kept
            return torch.zeros(shape, dtype=dtype)
        rows, width = (count // shape[-1], shape[-1]) if shape and shape[-1] else (count, 1)
        if seen.sums_to_one and width:
            made = torch.tensor([self._shares(width, min(seen.finite) <= 0) for _ in range(rows)])
        else:
            made = torch.tensor(self._numbers(count, seen, dtype), dtype=torch.float64).reshape(rows, width)
            if seen.rises_strictly and width > 1:
                start = made[:, :1] if self._rng.random() < 0.5 else torch.zeros(rows, 1)
                made = start + torch.arange(width)
            elif seen.rises:
                made = made.sort(-1).values
            elif seen.falls:
                made = made.sort(-1, descending=True).values
        made = made.reshape(list(shape))
        if seen.triangle and made.dim() >= 2 and made.shape[-1] == made.shape[-2]:
            made = made.tril()
        return made.to(dtype)

    def _shares(self, width: int, empty: bool) -> list[float]:
        """Round numbers that sum to one."""
        parts = [0 if empty else 1] * width
        for _ in range((4 if width <= 4 else 16) - sum(parts)):
            parts[self._rng.randrange(width)] += 1
        return [part / sum(parts) for part in parts]

    def _numbers(self, count: int, seen: Seen, dtype: torch.dtype) -> list[float]:
        low, high = min(seen.finite), max(seen.finite)
        special = [number for number in seen.numbers if number in INFINITE]
        if dtype == torch.bool:
            choices: list[float] = [0.0, 1.0]
        elif seen.whole and (not dtype.is_floating_point or (low >= 0 and high <= 1)):
            choices = [float(n) for n in range(5) if low <= n <= high]
            special += [number for number in seen.finite if number < -1]
            choices = choices or [low, high]
        else:
            within = BETWEEN if low >= 0 and high <= 1 else ROUND
            choices = [n for n in within if _like(n, low, high) and (n == int(n) or not seen.whole)]
            choices = choices or seen.finite[:4]
        if self._plain:
            choices = choices[:2]
        return [
            self._rng.choice(special) if special and self._rng.random() < 0.3 else self._rng.choice(choices)
            for _ in range(count)
        ]

    def _text(self, text: str) -> str:
        """The text, or a piece of it: some words, or some characters."""
        if len(text) <= 1 or (len(text) <= LONGEST_TEXT and self._rng.random() < 0.3):
            return text
        words = text.split(" ")
        if len(words) > 1 and self._rng.random() < 0.5:
            begin = self._rng.randrange(len(words))
            return " ".join(words[begin : begin + self._rng.choice([1, 2, 3])])[:LONGEST_TEXT]
        begin = self._rng.randrange(len(text))
        return text[begin : begin + self._rng.choice([1, 2, 3, 4, 6])]


def _like(number: float, low: float, high: float) -> bool:
    """Whether a number has the sign that all those between `low` and `high` have, and lies between 0 and 1 if they do."""
    if low >= 0 and high <= 1:
        return (low > 0 or number >= 0) and (number > 0 or low <= 0) and (number < 1 or high >= 1)
    return (
        (number > 0 or low <= 0)
        and (number >= 0 or low < 0)
        and (number < 0 or high >= 0)
        and (number <= 0 or high > 0)
    )


def size_of(scenario: Scenario) -> int:
    """The numbers, words and signs of all its arguments."""
    return sum(tokens_in(value) for step in scenario for value in step.values.values())


def _cost(scenario: Scenario) -> float:
    """How far its numbers are from 0 and 1."""
    return sum(_cost_of(value) for step in scenario for value in step.values.values())


def _cost_of(value: Any) -> float:
    match value:
        case Tensor() | np.ndarray():
            return _cost_of(value.tolist())
        case bool():
            return 0.0
        case int() | float():
            return 0.0 if value in (0, 1) else 1.0 + min(abs(value), 10.0) / 10 + (value != value // 1) / 4
        case list() | tuple() | set() | frozenset():
            return sum(map(_cost_of, value))
        case dict():
            return sum(map(_cost_of, value.values()))
        case str():
            return len(value) / 10
    return 0.0
