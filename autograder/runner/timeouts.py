"""Which tests are not run, because what they need has run out of time before.

A loop that does not end costs each test that meets it the whole of its limit. Two time-outs say as much as ten.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from autograder.results import Limits, Outcome
from autograder.runner.backend import Backend
from autograder.runner.collect import TestCase
from autograder.runner.run import Ending

TIMEOUTS = 2  # of tests that need the same
SECONDS = 12.0  # of all limits that one program has run into; beyond that, one time-out is enough


class TimeOuts:
    """The time-outs of one program.

    A test needs the questions that it uses. It is not run once tests that need nothing else have run out of time: then
    it is sure to need what does not end. So an answer that is slow costs no other question a point. Limits are counted, and
    not the time that was taken, so that nothing depends on the machine.
    """

    def __init__(self, questions: Sequence[str], limits: Limits) -> None:
        """The exercise's questions and limits."""
        self._questions = questions
        self._limits = limits
        self._needs: list[frozenset[str]] = []  # of each test that ran out of time
        self._seconds = 0.0

    def add(self, case: TestCase) -> None:
        """This test has run out of time."""
        self._needs.append(case.needs(self._questions))
        self._seconds += case.limits(self._limits).seconds

    def rule_out(self, case: TestCase) -> bool:
        """Whether this test is not to be run."""
        count = sum(needs <= case.needs(self._questions) for needs in self._needs)
        return count >= TIMEOUTS or (
            count > 0 and self._seconds + case.limits(self._limits).seconds > SECONDS
        )


def run_in_turn(
    cases: Iterable[TestCase],
    run: Callable[[TestCase], Ending],
    backend: Backend,
    questions: Sequence[str],
    limits: Limits,
) -> Iterator[tuple[TestCase, Ending]]:
    """How each test ends on a backend, some without being run."""
    timeouts = TimeOuts(questions, limits)
    for case in cases:
        if timeouts.rule_out(case):
            yield case, Ending(Outcome.NOT_RUN)
            continue
        ending = run(case)
        if ending.outcome is Outcome.TIMEOUT and backend.load_error is None:  # a file is loaded once only
            timeouts.add(case)
        yield case, ending
