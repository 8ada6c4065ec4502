"""A folder of submissions, or one zip file of them all: to be graded, or grouped by how they fail."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from autograder.cli.common import Speaker

if TYPE_CHECKING:
    from rich.console import Console

    from autograder.course import Course, Exercise
    from autograder.gradebook.roster import Person
    from autograder.grading.clusters import Cluster
    from autograder.grading.names import Names
    from autograder.grading.worker import Worker
    from autograder.platforms.lms.download import Download
    from autograder.results import ExerciseResult


@contextmanager
def opened_submissions(
    place: Path, people: Mapping[str, Person], names: Names, unsafe: bool, remarks: Console, say: Speaker
) -> Iterator[Download]:
    """Whose is what in a folder or zip file, for as long as this lasts; what is odd about the names is said at once."""
    from autograder.platforms.lms.download import opened_download

    def unpack(
        archive: BinaryIO, max_bytes: int, max_files: int, suffixes: Sequence[str]
    ) -> dict[str, bytes]:
        from autograder.grading.worker import Mode, Worker  # torch comes along: not for a folder

        worker = Worker(Mode(unsafe=unsafe))
        try:
            return worker.unpack(archive, max_bytes, max_files, suffixes)
        finally:
            worker.close()

    with opened_download(place, people, names, unpack) as download:
        for remark in download.remarks:
            remarks.print(f"{remark.pick(say.lang)}.", style="yellow", markup=False)
        yield download


@contextmanager
def clustered(
    place: Path,
    course: Course,
    exercises: Sequence[Exercise],
    people: Mapping[str, Person],
    known: Callable[[str], ExerciseResult | None],
    remarks: Console,
    say: Speaker,
) -> Iterator[Iterator[tuple[Exercise, list[Cluster], Worker]]]:
    """Each of these exercises with the groups of its unexplained failures in a folder of submissions, one after another."""
    from autograder.grading.clusters import clusters_of
    from autograder.grading.names import Names
    from autograder.grading.submissions import submissions_of
    from autograder.grading.worker import Mode, Worker

    course.check_files(exercises)
    names = Names(list(course))
    written = [exercise for exercise in exercises if exercise.kind not in ("tests", "debug")]
    worker = Worker(Mode(hide=(course.root,)))
    with opened_submissions(place, people, names, False, remarks, say) as download:
        worker.start()  # refuses here where nothing protects

        def each() -> Iterator[tuple[Exercise, list[Cluster], Worker]]:
            for exercise in written:
                found = (
                    submission
                    for student, entries in download.students.items()
                    for submission in submissions_of(
                        student, entries, [exercise], worker.unpack, download.folder, names
                    )
                )
                yield exercise, clusters_of(exercise, found, worker, known), worker

        try:
            yield each()
        finally:
            worker.close()
