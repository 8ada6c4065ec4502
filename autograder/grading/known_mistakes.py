"""`exercises/U/T.mistakes.json`: what each known mistake answers to the public tests that it fails, and its hint.

With it a failure of a public test is diagnosed where there are no solutions, by the same engine as at grading. Nothing
hidden is in it: no name of a mistake, no edit, no answer to a hidden test, and no line of code. Values are written with
as many digits as diagnosis compares. A test that was answered at great length is left out.
"""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass, field, replace
from io import StringIO
from typing import Any

import msgspec
import numpy as np
import torch
from msgspec import Struct
from torch import Tensor

from autograder.course import Exercise
from autograder.feedback.results_expected import results_expected
from autograder.grading.diagnosis import SCALE, SILENT, Behaviour, Diagnostician, Observation, observed, same
from autograder.remote.errors import StudentError, student_error
from autograder.remote.proxy import Call, Handle
from autograder.results import Limits, Outcome, Visibility, function_of
from autograder.runner.collect import TestCase, collect
from autograder.runner.in_process import InProcessBackend
from autograder.runner.recorded import RecordedBackend
from autograder.runner.run import run_case
from autograder.text import Text

DIGITS = round(-math.log10(SCALE)) + 1  # of the largest number of a tensor
LONGEST = 4000  # characters of one test's answers
TOLD = (Outcome.FAILED, Outcome.ERROR)  # how a test ends that need not be waited for

# Of each mistake: its hint, and how it went through the tests it fails.
Known = Sequence[tuple[Text | None, Mapping[str, Observation | None]]]


class Seen(Struct, frozen=True, omit_defaults=True):
    """How a mistake went through one test that it fails."""

    outcome: Outcome
    works: list[str]
    wrong: list[str]
    tells: bool
    answers: list[tuple[str, Any]]  # operation, and what `plain` makes of the answer


class Mistake(Struct, frozen=True):
    """One mistake. Several that no public test tells apart are one, without a hint."""

    hint: Text | None
    tests: dict[str, Seen | None]  # None: it fails this test in a way that is not told here


def behaviour_of(backend: InProcessBackend, cases: Iterable[TestCase], limits: Limits) -> Behaviour:
    """How a file in this process answers public tests. What it prints on the way is not shown."""
    recorded = RecordedBackend(backend)
    behaviour = {}
    with redirect_stdout(StringIO()):
        for case in cases:
            ending = run_case(case, recorded, None, limits)
            behaviour[case.name] = observed(ending.outcome, recorded.trace())
    return behaviour


@dataclass(frozen=True)
class Advice:
    """What went wrong in failing tests, by their names.

    hints: the hint of the mistake that explains the failure.
    results: that a call has another number of results than the test takes from it, so that what the test says of them is
        beside the point.
    """

    hints: Mapping[str, Text] = field(default_factory=dict)
    results: Mapping[str, Text] = field(default_factory=dict)

    def of(self, test: str) -> Text:
        """All that is said of one test."""
        return self.hints.get(test) or self.results.get(test) or Text()


def advise(exercise: Exercise, backend: InProcessBackend, endless: Collection[str] = ()) -> Advice:
    """What can be said of the failing public tests of a learner's file.

    All tests but the `endless` ones are run once more, for what they are answered. No mistakes are known where their file
    is missing or damaged.
    """
    cases = [case for case in collect(exercise.public_tests, Visibility.PUBLIC) if case.name not in endless]
    student = behaviour_of(backend, cases, exercise.public.limits)
    failing = [case for case in cases if student[case.name].outcome not in SILENT]
    told = {case.name: results_expected(case, student[case.name].trace) for case in failing}
    try:
        found = _diagnosed(read(exercise.mistakes_file.read_bytes()), student)
    except (OSError, ValueError):
        found = {}
    return Advice(
        hints={test: text for test, text in found.items() if text is not None},
        results={test: text for test, text in told.items() if text is not None},
    )


