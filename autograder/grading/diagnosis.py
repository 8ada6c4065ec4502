"""Which known mistake is this? The one whose outputs, on the failing test's inputs, are the student's outputs.

Each misconception of an exercise is an edit of its reference. Run under the same test in the same kind of confined
process, it leaves a trace: every operation the test asked of it, with the result. A student whose trace is the same made
the same mistake, however differently their code is written.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
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


@dataclass(frozen=True)
class Observation:
    """How one test went for one program: the outcome, and what the program answered on the way."""

    outcome: Outcome
    trace: Sequence[Call]


# All observations of one program: test name -> observation.
Behaviour = Mapping[str, Observation]


@dataclass
class Diagnostician:
    """Knows how every variant of one exercise behaves; each is run once, when first needed.

    caught: misconception -> the test function that catches it, in the order in which they are listed.
    observe: runs a variant through all tests.
    """

    caught: Mapping[str, str]
    observe: Callable[[str], Behaviour]
    known: dict[str, Behaviour] = field(default_factory=dict)

    def behaviour(self, name: str) -> Behaviour:
        """How the reference, or a misconception, goes through all tests."""
        if name not in self.known:
            self.known[name] = self.observe(name)
        return self.known[name]

    def diagnose(self, student: Behaviour) -> dict[str, str]:
        """Failing test -> misconception. A test that several explain goes to the one that explains most of them."""
        failing = {name for name, seen in student.items() if seen.outcome not in SILENT and seen.trace}
        functions = {
            function_of(name)
            for name, seen in student.items()
            if name in failing or seen.outcome is Outcome.NOT_RUN
        }
        # Whoever passes the test that catches a mistake has not made it: that variant need not be run.
        candidates = [name for name, test in self.caught.items() if test in functions]
        explained = {name: self._explained(student, failing, name) for name in candidates}
        candidates.sort(key=lambda name: -len(explained[name]))  # stable: the first listed wins a tie
        return {test: name for name in reversed(candidates) for test in explained[name]}

    def _explained(self, student: Behaviour, failing: set[str], name: str) -> set[str]:
        reference, variant = self.behaviour(REFERENCE), self.behaviour(name)
        # A program that runs out of time again and again is not run to its end: what both ran decides.
        both = _run(student) & _run(variant)
        failing = failing & both
        tests = {
            test
            for test in failing
            if variant[test].outcome is student[test].outcome
            and same(student[test].trace, variant[test].trace)
        }
        fails = {test for test in both if variant[test].outcome not in SILENT}
        # Another mistake can look like this one in some cases of the test that catches it, and differ in the rest.
        if any(function_of(test) == self.caught[name] for test in fails & failing - tests):
            return set()
        by_value = any(_telling(variant[test], reference[test]) for test in tests)
        # An exception, or running out of time or memory, counts only where all that fails agrees, on both sides.
        return tests if by_value or fails == failing == tests else set()


def _run(behaviour: Behaviour) -> set[str]:
    return {name for name, seen in behaviour.items() if seen.outcome is not Outcome.NOT_RUN}


def _telling(variant: Observation, reference: Observation) -> bool:
    """Whether a value shows the mistake: the first answer that differs from the reference's is no mere exception.

    Exceptions are poor witnesses: a TypeError or a shape error can have any cause.
    """
    if variant.outcome in WITHOUT_VALUES:
        return False
    for ours, theirs in zip(variant.trace, reference.trace, strict=False):
        if not same(ours, theirs):
            return not isinstance(ours.result, StudentError)
    return False


def same(left: Any, right: Any) -> bool:
    """Whether two traces, or two values in them, are the same up to rounding."""
    if isinstance(left, Call) and isinstance(right, Call):
        return left.kind == right.kind and left.path == right.path and same(left.result, right.result)
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
