"""Which mutants of a reference do the tests catch? Each is graded like a submission, up to the first test it loses."""

from __future__ import annotations

import atexit
import gc
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

from msgspec import Struct

from autograder.audit.mutants import Change, Mutant, mutants_of
from autograder.authoring.script import find_blocks
from autograder.course import Course, CourseError, Exercise
from autograder.grading.bundle import bundle_of
from autograder.grading.grader import ExerciseGrader
from autograder.grading.worker import Mode, Worker
from autograder.results import Outcome
from autograder.runner.run import run_case
from autograder.sandbox.errors import Killed

SECONDS = 2.0  # of CPU at most for one test: some mutants loop for ever. A capstone, which trains, has its own limit
RATE = 0.95  # of all mutants must be caught, or be listed as equivalent


class MutationReport(Struct, frozen=True):
    """The mutants of one exercise: how many the tests catch, and those that pass every test.

    equivalent: how many of those that pass every test are listed in the exercise's TOML file.
    rate: the share of mutants that are caught or listed; 1 where there are none.
    survivors: the others.
    problems: entries of the TOML file that no longer hold.
    """

    exercise: str
    mutants: int
    killed: int
    equivalent: int
    rate: float
    survivors: tuple[Change, ...]
    problems: tuple[str, ...]

    @property
    def green(self) -> bool:
        return self.rate >= RATE and not self.problems


Progress = Callable[[str, int, int], None]  # exercise, how many mutants have been run, of how many
Task = tuple[str, str, str]  # exercise, question, source
Losses = Callable[[Sequence[Task]], Iterator[str | None]]  # for each task, the first test that did not pass


def audit_mutants(
    course: Course,
    exercises: Iterable[Exercise],
    workers: int | None = None,
    progress: Progress = lambda exercise, done, total: None,
) -> Iterator[MutationReport]:
    """Run every mutant of these exercises, and report on one exercise after another.

    Args:
        workers: processes, each with a sandbox of its own; by default one for each processor.

    Raises: CourseError where the reference does not pass a test itself.
    """
    with _losses(course, workers or len(os.sched_getaffinity(0))) as losses:
        for exercise in exercises:
            source = exercise.solution.read_text(encoding="utf-8")
            mutants = mutants_of(source, find_blocks(source, str(exercise.solution)))
            lost = next(losses([(exercise.id, "", source)]))
            if lost is not None:
                raise CourseError(
                    f"{exercise.solution} does not pass {lost} itself, or takes more than {SECONDS:g} s of CPU; "
                    f"run `autograder audit {exercise.id}` first",
                    f"{exercise.solution} 自己通不过 {lost}，或用了超过 {SECONDS:g} 秒 CPU；"
                    f"请先运行 `autograder audit {exercise.id}`",
                )
            passed = []
            tasks = [(exercise.id, mutant.question, mutant.source) for mutant in mutants]
            for done, (mutant, lost) in enumerate(zip(mutants, losses(tasks), strict=True), 1):
                progress(exercise.id, done, len(mutants))
                if lost is None:
                    passed.append(mutant.change)
            yield _report(exercise, mutants, passed)


def _report(exercise: Exercise, mutants: Sequence[Mutant], passed: Sequence[Change]) -> MutationReport:
    listed = {(entry.line, entry.to) for entry in exercise.spec.equivalent}
    survivors = [change for change in passed if (change.before, change.after) not in listed]
    problems = []
    for line, to in sorted(listed):
        entry = f"{exercise.spec_file.name}: the equivalent mutant {line!r} -> {to!r}"
        if all((m.change.before, m.change.after) != (line, to) for m in mutants):
            problems.append(f"{entry} is no mutant any more; remove or correct the entry")
        elif all((change.before, change.after) != (line, to) for change in passed):
            problems.append(f"{entry} loses a test, so it is not equivalent; remove the entry")
    return MutationReport(
        exercise=exercise.id,
        mutants=len(mutants),
        killed=len(mutants) - len(passed),
        equivalent=len(passed) - len(survivors),
        rate=1 - len(survivors) / len(mutants) if mutants else 1.0,
        survivors=tuple(survivors),
        problems=tuple(problems),
    )


class MutantRunner:
    """Runs mutants confined, for one exercise at a time. A context manager.

    The tests that have caught mutants of the same question come first, so most mutants meet few tests.
    """

    def __init__(self, course: Course) -> None:
        self._course = course
        self._worker = Worker(Mode(hide=(course.root,)))
        self._grader: ExerciseGrader | None = None
        self._kills: Counter[tuple[str, str]] = Counter()  # question, test

    def __enter__(self) -> MutantRunner:
        return self

    def __exit__(self, *exception: object) -> None:
        self._worker.close()

    def first_loss(self, task: Task) -> str | None:
        """The first test, public or hidden, that this source does not pass; None if it passes all."""
        name, question, source = task
        if self._grader is None or self._grader.bundle.exercise != name:
            self._worker.keep_only(name)
            self._grader = self._worker.grader(bundle_of(self._course.exercise(name)))
            self._kills.clear()
        lost = self._run(self._grader, question, source)
        if lost is not None:
            self._kills[question, lost] += 1
        return lost

    def _run(self, grader: ExerciseGrader, question: str, source: str) -> str | None:
        limits = grader.bundle.spec.limits
        with grader.open(source.encode()) as backend:
            for case in sorted(grader.cases, key=lambda case: -self._kills[question, case.name]):
                seconds = case.limits(limits).seconds
                if not grader.bundle.parts:
                    seconds = min(seconds, SECONDS)
                capped = replace(case, own_limits={**case.own_limits, "seconds": seconds})
                ending = run_case(capped, backend, grader.reference, limits)
                if isinstance(ending.error, Killed):  # by the system: a second time it is no accident
                    ending = run_case(capped, backend, grader.reference, limits)
                if ending.outcome is Outcome.UNGRADED and ending.error is not None:
                    raise ending.error
                if not ending.passed:
                    return case.name
        return None


@contextmanager
def _losses(course: Course, workers: int) -> Iterator[Losses]:
    """Runs tasks in order, in this process or in several."""
    if workers == 1:
        with MutantRunner(course) as runner:
            yield lambda tasks: map(runner.first_loss, tasks)
        return
    # A process that has used torch must not be forked.
    with ProcessPoolExecutor(workers, get_context("spawn"), _begin, (course.root,)) as pool:
        yield lambda tasks: pool.map(_first_loss, tasks)


_runner: list[MutantRunner] = []  # in a process of the pool: the one that serves all its tasks


def _begin(root: Path) -> None:
    _runner.append(MutantRunner(Course.load(root, authoring=True)))
    gc.freeze()  # what is imported stays; the garbage collector need not go through it again and again
    atexit.register(_runner[0].__exit__)


def _first_loss(task: Task) -> str | None:
    return _runner[0].first_loss(task)