def tellable(trace: Sequence[Call]) -> list[Call]:
    """The answers in a trace that hold a value. A handle says nothing: what is done with it follows."""
    return [Call("", call.path, call.result) for call in trace if not isinstance(call.result, Handle)]


def written(mistakes: Sequence[tuple[Text, Behaviour]]) -> str:
    """The file's text: a hint, and the observations of the public tests that fail, for each mistake."""
    found: dict[str, Mistake] = {}
    for hint, behaviour in mistakes:
        tests = {name: _seen(one) for name, one in behaviour.items() if one.outcome not in SILENT}
        if any(tests.values()):
            key = msgspec.json.encode(tests).decode()
            found[key] = Mistake(None if key in found else hint, tests)
    return "[\n" + ",\n".join(map(_lines, found.values())) + "\n]\n" if found else "[]\n"


def read(text: str | bytes) -> Known:
    """What `written` wrote. ValueError for any other text."""
    try:
        return [
            (one.hint, {name: seen and _observation(seen) for name, seen in one.tests.items()})
            for one in msgspec.json.decode(text, type=list[Mistake])
        ]
    except (msgspec.MsgspecError, TypeError, AttributeError, RuntimeError) as error:
        raise ValueError(f"not a file of known mistakes: {error}") from None


def alike(one: str, other: str) -> bool:
    """Whether two such texts say the same. Another processor may round another way."""
    try:
        return same(_comparable(one), _comparable(other))
    except ValueError:
        return False


def _diagnosed(known: Known, student: Behaviour) -> dict[str, Text | None]:
    passed = dict.fromkeys(student, Observation(Outcome.PASSED, ()))
    caught: dict[str, str] = {}
    variants: dict[str, Behaviour] = {}
    for number, (_, tests) in enumerate(known):
        told = {name: seen for name, seen in tests.items() if seen is not None}
        caught[str(number)] = function_of(next(iter(told)))
        variants[str(number)] = {name: seen for name, seen in {**passed, **tests}.items() if seen is not None}
    student = {name: replace(seen, trace=tellable(seen.trace)) for name, seen in student.items()}
    names = Diagnostician(caught, variants.__getitem__, variants).diagnose(student)
    return {test: known[int(name)][0] for test, name in names.items()}


# ------------------------------------------------------------------------------------------ the text


def _seen(one: Observation) -> Seen | None:
    if one.outcome not in TOLD:
        return None
    try:
        answers = [(call.path, plain(call.result)) for call in tellable(one.trace)]
    except ValueError:
        return None
    seen = Seen(one.outcome, sorted(one.works), sorted(one.wrong), one.tells, answers)
    return seen if len(msgspec.json.encode(seen)) <= LONGEST else None


def _observation(seen: Seen) -> Observation:
    trace = [Call("", path, value_of(value)) for path, value in seen.answers]
    return Observation(seen.outcome, trace, frozenset(seen.works), frozenset(seen.wrong), seen.tells)


def _lines(mistake: Mistake) -> str:
    """One mistake as JSON, an answer on each line."""

    def flat(value: Any) -> str:
        return json.dumps(msgspec.to_builtins(value), ensure_ascii=False, separators=(",", ":"))

    tests = []
    for name, seen in mistake.tests.items():
        if seen is None:
            tests.append(f"  {flat(name)}:null")
            continue
        head = flat(msgspec.structs.replace(seen, answers=[])).removesuffix("]}")
        answers = ",\n".join(f"   {flat(answer)}" for answer in seen.answers)
        tests.append(f"  {flat(name)}:{head}\n{answers}]}}")
    return f' {{"hint":{flat(mistake.hint)},"tests":{{\n' + ",\n".join(tests) + "}}"


def _comparable(text: str) -> list[Any]:
    return [
        (
            hint,
            {
                name: seen and [seen.outcome, seen.works, seen.wrong, seen.tells, list(seen.trace)]
                for name, seen in tests.items()
            },
        )
        for hint, tests in read(text)
    ]


