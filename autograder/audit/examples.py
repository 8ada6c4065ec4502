"""For which misconceptions grading would find a small counterexample: as many as possible should have one.

A mistake that shows in a gradient, a dtype, an argument that is changed or an exception that is missing has none, and neither
has one in what public tests call with functions of their own.
"""

from __future__ import annotations

import statistics
from collections.abc import Collection, Mapping
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
    without = [name for name in sources if name not in sizes]
    warnings = [f"no small counterexample: {', '.join(without)}"] if without else []
    median = f", of {statistics.median_low(sizes.values())} numbers and words in the median" if sizes else ""
    return Finding(
        f"{len(sizes)} of {len(sources)} misconceptions have a small counterexample{median}",
        problems,
        warnings,
    )
