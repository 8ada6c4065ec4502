"""Grade a class's submissions: find what is new, run it here or elsewhere, hand each result over as it comes.

What is known already is settled while the class is collected, student by student. What is new is graded exercise by
exercise, so that one exercise at a time has to be ready. Results are keyed by content, so a run that was interrupted
goes on where it stopped, and a second run grades nothing: it needs no torch, no tests and no sandbox. Workers record
nothing; the caller's `record` is the only writer.
"""

from __future__ import annotations

import dataclasses
import functools
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from msgspec.structs import replace

from autograder.course import Exercise
from autograder.errors import UserError
from autograder.gradebook.submission_times import tells_more
from autograder.grading.bundle import Bundle, bundle_of, result_key
from autograder.grading.collector import Upload
from autograder.grading.internal_errors import internal_error
from autograder.grading.names import Names
from autograder.grading.spool import Spool, Waiting
from autograder.grading.submissions import Submission, submissions_of
from autograder.grading.without_running import refused, ungraded
from autograder.grading.work import Runner, Settled, Work
from autograder.grading.worker import Mode, Worker
from autograder.results import ExerciseResult, Isolation, Submitted, TimeSource, Unrecognised
from autograder.sandbox.errors import SandboxUnavailable

LOOKED_UP = 500  # last results asked for at once: they are in memory together

Chosen = Callable[
    [str, str, str], bool
]  # whether what a student handed in to an exercise, by its key, is graded


@dataclass(frozen=True)
class Batch:
    """What is graded in one go.

    students: student -> folders, zip files or single files they handed in; `students_of` a folder gives that.
    folder: what the paths in the results are relative to; by default the folder that each entry lies in.
    """

    exercises: Sequence[Exercise]
    students: Mapping[str, Sequence[Path | Upload]]
    folder: Path | None = None


