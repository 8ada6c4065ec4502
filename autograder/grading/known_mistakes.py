"""`exercises/U/T.mistakes.json`: what each known mistake answers to the public tests that it fails, and its hint.

With it a failure of a public test is diagnosed where there are no solutions, by the same engine as at grading. Nothing
hidden is in it: no name of a mistake, no edit, no answer to a hidden test, and no line of code. Values are written with
as many digits as diagnosis compares. A test that was answered at great length is left out.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import replace
from functools import partial
from io import StringIO
from typing import Any

import msgspec
from msgspec import Struct

from autograder.grading.diagnosis import SILENT, Behaviour, Diagnostician, Observation, observed, same
from autograder.grading.plain_values import plain, value_of
from autograder.remote.proxy import Call, Handle
from autograder.results import Limits, Outcome, function_of
from autograder.runner.collect import TestCase
from autograder.runner.in_process import InProcessBackend
from autograder.runner.recorded import RecordedBackend
from autograder.runner.run import run_case
from autograder.runner.timeouts import run_in_turn
from autograder.text import Text

LONGEST = 4000  # characters of one test's answers
TOLD = (Outcome.FAILED, Outcome.ERROR)  # how a test ends that need not be waited for

# Of each mistake: its hint, and how it went through the tests it fails.
Known = Sequence[tuple[Text | None, Mapping[str, Observation | None]]]


class Seen(Struct, frozen=True):
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


def behaviour_of(backend: InProcessBackend, cases: Sequence[TestCase], limits: Limits) -> Behaviour:
    """How a file in this process answers public tests. What it prints on the way is not shown."""
    recorded = RecordedBackend(backend)
    run = partial(run_case, backend=recorded, reference=None, limits=limits)
    questions = sorted({name for case in cases for name in case.questions})
    behaviour = {}
    with redirect_stdout(StringIO()):
        for case, ending in run_in_turn(cases, run, recorded, questions, limits):
            ran = ending.outcome is not Outcome.NOT_RUN
            behaviour[case.name] = observed(ending.outcome, recorded.trace() if ran else ())
    return behaviour


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
            (one.hint, {name: _observation(seen) if seen else None for name, seen in one.tests.items()})
            for one in msgspec.json.decode(text, type=list[Mistake])
            if any(one.tests.values())
        ]
    except (msgspec.MsgspecError, TypeError, AttributeError, RuntimeError) as error:
        raise ValueError(f"not a file of known mistakes: {error}") from None


def alike(one: str, other: str) -> bool:
    """Whether two such texts say the same. Another processor may round another way."""
    try:
        return same(_comparable(one), _comparable(other))
    except ValueError:
        return False


def diagnosed(known: Known, student: Behaviour) -> dict[str, Text]:
    """Failing public test -> the hint of the known mistake that explains it."""
    passed = dict.fromkeys(student, Observation(Outcome.PASSED, ()))
    caught: dict[str, str] = {}
    variants: dict[str, Behaviour] = {}
    for number, (_, tests) in enumerate(known):
        told = {name: seen for name, seen in tests.items() if seen is not None}
        caught[str(number)] = function_of(next(iter(told)))
        variants[str(number)] = {name: seen for name, seen in passed.items() if name not in tests} | told
    student = {name: replace(seen, trace=tellable(seen.trace)) for name, seen in student.items()}
    names = Diagnostician(caught, variants.__getitem__, variants).diagnose(student)
    hints = {test: known[int(name)][0] for test, name in names.items()}
    return {test: hint for test, hint in hints.items() if hint is not None}


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
