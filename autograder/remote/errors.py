"""What the student's side reports, and what can't cross to it."""

from __future__ import annotations

import builtins
from collections.abc import Sequence
from functools import cache
from typing import Any

from msgspec import Struct

from autograder.text import printable

NAME_LIMIT = 80
MESSAGE_LIMIT = 2000
MRO_LIMIT = 32
FRAME_LIMIT = 20
SOURCE_LIMIT = 300


class Frame(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """One line of the student's own code in a traceback."""

    filename: str
    line: int
    function: str
    source: str

    def __str__(self) -> str:
        return f"{self.filename}:{self.line} in {self.function}: {self.source}"


class StudentError(Exception):
    """An exception of the student's code, raised again as a class that also derives from the matching builtin.

    name: the name of the exception's class, as the student's side gave it.
    mro: the builtin classes it derives from, most derived first.
    message: its text.
    frames: the student's own lines, outermost first.
    certain: it was raised before any code of the submission ran, so it is no claim.
    """

    certain = False

    def __init__(
        self, name: str, mro: Sequence[str] = (), message: str = "", frames: Sequence[Frame] = ()
    ) -> None:
        Exception.__init__(self, printable(name, NAME_LIMIT), printable(message, MESSAGE_LIMIT))
        self.name = printable(name, NAME_LIMIT)
        self.mro = tuple(printable(base, NAME_LIMIT) for base in mro[:MRO_LIMIT])
        self.message = printable(message, MESSAGE_LIMIT)
        self.frames = tuple(_printable_frame(frame) for frame in frames[-FRAME_LIMIT:])

    def __str__(self) -> str:
        text = f"{self.name}: {self.message}" if self.message else self.name
        return "\n".join([text, *(f"  {frame}" for frame in self.frames)])

    def __repr__(self) -> str:
        return f"StudentError({self.name!r}, {self.message!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        # Its class is made as it is needed, so no module holds it under its name.
        return student_error, (self.name, self.mro, self.message, self.frames)


class UnsendableArgument(Exception):
    """A test passes something on that can't cross: too large, too deep. The student's side may have given it that."""


def out_of_memory(error: BaseException) -> bool:
    """Whether this process, and no student's, had no memory left: Python and numpy say it in one way, torch in two."""
    if isinstance(error, StudentError):
        return False
    if isinstance(error, RuntimeError):
        return "can't allocate memory" in str(error) or str(error) == "std::bad_alloc"
    return isinstance(error, MemoryError)


class ArchiveError(Exception):
    """A submitted archive that can't be unpacked; the message names the entry or the limit."""


def _printable_frame(frame: Frame) -> Frame:
    return Frame(
        printable(frame.filename, NAME_LIMIT),
        frame.line,
        printable(frame.function, NAME_LIMIT),
        printable(frame.source.strip(), SOURCE_LIMIT),
    )


def student_error(
    name: str, mro: Sequence[str] = (), message: str = "", frames: Sequence[Frame] = ()
) -> StudentError:
    """The exception to raise for what the student's side reports.

    `mro` is a claim of the untrusted side. It only chooses among builtin exceptions, each of which the
    student's code could have raised honestly; anything else in it is ignored.
    """
    for base in mro[:MRO_LIMIT]:
        if base == "Exception":
            break
        if _may_derive_from(base):
            return _class_for(base)(name, mro, message, frames)
    return StudentError(name, mro, message, frames)


# StopIteration would silently end a loop of the test that calls the student; the groups can't be made without
# members. Exits and interrupts are no subclasses of Exception and so never come into question.
_NEVER = (StopIteration, StopAsyncIteration, BaseExceptionGroup)


@cache
def _class_for(base: str) -> type[StudentError]:
    return type("StudentError", (StudentError, getattr(builtins, base)), {"__module__": __name__})


@cache
def _may_derive_from(base: str) -> bool:
    found = getattr(builtins, base, None)
    if not (isinstance(found, type) and issubclass(found, Exception)):
        return False
    return found is not Exception and not issubclass(found, _NEVER)
