"""What is added to a result once all its verdicts are there: examples, and how near a correct solution is.

Neither changes an outcome or a point, and where one can't be had, by whose fault whatsoever, nothing is said.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from inspect import signature
from types import ModuleType

from msgspec.structs import replace

from autograder.feedback.example import Named, ShownCall, example, name_of_made
from autograder.feedback.handed_in import HandedIn
from autograder.grading.bundle import Bundle
from autograder.grading.counterexample import Counterexample, Counterexamples, NoAnswer
from autograder.grading.nearest import nearest, told
from autograder.grading.recorded_calls import Ref, Scenario, Step
from autograder.results import Outcome, TestResult
from autograder.runner.backend import Backend
from autograder.runner.collect import TestCase
from autograder.text import Text, joined

WRONG = (Outcome.FAILED, Outcome.ERROR)  # outcomes that one wrong answer may be behind
LOST = (*WRONG, Outcome.TIMEOUT, Outcome.MEMORY, Outcome.CRASHED)  # that one wrong line may be behind


def with_examples(
    tests: Sequence[TestResult],
    cases: Mapping[str, TestCase],
    known: Counterexamples,
    open_student: Callable[[], Backend],
    handed_in: HandedIn,
    reference: ModuleType,
) -> list[TestResult]:
    """The tests; of those that fail unexplained, the first one of each function has an example below its message."""
    messages = list(tests)
    shown: set[str] = set()
    searched: dict[str, Counterexample | None] = {}
    with known.asking(open_student) as find, suppress(NoAnswer):
        for number, test in enumerate(tests):
            if test.outcome not in WRONG or test.diagnosis is not None:
                continue
            for function in _functions(cases[test.name], known.questions):
                if function not in searched:
                    searched[function] = find(function)
                found = searched[function]
                if found is not None and function not in shown:
                    shown.add(function)
                    block = shown_to_student(found, handed_in, reference)
                    messages[number] = replace(test, message=joined(test.message, block))
                    break
    return messages


def _functions(case: TestCase, questions: Sequence[str]) -> list[str]:
    """What a test may have met a wrong answer of: its own question first, then what else it uses."""
    own = case.question(questions)
    return [own, *(name for name in questions if name in case.uses and name != own)]


def shown_to_student(found: Counterexample, handed_in: HandedIn, reference: ModuleType) -> Text:
    """A counterexample as a student reads it. `reference` knows the names of parameters."""
    steps = found.scenario
    needed = {step.owner for step in steps if step.owner is not None}
    needed |= {
        arg.step for step in steps for arg in (*step.args, *step.kwargs.values()) if isinstance(arg, Ref)
    }
    names: dict[int, str] = {}
    for number in sorted(needed):
        names[number] = name_of_made(steps[number].name, names.values())

    def shown(value: object) -> object:
        return Named(names[value.step]) if isinstance(value, Ref) else value

    calls = []
    for number, step in enumerate(steps):
        owner = () if step.owner is None else (names[step.owner],)
        name = ".".join(filter(None, (*owner, step.name)))
        kwargs = {key: shown(arg) for key, arg in step.kwargs.items()}
        parameters = _parameters(found.scenario, step, reference)
        calls.append(ShownCall(name, [*map(shown, step.args)], kwargs, names.get(number, ""), parameters))
    return example(calls, found.given, found.right, handed_in)


def _parameters(scenario: Scenario, step: Step, reference: ModuleType) -> Sequence[str]:
    """What the reference calls the arguments of a call; nothing where that is not known."""
    try:
        if step.owner is None:
            return list(signature(getattr(reference, step.name)).parameters)
        kind = getattr(reference, scenario[step.owner].name)
        return list(signature(getattr(kind, step.name or "forward")).parameters)[1:]
    except (AttributeError, TypeError, ValueError):
        return ()


def nearness(
    tests: Sequence[TestResult], cases: Mapping[str, TestCase], bundle: Bundle, handed_in: HandedIn
) -> Text:
    """Of each function that lost points: how near it is to a correct one, where it is near."""
    lost = [
        cases[test.name].question(bundle.questions)
        for test in tests
        if test.outcome in LOST and test.score < test.max_score
    ]
    if not lost:
        return Text()
    solutions = [source.decode() for source in (bundle.solution, *bundle.accepted.values())]
    found = nearest(handed_in.code, list(dict.fromkeys(lost)), solutions)
    return joined(
        *(told(near, [handed_in.line(line) for line in dict.fromkeys(near.lines)]) for near in found)
    )
