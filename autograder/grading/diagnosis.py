"""Which known mistake is this? The one whose outputs, on the failing test's inputs, are the student's outputs.

Each misconception of an exercise is an edit of its reference. Run under the same test in the same way, it leaves a
trace: every operation the test asked of it, with the result. A student whose trace is the same made the same mistake,
however differently their code is written. One engine serves everybody: at grading all tests are compared, with traces of
confined processes; where the solutions are not at hand, the public tests, with the traces that `autograder build` wrote
down.

A misconception explains a failing test if it fails it in the same way after the same answers. Equal answers can also be
chance, so that is believed only if the student fails the test that catches the misconception, fails it everywhere as the
misconception does, and is seen to make the mistake:

* One of the equal answers is *wrong*, another one than the reference's. That is enough, unless the answer says little:
  it is empty, constant, or an argument given back unchanged. Whoever answers everything with an empty list also answers
  so where a certain mistake leaves the list empty. A wrong answer that says little counts only if the same operation
  gave a better one in a test that it explains or the student passes, and if all failing tests that use the operation
  are explained.
* An exception, or a test that ran out of time or memory, can have many causes. It counts only if all that fails agrees:
  the student fails exactly what the misconception fails, each test after the same answers. So does any answer.

A test that several misconceptions explain has the name of the one that explains most tests; of those, of the one that
the fewest other tests speak against. Where that leaves two, it has no name.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from autograder.remote.errors import StudentError
from autograder.remote.proxy import Call, Handle
from autograder.results import Outcome, function_of

REFERENCE = ""  # the name of the variant that is no mistake
SCALE = 1e-4  # two outputs are the same if they differ by less than this, relative to their size
WITHOUT_VALUES = (Outcome.MEMORY, Outcome.TIMEOUT)  # outcomes that end a trace before its telling value
SILENT = (Outcome.PASSED, Outcome.NOT_IMPLEMENTED)  # outcomes that call for no diagnosis
UNINFORMATIVE = (0, 1, "", b"")  # what a function answers that does nothing


@dataclass(frozen=True)
class Observation:
    """How one test went for one program: the outcome, and what the program answered on the way.

    works: the operations that gave an answer which is not empty, constant or an argument.
    wrong: of a misconception, the operations that gave another answer than the reference's, and no exception.
    tells: whether one of these answers is more than that.
    """

    outcome: Outcome
    trace: Sequence[Call]
    works: frozenset[str] = frozenset()
    wrong: frozenset[str] = frozenset()
    tells: bool = False


# All observations of one program: test name -> observation.
Behaviour = Mapping[str, Observation]


@dataclass
class Diagnostician:
    """Knows how every variant of one exercise behaves; each is run once, when first needed.

    caught: misconception -> the test function that catches it, in the order in which they are listed.
    observe: runs a variant through all tests.
    first: where in a list of variants to begin observing, from 0 to 1: processes that tell each other what they have seen
        seldom run the same one if each begins at a place of its own.
    """

    caught: Mapping[str, str]
    observe: Callable[[str], Behaviour]
    known: dict[str, Behaviour] = field(default_factory=dict)
    first: float = 0.0

    def behaviour(self, name: str) -> Behaviour:
        """How the reference, or a misconception, goes through all tests."""
        if name not in self.known:
            self.learn(name, self.observe(name))
        return self.known[name]

    def learn(self, name: str, behaviour: Behaviour) -> None:
        """Keep how a variant went through the tests."""
        if name != REFERENCE:
            reference = self.behaviour(REFERENCE)
            behaviour = {test: compared(seen, reference[test]) for test, seen in behaviour.items()}
        self.known[name] = behaviour

    def diagnose(self, student: Behaviour) -> dict[str, str]:
        """Failing test -> misconception."""
        failing = {name for name, seen in student.items() if seen.outcome not in SILENT and seen.trace}
        functions = {
            function_of(name)
            for name, seen in student.items()
            if name in failing or seen.outcome is Outcome.NOT_RUN
        }
        # Whoever passes the test that catches a mistake has not made it: that variant need not be run.
        candidates = [name for name, test in self.caught.items() if test in functions]
        begin = int(self.first * len(candidates))
        for name in candidates[begin:] + candidates[:begin]:
            self.behaviour(name)
        # Test -> misconception -> how well it does; smaller is better.
        ranks: dict[str, dict[str, tuple[int, int]]] = {}
        for name in candidates:
            explained, against = self._explained(student, failing, name)
            for test in explained:
                ranks.setdefault(test, {})[name] = (-len(explained), against)
        best = {test: _only_best(found) for test, found in ranks.items()}
        return {test: name for test, name in best.items() if name is not None}

    def _explained(self, student: Behaviour, failing: set[str], name: str) -> tuple[set[str], int]:
        """The tests that a misconception explains, and how many others speak against it."""
        variant = self.behaviour(name)
        # A program that runs out of time again and again is not run to its end, and a student may not have begun with a
        # question: what both ran decides.
        both = {test for test in variant if test in student and _ran(student[test]) and _ran(variant[test])}
        failing = failing & both
        tests = {
            test
            for test in failing
            if variant[test].outcome is student[test].outcome
            and same(student[test].trace, variant[test].trace)
        }
        fails = {test for test in both if variant[test].outcome not in SILENT}
        # Another mistake can look like this one in some cases of the test that catches it, and differ in the rest.
        if not tests or any(function_of(test) == self.caught[name] for test in fails & failing - tests):
            return set(), 0
        works = {path for test in tests for path in variant[test].works}
        works |= {path for test in both - failing for path in student[test].works}
        works -= {call.path for test in failing - tests for call in student[test].trace}
        seen = any(variant[test].tells or variant[test].wrong & works for test in tests)
        agrees = fails == failing == tests
        return (tests, len(fails - tests)) if seen or agrees else (set(), 0)


def _ran(seen: Observation) -> bool:
    return seen.outcome not in (Outcome.NOT_IMPLEMENTED, Outcome.NOT_RUN)


def _only_best(ranks: Mapping[str, tuple[int, int]]) -> str | None:
    best = min(ranks.values())
    names = [name for name, rank in ranks.items() if rank == best]
    return names[0] if len(names) == 1 else None


def observed(outcome: Outcome, trace: Sequence[Call]) -> Observation:
    """What a program answered in one test, and which of its operations were seen to work."""
    works: set[str] = set()
    for call in trace:
        if call.path not in works and not _says_little(call):
            works.add(call.path)
    return Observation(outcome, trace, frozenset(works))


def compared(variant: Observation, reference: Observation) -> Observation:
    """What a misconception answered in one test, with what is wrong there."""
    if variant.outcome in (*SILENT, *WITHOUT_VALUES):
        return variant
    wrong: list[Call] = []
    for ours, theirs in zip(variant.trace, reference.trace, strict=False):
        if ours.path != theirs.path:
            break  # from here on the test asked something else
        if not isinstance(ours.result, StudentError) and not same(ours.result, theirs.result):
            wrong.append(ours)
    return replace(
        variant,
        wrong=frozenset(call.path for call in wrong),
        tells=any(not _says_little(call) for call in wrong),
    )


def _says_little(call: Call) -> bool:
    return call.echo or says_little(call.result)


def says_little(value: Any) -> bool:
    """Whether a function that does nothing may well answer so: empty, constant, 0, 1, or no value at all."""
    if isinstance(value, np.ndarray):
        value = torch.from_numpy(value)
    if isinstance(value, Handle):
        return True
    if isinstance(value, Tensor):
        flat = value.detach().flatten()
        return _trivial(flat.item()) if flat.numel() == 1 else not flat.numel() or _constant(flat)
    if isinstance(value, dict):
        value = list(value.values())
    if not isinstance(value, list | tuple | set | frozenset):
        return _trivial(value)
    items = list(value)
    # A tuple may be several results, which are alike by chance.
    plain = all(isinstance(item, str | bytes | int | float) for item in items)
    if len(items) > 1 and (plain or isinstance(value, list)):
        return all(same(item, items[0]) for item in items) or (not plain and all(map(says_little, items)))
    return all(map(says_little, items))


def _constant(flat: Tensor) -> bool:
    first, last = flat[0].item(), flat[-1].item()
    if first != last and first == first:  # most tensors are told by their ends
        return False
    return bool(((flat == first) | ((flat != flat) & (first != first))).all())


def _trivial(value: Any) -> bool:
    if value is None or isinstance(value, StudentError | Handle):
        return True
    return value in UNINFORMATIVE or (isinstance(value, float) and not math.isfinite(value))


def same(left: Any, right: Any) -> bool:
    """Whether two traces, or two values in them, are the same up to rounding."""
    if isinstance(left, Call) and isinstance(right, Call):
        return left.path == right.path and same(left.result, right.result)
    if isinstance(left, np.ndarray) and isinstance(right, np.ndarray):
        return same(torch.from_numpy(left), torch.from_numpy(right))
    if isinstance(left, Tensor) and isinstance(right, Tensor):
        return _same_tensors(left, right)
    if isinstance(left, StudentError) and isinstance(right, StudentError):
        return left.mro == right.mro  # the wording is everyone's own
    if isinstance(left, Handle) and isinstance(right, Handle):
        return True
    if type(left) is not type(right):
        return False
    if isinstance(left, float):
        return (
            left == right
            or (math.isnan(left) and math.isnan(right))
            or abs(left - right) <= SCALE * abs(right)
        )
    if isinstance(left, list | tuple):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(same(value, right[key]) for key, value in left.items())
    return bool(left == right)


def _same_tensors(left: Tensor, right: Tensor) -> bool:
    if (left.shape, left.dtype, left.requires_grad) != (right.shape, right.dtype, right.requires_grad):
        return False
    left, right = left.detach(), right.detach()
    if not left.dtype.is_floating_point:
        return torch.equal(left, right)
    finite = right[torch.isfinite(right)]
    scale = float(finite.abs().max()) if finite.numel() else 0.0
    return torch.allclose(left, right, rtol=0, atol=SCALE * scale, equal_nan=True)
