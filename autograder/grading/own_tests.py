"""Tests that a learner wrote, graded: they must pass every right solution and fail those with a known mistake.

The score is the share of the mistakes that they catch; nothing where they refuse a right solution. The learner's tests run in
one confined process, each program in another (`autograder.remote.relay`), and a new pair of them for every program: tests
know a program by what it answers alone. What comes out is, of each program, which tests it did not pass.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from random import SystemRandom
from typing import Any

from autograder.grading.bundle import Bundle
from autograder.grading.diagnosis import REFERENCE
from autograder.grading.grader import variants_of
from autograder.remote.errors import StudentError
from autograder.remote.intake import Intake
from autograder.remote.module_sandbox import ModuleSandbox
from autograder.remote.relay import Programs
from autograder.results import Limits
from autograder.runner.tester import PROGRAM, RUN
from autograder.sandbox.errors import Ended, SandboxFault, TimedOut

SECONDS = 10.0  # of CPU that a file of tests may take on one program, beside the program itself
MEGABYTES = 1024
INTAKE = 2048  # MiB that tests and a program exchange
TIMEOUTS = 2  # of the tests' own code; then no other program is tried
PROGRAM_SECONDS, PROGRAM_MEGABYTES = 10.0, 1024  # what one test may give a program at most


@dataclass(frozen=True)
class Failure:
    """One test that a program does not pass, and what it said."""

    test: str
    outcome: str
    error: str


@dataclass(frozen=True)
class Verdict:
    """What the tests say of one program: `failures` are the first of its failures."""

    program: str
    failures: tuple[Failure, ...]
    endless: bool = False  # the tests themselves did not end

    @property
    def passed(self) -> bool:
        return not self.failures


@dataclass(frozen=True)
class OwnTests:
    """A learner's tests, and the solution that those of them are given which ask for a `reference`."""

    source: bytes
    main: str
    solution: Mapping[str, bytes]
    solution_main: str


class Unusable(Exception):
    """The tests can't be tried at all: the file does not load, or holds no test. The text is the learner's own error.

    met_programs: they could have reached a program before; then the text may hold what it answered.
    """

    def __init__(self, text: str, *, met_programs: bool = False) -> None:
        super().__init__(text)
        self.met_programs = met_programs


class Tester:
    """Tries files of tests on programs, confined. A context manager."""

    __test__ = False  # not a test class, whatever pytest makes of the name

    def __init__(self, programs: ModuleSandbox, **options: Any) -> None:
        """programs: the sandbox for the programs; the tests get one of their own, with these options."""
        self._programs = programs
        self._testers = ModuleSandbox(PROGRAM, **options)

    def __enter__(self) -> Tester:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """End the process that tests are forked from."""
        self._testers.close()

    def await_ready(self) -> None:
        """Wait until tests can be tried: processes that are forked from this one after that may go on trying them."""
        self._testers.await_ready()

    def verdict(self, tests: OwnTests, bundle: Bundle, name: str, source: bytes) -> Verdict:
        """What the tests say of one program.

        Raises:
            Unusable: they can't be tried.
            SandboxFault: the fault is ours.
        """
        files, main = {"program.py": source, **bundle.parts}, "program.py"
        limits = bundle.spec.limits
        most = Limits(max(PROGRAM_SECONDS, limits.seconds), max(PROGRAM_MEGABYTES, limits.memory_mb))
        with (
            self._testers.open(
                {tests.main: tests.source}, tests.main, limits=Limits(SECONDS, MEGABYTES)
            ) as child,
            Programs(self._programs, files, main, most) as programs,
        ):
            try:
                child.load()
            except (StudentError, Ended) as error:
                raise Unusable(str(error)) from None
            child.take_in(Intake(INTAKE))
            child.deadline(SECONDS)
            own = dict(tests.solution), tests.solution_main
            asked = (programs, *own, [limits.seconds, limits.memory_mb], bundle.weights)
            try:
                answer = child.operate("help", RUN, None, RUN, (child.student, *asked))
            except StudentError as error:
                if not programs.running:
                    raise Unusable(str(error), met_programs=True) from None
                return _over(name, programs) or Verdict(
                    name, (Failure(programs.running, "error", str(error)),)
                )
            except Ended as error:
                endless = isinstance(error, TimedOut)
                outcome = "timeout" if endless else "crashed"
                return Verdict(name, (Failure(programs.running, outcome, str(error)),), endless)
            if isinstance(child.callback_error, SandboxFault):
                raise child.callback_error
        return _over(name, programs) or Verdict(name, tuple(_failures(answer)))


def _over(name: str, programs: Programs) -> Verdict | None:
    """What is said where tests have had a program compute for longer than all of them may, whatever they say themselves."""
    if not programs.exhausted:
        return None
    return Verdict(name, (Failure(programs.running, "timeout", "the program computed for too long"),), True)


def _failures(answer: object) -> Iterator[Failure]:
    """What a tester's process says. It is the word of the learner's own code, about nothing but its own tests."""
    if not isinstance(answer, list):
        raise Unusable("the tests gave no verdict", met_programs=True)
    for entry in answer[:10]:
        if type(entry) is tuple and [type(text) for text in entry] == [str, str, str]:
            yield Failure(*entry)
        else:
            raise Unusable("the tests gave no verdict", met_programs=True)


@dataclass(frozen=True)
class Judgement:
    """What a file of tests is worth.

    refused: what they say of a right answer that does not pass, or where they do not end; then they have caught nothing.
    """

    right: int
    refused: Verdict | None
    caught: tuple[str, ...]  # misconceptions, by name
    missed: tuple[str, ...]

    @property
    def share(self) -> float:
        """Of the known mistakes, how many are caught; none where a right answer is refused."""
        mistakes = len(self.caught) + len(self.missed)
        return 0.0 if self.refused or not mistakes else len(self.caught) / mistakes


def judge(
    tester: Tester,
    tests: OwnTests,
    bundle: Bundle,
    accepted: Mapping[str, bytes],
    tried: Callable[[int, int], None] = lambda done, all: None,
) -> Judgement:
    """Try tests on every right answer and on every known mistake, until they refuse a right answer.

    Args:
        accepted: right answers besides the reference, by name.
        tried: told after each program how many of how many were tried.

    Raises:
        Unusable: the tests can't be tried.
        SandboxFault: the fault is ours.
    """
    wrong = variants_of(bundle)
    right = {REFERENCE: wrong.pop(REFERENCE), **accepted}
    programs = [*right.items(), *wrong.items()]
    # In no order that tests could know: a process can tell by its number how many were forked before it.
    SystemRandom().shuffle(programs)
    caught = set()
    endless = 0
    for done, (name, source) in enumerate(programs, 1):
        verdict = tester.verdict(tests, bundle, name, source)
        endless += verdict.endless
        if (name in right and not verdict.passed) or endless == TIMEOUTS:
            return Judgement(len(right), verdict, (), tuple(wrong))
        if not verdict.passed:
            caught.add(name)
        tried(done, len(programs))
    return Judgement(
        len(right),
        None,
        tuple(name for name in wrong if name in caught),
        tuple(name for name in wrong if name not in caught),
    )
