"""Grading a folder of submissions, or one zip file of them all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from autograder.cli.common import Speaker

if TYPE_CHECKING:
    from rich.console import Console

    from autograder.gradebook.roster import Person
    from autograder.grading.names import Names
    from autograder.platforms.lms.download import Download


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
