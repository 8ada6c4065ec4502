"""What each misconception of an exercise answers to its public tests: run here, in process, as a learner's file is."""

from __future__ import annotations

from contextlib import suppress

from autograder.course import Exercise
from autograder.grading.diagnosis import Behaviour, compared
from autograder.grading.known_mistakes import behaviour_of, written
from autograder.results import Visibility
from autograder.runner.collect import TestCase, collect
from autograder.runner.in_process import unsafe_backend
from autograder.testing.reference import reference_parts


def mistakes_text(exercise: Exercise, solution: str) -> str:
    """The text of the exercise's `mistakes_file`."""
    cases = collect(exercise.public_tests, Visibility.PUBLIC, exercise.weights)
    reference = _behaviour(exercise, solution, cases)
    found = []
    for mistake in exercise.spec.misconception:
        with suppress(ValueError):  # the edit does not fit; the audit says so
            behaviour = _behaviour(exercise, mistake.apply(solution), cases)
            found.append(
                (
                    mistake.hint.text,
                    {name: compared(seen, reference[name]) for name, seen in behaviour.items()},
                )
            )
    return written(found)


def _behaviour(exercise: Exercise, source: str, cases: list[TestCase]) -> Behaviour:
    main = exercise.skeleton.name
    files = {main: source.encode(), **reference_parts(exercise)}
    backend = unsafe_backend(files, main, exercise.spec.forbidden_calls)
    return behaviour_of(backend, cases, exercise.spec.limits)
