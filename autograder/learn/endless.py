"""The public tests of one exercise that ran out of time under pytest, and those that need not be run for it."""

from __future__ import annotations

from autograder.course import Exercise
from autograder.results import Visibility
from autograder.runner.collect import collect
from autograder.runner.timeouts import TimeOuts


class Endless:
    """`names` are the tests that ran out of time, or were ruled out by `autograder.runner.timeouts`."""

    def __init__(self, exercise: Exercise) -> None:
        self._cases = {case.name: case for case in collect(exercise.public_tests, Visibility.PUBLIC)}
        self._timeouts = TimeOuts(exercise.public.questions, exercise.public.limits)
        self.names: set[str] = set()

    def add(self, name: str) -> None:
        """This test has run out of time."""
        self.names.add(name)
        self._timeouts.add(self._cases[name])

    def rule_out(self, name: str) -> bool:
        """Whether this test is not to be run."""
        ruled_out = self._timeouts.rule_out(self._cases[name])
        if ruled_out:
            self.names.add(name)
        return ruled_out
