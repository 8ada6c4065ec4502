"""What a learner did last with each exercise: one small file in the course's folder, `.autograder/progress.json`.

It helps a memory and is no record: nobody is graded by it. Where it is missing, damaged or can't be written, everything
works as at the beginning. Once a site of the course was made here, `progress.js` beside it says the same to its pages.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec
from msgspec import Struct, field

from autograder.course import Exercise
from autograder.text import Text

FOLDER = ".autograder"
PAGES = "progress.js"


class HiddenPoints(Struct):
    """What the hidden tests said of an attempt. `key` changes with everything that the answer depends on."""

    key: str
    score: float
    max_score: float
    message: Text = Text()  # of the first test that lost points

    @property
    def full(self) -> bool:
        return self.score >= self.max_score


class Bug(Struct):
    """A mistake that was planted for the learner to find."""

    mistake: str
    kind: str
    found_at_once: bool | None = None  # whether the first line they named was right; None: they named none
    ended: str = ""  # "mended", "shown", or still open


class Entry(Struct):
    """One exercise: the last attempt that was tested, and the help that was given."""

    attempt: str = ""  # the digest of its code, which comments don't change
    in_notebook: bool = False  # it was a notebook's, not the file's
    score: float = 0.0  # of the public tests
    max_score: float = 0.0
    passes: bool = False  # all public tests do; those of a quiz are worth nothing
    # The questions that lost points, those that were begun first; None: not known.
    failing: list[str] | None = None
    hidden: HiddenPoints | None = None
    hints: dict[str, int] = {}  # question -> steps of help that were given
    hinted: str = ""  # the attempt for which the last step was given
    bugs: list[Bug] = []  # the last one may be open
    caught: list[int] | None = None  # known mistakes that the learner's own tests catch, and all of them

    @property
    def complete(self) -> bool:
        """Whether the hidden tests, too, gave all points."""
        return self.passes and self.hidden is not None and self.hidden.full


class Journal(Struct):
    """The file's content."""

    last: str = ""  # the exercise that was worked on last
    when: float = 0.0  # and when, in seconds since 1970
    exercises: dict[str, Entry] = field(default_factory=dict)

    def entry(self, exercise: Exercise) -> Entry:
        """What is known of an exercise; an empty entry at first."""
        return self.exercises.get(exercise.id) or Entry()


def read_journal(root: Path) -> Journal:
    """The journal of the course at `root`; an empty one where there is none that can be read."""
    try:
        return msgspec.json.decode((root / FOLDER / "progress.json").read_bytes(), type=Journal)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return Journal()


@contextmanager
def entry_of(exercise: Exercise) -> Iterator[Entry]:
    """The exercise's entry, to be changed in the block; afterwards it is kept, and the exercise the last worked on."""
    journal = read_journal(exercise.root)
    entry = journal.exercises.setdefault(exercise.id, Entry())
    yield entry
    journal.last, journal.when = exercise.id, time.time()
    with suppress(OSError):
        _write(own_folder(exercise.root) / "progress.json", msgspec.json.encode(journal))
        if (exercise.root / FOLDER / PAGES).is_file():
            publish_progress(exercise.root)


def publish_progress(root: Path) -> Path | None:
    """Write the journal as a script that pages opened as files can load; its place, or None where it can't be written."""
    try:
        path = own_folder(root) / PAGES
        _write(path, b"window.courseProgress = " + msgspec.json.encode(read_journal(root)) + b";\n")
    except OSError:
        return None
    return path


def own_folder(root: Path) -> Path:
    """The folder for what is the learner's alone, made so that git passes it over."""
    folder = root / FOLDER
    folder.mkdir(exist_ok=True)
    ignore = folder / ".gitignore"
    if not ignore.exists():
        ignore.write_text("*\n", encoding="utf-8")
    return folder


def _write(path: Path, content: bytes) -> None:
    """Replace a file in one step: a notebook and `autograder learn` may both be at work."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".progress-")
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    os.replace(name, path)