# ------------------------------------------------------------------------------------------ values


def plain(value: Any) -> Any:
    """A value as JSON. ValueError for a kind that traces hardly ever hold."""
    match value:
        case int() if abs(value) >= 1 << 63:
            raise ValueError("an integer of more than 64 bits has no place in this file")
        case None | bool() | int() | str():
            return value
        case float():
            return _rounded([value])[0] if math.isfinite(value) else {"float": str(value)}
        case Tensor() | np.ndarray():
            return _plain_tensor(value)
        case list():
            return [plain(item) for item in value]
        case tuple():
            return {"tuple": [plain(item) for item in value]}
        case set() | frozenset():
            return {type(value).__name__: sorted((plain(item) for item in value), key=repr)}
        case dict():
            return {"dict": [[plain(key), plain(item)] for key, item in value.items()]}
        case bytes():
            return {"bytes": value.hex()}
        case StudentError():
            return {"raises": list(value.mro)}
        case Handle():
            return {"object": None}
    raise ValueError(f"a {type(value).__name__} has no place in this file")


def _plain_tensor(value: Tensor | np.ndarray[Any, Any]) -> dict[str, Any]:
    tensor = value.detach() if isinstance(value, Tensor) else torch.from_numpy(value)
    if tensor.is_complex():
        raise ValueError("complex numbers have no place in this file")
    numbers = tensor.flatten().tolist()
    if tensor.dtype.is_floating_point:
        numbers = [x if math.isfinite(x) else str(x) for x in _rounded(numbers)]
    elif tensor.dtype == torch.bool:
        numbers = [int(x) for x in numbers]
    kind = "tensor" if isinstance(value, Tensor) else "array"
    made = {kind: numbers, "shape": list(tensor.shape), "dtype": str(tensor.dtype).removeprefix("torch.")}
    return {**made, "requires_grad": True} if isinstance(value, Tensor) and value.requires_grad else made


def _rounded(numbers: Sequence[float]) -> list[float]:
    """Rounded so that the largest keeps `DIGITS` digits. What is left of a cancellation differs from machine to machine."""
    largest = max((abs(x) for x in numbers if math.isfinite(x)), default=0.0)
    places = DIGITS - 1 - math.floor(math.log10(largest)) if largest else 0
    return [round(x, places) + 0.0 if math.isfinite(x) else x for x in numbers]


def value_of(made: Any) -> Any:
    """The value that `plain` made this of."""
    if isinstance(made, list):
        return [value_of(item) for item in made]
    if not isinstance(made, dict):
        return made
    (kind, inner), *rest = made.items()
    match kind:
        case "tensor" | "array":
            return _tensor(kind, inner, **dict(rest))
        case "float":
            return float(inner)
        case "tuple":
            return tuple(map(value_of, inner))
        case "set":
            return set(map(value_of, inner))
        case "frozenset":
            return frozenset(map(value_of, inner))
        case "dict":
            return {value_of(key): value_of(item) for key, item in inner}
        case "bytes":
            return bytes.fromhex(inner)
        case "raises":
            return student_error(inner[0] if inner else "Exception", inner)
        case "object":
            return Handle(_NOWHERE, 0, "", "object")
    raise ValueError(f"there is no value of kind {kind!r}")


def _tensor(kind: str, numbers: list[Any], shape: list[int], dtype: str, requires_grad: bool = False) -> Any:
    floats = [float(x) for x in numbers] if getattr(torch, dtype).is_floating_point else numbers
    tensor = torch.tensor(floats, dtype=getattr(torch, dtype)).reshape(shape)
    return tensor.requires_grad_(requires_grad) if kind == "tensor" else tensor.numpy()


class _Nowhere:
    def release(self, number: int) -> None:
        return None


_NOWHERE: Any = _Nowhere()
