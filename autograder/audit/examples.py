"""For which misconceptions grading would find a small counterexample: as many as possible should have one.

Where there is none, the warning says why: what public tests call with functions and objects of their own can't be asked
again, and a mistake may show in something else than an answer (a gradient, a changed argument, memory, a count of calls).
"""

from __future__ import annotations

import statistics
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from functools import partial

from autograder.audit.report import Finding
from autograder.grading.counterexample import Counterexamples, NoAnswer
from autograder.grading.grader import ExerciseGrader
from autograder.grading.small_inputs import SMALL, size_of


def example_finding(
    grader: ExerciseGrader,
    known: Counterexamples,
    sources: Mapping[str, str],
    changed: Mapping[str, Collection[str]],
) -> Finding:
    """What is found for each misconception.

    sources: misconception -> the reference with this mistake. changed: misconception -> the questions whose code it edits.
    """
    sizes: dict[str, int] = {}
    for name, source in sources.items():
        functions = sorted(known.questions, key=lambda question: question not in changed[name])
        with known.asking(partial(grader.open, source.encode())) as find, suppress(NoAnswer):
            found = next(filter(None, map(find, functions)), None)
            if found is not None:
                sizes[name] = size_of(found.scenario)
    problems = [
        f"the smallest counterexample found for misconception {name!r} has {size} numbers and words, more than {SMALL}"
        for name, size in sizes.items()
        if size > SMALL
    ]
    reasons: dict[str, list[str]] = {}
    for name in sources:
        if name not in sizes:
            reasons.setdefault(_why_none(known, sorted(changed[name])), []).append(name)
    warnings = [f"no small counterexample: {', '.join(names)}; {why}" for why, names in reasons.items()]
    median = f", of {statistics.median_low(sizes.values())} numbers and words in the median" if sizes else ""
    return Finding(
        f"{len(sizes)} of {len(sources)} misconceptions have a small counterexample{median}",
        problems,
        warnings,
    )


def _why_none(known: Counterexamples, functions: Sequence[str]) -> str:
    """Why these functions, which a mistake is in, have no example of it."""
    if not functions:
        return "no question asks for the function that they are in"
    asked = [name for name in functions if known.is_asked(name)]
    if not asked:
        return f"public tests call {_listed(functions)} with functions or objects of their own alone"
    counts = sum(len(known.inputs(name)) for name in asked)
    if not counts:
        return (
            f"no input of {_listed(asked)} with at most {SMALL} numbers and words has a short, finite answer"
        )
    return f"the {counts} small inputs of {_listed(asked)} are answered alike"


def _listed(names: Sequence[str]) -> str:
    return " and ".join(names)
