"""What was handed in, as the trusted side holds it: the measure of what confined code says of itself.

A submission's code may know a hidden input, of another exercise, too, and what is reported of its errors is its own word. So
its author reads only what stands in their own files, what picks among a few words of ours, and of the rest no more than a
few words about each exercise.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from functools import cached_property
from typing import NamedTuple

from autograder.course.given import DEFINED
from autograder.feedback.words import words
from autograder.guest.cell_runner import GAP
from autograder.guest.loading import filename_of
from autograder.guest.notebook import NotebookError, code_cells, kept_cells
from autograder.remote.errors import SOURCE_LIMIT, Frame, StudentError
from autograder.text import Text, printable

LONGEST = 4096  # lines of all files together that a message may point to; which one it is, is 12 bits
WORDS = (
    300  # bytes that public tests of an exercise repeat of a submission's own words, at most 6.6 bits each
)
EXAMPLES = 60  # of these, kept for what it answers in the smallest examples
LEAST = 40
# What Python and the guard of imports say with one name in it.
NAMING = tuple(
    map(
        re.compile,
        (
            r"a submission may not import ([^\W\d][\w.]{0,79})",
            r"No module named '([^\W\d][\w.]{0,79})'",
            r"cannot import name '(\w{1,80})'",
            r"name '(\w{1,80})' is not defined",
        ),
    )
)


class Place(NamedTuple):
    """A line of a file that was handed in; `file` is empty for the main one."""

    file: str
    line: int
    source: str

    def told(self, function: str = "") -> str:
        """As a traceback shows it."""
        parts = [self.file, f"line {self.line}", f"in {function}" if function else ""]
        return f"{', '.join(filter(None, parts))}: {self.source}"


class HandedIn:
    """One submission's files, and the functions that the exercise's skeleton asks for."""

    def __init__(self, files: Mapping[str, bytes], main: str, asked: Collection[str] = ()) -> None:
        self._files = {main: files[main], **files}
        self._main = main
        self._asked = asked
        self.filename = filename_of(main)  # as tracebacks show it
        self._rooms = {False: WORDS - EXAMPLES, True: EXAMPLES}
        self._told: dict[Text, Text] = {}

    def told(self, said: Text, example: bool = False) -> Text:
        """As much of a submission's own words as there is room for. The same ones again are nothing new."""
        if said not in self._told:
            size, room = len(said.en.encode()), self._rooms[example]
            fits = size <= room
            self._told[said] = said if fits else Text(*(_cut(text, room) for text in (said.en, said.zh)))
            self._rooms[example] = room - size if fits else 0
        return self._told[said]

    @cached_property
    def functions(self) -> frozenset[str]:
        """What the skeleton asks for and the main file defines."""
        return frozenset(DEFINED.findall(_text(self._main, self._files[self._main]))).intersection(
            self._asked
        )

    @cached_property
    def _defined(self) -> frozenset[str]:
        """Every function of these files."""
        return frozenset(
            name for file, raw in self._files.items() for name in DEFINED.findall(_text(file, raw))
        )

    def defined(self, function: str) -> str:
        """A function's name in a traceback, where it is one of these files'; else nothing."""
        return function if function in self._defined else ""

    def function_of(self, frames: Sequence[Frame]) -> str | None:
        """The function of the skeleton that was at work, the innermost of several."""
        return next((frame.function for frame in reversed(frames) if frame.function in self.functions), None)

    def place_of(self, frames: Sequence[Frame]) -> Place | None:
        """The line that the last frame names, where there is one."""
        room = LONGEST
        for name, raw in self._files.items() if frames else ():
            lines = _lines(_text(name, raw))[:room]
            if filename_of(name) == frames[-1].filename:
                if not 0 < frames[-1].line <= len(lines):
                    return None
                source = printable(lines[frames[-1].line - 1].strip(), SOURCE_LIMIT)
                return Place("" if name == self._main else name, frames[-1].line, source)
            room -= len(lines)
        return None

    @property
    def code(self) -> str:
        """The main file as plain Python, line for line as tracebacks count; nothing where there is none to be read."""
        raw = self._files[self._main]
        try:
            return GAP.join(code_cells(raw)) if self._main.endswith(".ipynb") else _text(self._main, raw)
        except NotebookError:
            return ""

    def line(self, number: int) -> str:
        """A line of the main file, as messages name it."""
        place = self.place_of([Frame(self.filename, number, "", "")])
        return place.told() if place is not None else f"line {number}"

    def cell_of(self, first: str) -> str | None:
        """The notebook's cell that begins with this line."""
        if not self._main.endswith(".ipynb"):
            return None
        try:
            cells = kept_cells(self._files[self._main])
        except NotebookError:
            return None
        return next((cell for cell in cells if _first_line(cell) == first), None)


def repeatable(name: str, message: str, code: str) -> Text:
    """What may be repeated of an exception's text: a sentence that names something, where that stands in this code."""
    for pattern in NAMING:
        found = pattern.match(message)
        if found and re.search(rf"(?<![\w.]){re.escape(found[1])}(?!\w)", code):
            return words(StudentError(name, message=found[0]))
    return Text()


def _cut(text: str, room: int) -> str:
    """The beginning of a text, of no more than `room` bytes and a sign; nothing where that says nothing."""
    return f"{text.encode()[:room].decode('utf-8', 'ignore')}…" if room >= LEAST else ""


def _text(name: str, raw: bytes) -> str:
    if not name.endswith(".ipynb"):
        return raw.decode("utf-8-sig", "replace")
    try:
        return GAP.join(kept_cells(raw))
    except NotebookError:
        return ""


def _lines(text: str) -> list[str]:
    """As Python counts them: `splitlines` knows more ends of a line."""
    return re.split(r"\r\n|\r|\n", text)


def _first_line(cell: str) -> str:
    return printable(next((line.strip() for line in cell.splitlines() if line.strip()), "")[:80], 400)
