"""Feedback in the forms in which it is handed back: a folder or a zip file for each student, and what platforms take."""

from __future__ import annotations

import hashlib
import io
import re
import zipfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from enum import StrEnum

from autograder.feedback.page_format import PageFormat
from autograder.feedback.student import StudentFeedback
from autograder.feedback.student_pages import INDEX, assignment_page, index_page
from autograder.platforms.lms import canvas, moodle

LIST = ".autograder-feedback"  # the list of what the command has written into a folder
UNSAFE = re.compile(r"[^\w.@+ -]")
LONGEST = 100  # characters of a student's name in a file's
RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)  # of Windows
EPOCH = (1980, 1, 1, 0, 0, 0)  # the same files make the same archive


class Form(StrEnum):
    FOLDER = "folder"
    ZIP = "zip"
    MOODLE = "moodle"
    CANVAS = "canvas"


RETURNED: Mapping[Form, Callable[[str, str], str | None]] = {
    Form.MOODLE: moodle.returned,
    Form.CANVAS: canvas.returned,
}


def folder_names(students: Iterable[str]) -> dict[str, str]:
    """Student -> a name for their folder that every system can have, and nobody else's is like."""
    names: dict[str, str] = {}
    taken: set[str] = set()
    for student in students:
        name = UNSAFE.sub("_", student)[:LONGEST].strip(" .") or "_"
        if name != student or RESERVED.fullmatch(name) or name.casefold() in taken:
            name = f"{name}-{hashlib.sha256(student.encode('utf-8', 'surrogatepass')).hexdigest()[:8]}"
        taken.add(name.casefold())
        names[student] = name
    return names


def pages(student: StudentFeedback, form: PageFormat, lang: str) -> Iterator[tuple[str, bytes]]:
    """(name, content) of a student's pages, the index first."""
    yield f"{INDEX}{form.suffix}", index_page(student, form, lang).encode()
    for one in student.assignments:
        yield f"{one.id}{form.suffix}", assignment_page(student, one, form, lang).encode()


class Zip:
    """A zip file that is filled in memory."""

    def __init__(self) -> None:
        self._buffer = io.BytesIO()
        self._archive = zipfile.ZipFile(self._buffer, "w")

    def add(self, name: str, content: bytes) -> None:
        self._archive.writestr(zipfile.ZipInfo(name, EPOCH), content, zipfile.ZIP_DEFLATED)

    def content(self) -> bytes:
        """The whole file. Nothing can be added any more."""
        self._archive.close()
        return self._buffer.getvalue()


def packed(files: Iterable[tuple[str, bytes]]) -> bytes:
    """A zip file of these."""
    archive = Zip()
    for name, content in files:
        archive.add(name, content)
    return archive.content()


class Upload:
    """One platform's zip files, one for each assignment, while students are added to it.

    A name that two students would have is neither's: Moodle and Canvas would give one of them what is the other's.

    Args:
        form: what the pages are. Canvas's are always texts: it shows a comment's file under the name of the student's own.
        assignments: assignment -> its exercises.
        handed_in: (student, exercise) -> the path of what was handed in last.
    """

    def __init__(
        self,
        platform: Form,
        form: PageFormat,
        assignments: Mapping[str, Sequence[str]],
        handed_in: Mapping[tuple[str, str], str],
    ) -> None:
        self.platform = platform
        self.form = PageFormat.TEXT if platform is Form.CANVAS else form
        self._names: dict[tuple[str, str], str] = {}  # (student, assignment) -> name of the file
        self._archives: dict[str, Zip] = {}
        without = set()
        for assignment, exercises in assignments.items():
            paths: dict[str, list[str]] = {}
            for (student, exercise), path in handed_in.items():
                if exercise in exercises:
                    paths.setdefault(student, []).append(path)
            named = {student: self._name(assignment, theirs) for student, theirs in paths.items()}
            times = Counter(named.values())
            for student, name in named.items():
                if name is None or times[name] > 1:
                    without.add(student)
                else:
                    self._names[student, assignment] = name
        self.without_name = sorted(without)

    def _name(self, assignment: str, paths: Sequence[str]) -> str | None:
        file = f"feedback-{assignment}{self.form.suffix}"
        names = (RETURNED[self.platform](path.partition("/")[0], file) for path in paths)
        return next(filter(None, names), None)

    def add(self, name: str, student: StudentFeedback, lang: str) -> None:
        """Add the pages of the student whom the gradebook calls so, where the platform has a name for them."""
        for one in student.assignments:
            file = self._names.get((name, one.id))
            if file is not None:
                page = assignment_page(student, one, self.form, lang, alone=True)
                self._archives.setdefault(one.id, Zip()).add(file, page.encode())

    def files(self) -> Iterator[tuple[str, bytes]]:
        """(name, content) of each zip file."""
        for assignment, archive in self._archives.items():
            yield f"{self.platform}/{assignment}.zip", archive.content()
