"""What can be said of a failure, besides what the test says: the known mistake behind it, or a result too few."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from autograder.course import Exercise
from autograder.feedback.results_expected import results_expected
from autograder.grading.diagnosis import SILENT
from autograder.grading.known_mistakes import behaviour_of, diagnosed, read
from autograder.results import Visibility
from autograder.runner.collect import collect
from autograder.runner.in_process import InProcessBackend
from autograder.text import Text


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
    public = collect(exercise.public_tests, Visibility.PUBLIC, exercise.weights)
    cases = [case for case in public if case.name not in endless]
    student = behaviour_of(backend, cases, exercise.public.limits)
    failing = [case for case in cases if student[case.name].outcome not in SILENT]
    told = {case.name: results_expected(case, student[case.name].trace) for case in failing}
    try:
        known = read(exercise.mistakes_file.read_bytes())
    except (OSError, ValueError):
        known = []
    return Advice(diagnosed(known, student), {test: text for test, text in told.items() if text is not None})
