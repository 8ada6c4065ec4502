"""An attempt whose tests were run: what a hint needs to know."""

from __future__ import annotations

from autograder.course import Exercise
from autograder.learn.attempts import attempt_in
from autograder.learn.check import check_own
from autograder.learn.journal import read_journal


def ensure_tested(exercise: Exercise, lang: str) -> None:
    """Run the tests of the exercise's own file, unless the journal knows what they say of it.

    The hidden ones follow where the public ones pass and the solutions are at hand.
    """
    entry = read_journal(exercise.root).entry(exercise)
    if entry.attempt != attempt_in(exercise.skeleton) or entry.failing is None:
        check_own(exercise, lang)
        entry = read_journal(exercise.root).entry(exercise)
    if entry.passes and entry.hidden is None and exercise.hidden_tests.is_file():
        from autograder.learn.hidden import check_hidden

        check_hidden(exercise, lang)