@dataclass
class Grader:
    """Grades the submissions of a class to the given exercises.

    known: the recorded result for a key, or None. record: called with every result that is new to a student, cached or
        graded now, in the driver.
    latest: (student, exercise) -> the last recorded result, of these students on these exercises. What is still the same is
        neither looked up nor recorded one by one.
    workers: processes on this machine. scheduler: the address of Dask's, to grade on all its workers instead.
    collected: called with each student whose files were read, and with how many of their submissions are new.
    names: the exercises whose names are known, and whether a guess counts. unrecognised: called with each student and a
    file of theirs that was meant as an answer to all appearance, and is none.
    chosen: what of it is looked at; all by default.
    times: (student, exercise) -> when that was handed in, as the instructor says; of all of a student's with "" as exercise.
    """

    exercises: Sequence[Exercise]
    mode: Mode
    known: Callable[[str], ExerciseResult | None]
    record: Callable[[ExerciseResult], None]
    latest: Callable[[Sequence[str], Sequence[str]], Mapping[tuple[str, str], ExerciseResult]] = (
        lambda students, exercises: {}
    )
    workers: int = 1
    scheduler: str | None = None
    collected: Callable[[str, int], None] = lambda student, new: None
    names: Names | None = None
    unrecognised: Callable[[str, Unrecognised], None] = lambda student, file: None
    chosen: Chosen | None = None
    times: Mapping[tuple[str, str], datetime] = field(default_factory=dict)

    def run(
        self, students: Mapping[str, Sequence[Path | Upload]], folder: Path | None = None
    ) -> Iterator[Settled]:
        """Grade what is new, yielding each settled submission.

        Args:
            students: student -> folders, zip files or single files they handed in; `students_of` a folder gives that.
            folder: what the paths in the results are relative to; by default the folder that each entry lies in.
        """
        bundles = {exercise.id: bundle_of(exercise) for exercise in self.exercises}
        worker = Worker(self.mode)
        try:
            with TemporaryDirectory(prefix="autograder-") as place:
                spool = Spool(Path(place))
                for student, latest in self._with_latest(list(students)):
                    tell = functools.partial(self.unrecognised, student)
                    found = submissions_of(
                        student, students[student], self.exercises, worker.unpack, folder, self.names, tell
                    )
                    yield from self._collect(student, found, bundles, latest, spool)
                    if spool.waiting and self.scheduler is None:
                        worker.start()  # refuses here, before anything is graded, where nothing protects
                if spool.waiting:
                    yield from self._runner(worker)(self._pending(bundles, spool))
        finally:
            worker.close()

    def _with_latest(
        self, students: Sequence[str]
    ) -> Iterator[tuple[str, Mapping[tuple[str, str], ExerciseResult]]]:
        """Each student, with the last results of theirs and of some others."""
        exercises = [exercise.id for exercise in self.exercises]
        together = max(1, LOOKED_UP // max(1, len(exercises)))
        for start in range(0, len(students), together):
            some = students[start : start + together]
            latest = self.latest(some, exercises)
            yield from ((student, latest) for student in some)

    def _collect(
        self,
        student: str,
        submissions: Iterable[Submission],
        bundles: Mapping[str, Bundle],
        latest: Mapping[tuple[str, str], ExerciseResult],
        spool: Spool,
    ) -> Iterator[Settled]:
        """Settle those of a student's submissions that need not be run, and let the others wait."""
        settled: list[Settled] = []
        new: list[Waiting] = []
        try:
            for submission in submissions:
                bundle, submission = bundles[submission.exercise], self._dated(submission)
                if submission.problem is not None:
                    settled.append(Settled(refused(bundle, submission), cached=False))
                    continue
                key = result_key(bundle, submission.main, submission.files, self._isolation)
                if self.chosen is not None and not self.chosen(student, submission.exercise, key):
                    continue
                last = latest.get((student, submission.exercise))
                known = last if last is not None and last.key == key else self.known(key)
                if known is None:
                    new.append(spool.keep(submission, key))
                else:
                    settled.append(Settled(_handed_in(known, submission), cached=True))
        except (UserError, SandboxUnavailable):
            raise  # every other student would meet it, too
        except Exception as error:
            # What was handed in, nobody knows; not to have looked is nobody's zero.
            new, detail = [], internal_error("collecting", error)
            settled = [
                Settled(ungraded(bundle, Submission(student, name, student), detail), cached=False)
                for name, bundle in bundles.items()
            ]
        for one in settled:
            last = latest.get((student, one.result.exercise))
            if (
                last is None
                or last.key != one.result.key
                or not last.key
                or tells_more(one.result.submitted, last.submitted)
            ):
                self.record(one.result)
            yield one
        for waiting in new:
            spool.add(waiting)
        self.collected(student, len(new))

    def _dated(self, submission: Submission) -> Submission:
        """The submission with the time that the instructor gives for it, if any."""
        student = submission.student
        given = self.times.get((student, submission.exercise)) or self.times.get((student, ""))
        if given is None:
            return submission
        return dataclasses.replace(submission, submitted=Submitted(given, TimeSource.GIVEN))

    @property
    def _isolation(self) -> Isolation:
        """As far as it is part of a key: an isolated result counts wherever another level was reached."""
        return Isolation.UNSAFE if self.mode.unsafe else Isolation.FULL

    def _pending(self, bundles: Mapping[str, Bundle], spool: Spool) -> Iterator[Work]:
        """Each submission that waits, as work to do; or settled, where another student's was the same."""
        for name, bundle in bundles.items():
            for key, submission in spool.take(name):
                known = self.known(key)
                if known is None:
                    yield bundle, submission
                else:
                    result = _handed_in(known, submission)
                    self.record(result)
                    yield Settled(result, cached=True)

    def _runner(self, worker: Worker) -> Runner:
        if self.scheduler is not None:
            from autograder.grading.on_dask import OnDask

            return OnDask(self.scheduler, self.mode, self.record).run
        if sys.platform.startswith("linux"):
            # A single worker is a process of its own, too: whatever ends it, the run goes on.
            from autograder.grading.pool import Pool

            return Pool(self.workers, worker, self.record).run
        if self.workers > 1:
            raise UserError(
                "more than one worker needs Linux; leave out --workers",
                "使用多个工作进程需要 Linux；请去掉 --workers",
            )
        return lambda work: _here(work, worker, self.record)


def _here(
    work: Iterable[Work], worker: Worker, record: Callable[[ExerciseResult], None]
) -> Iterator[Settled]:
    """Run submissions one after another in this process."""
    current: Bundle | None = None
    for item in work:
        if isinstance(item, Settled):
            yield item
            continue
        bundle, submission = item
        if bundle is not current:
            worker.take_up(bundle)
            current = bundle
        result = worker.grade(bundle, submission)
        record(result)
        yield Settled(result, cached=False)


def _handed_in(known: ExerciseResult, submission: Submission) -> ExerciseResult:
    """A result as that of a submission of the same content."""
    return replace(known, student=submission.student, path=submission.path, submitted=submission.submitted)
