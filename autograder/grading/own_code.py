"""What of a submission its author wrote, as text: the source that is shown, and the code that is compared.

Nothing is imported or compiled: a notebook is decoded as data, and a script is split into words and signs, whether or not
it is valid Python.
"""

from __future__ import annotations

import builtins
import keyword
import re
from bisect import bisect_right
from collections.abc import Collection
from itertools import accumulate
from pathlib import PurePath

from msgspec import Struct

from autograder.course.given import GIVEN
from autograder.grading.notebook_view import shown_cells
from autograder.guest.notebook import SKIP, NotebookError

MAX_SOURCE = 200_000  # characters of code: nobody writes more by hand
STATEMENT = re.compile(r"^# %% \[markdown\].*\n(?:(?!# %%).*(?:\n|\Z))*", re.MULTILINE)
CONTEXT = re.compile(r"\s*(async def|def|class)\b")  # given lines that say what the lines below belong to


# What copydetect's own filter (Pygments) does to Python, in a twentieth of its time. That one also counts docstrings, and
# finds the wrong lines below a class.
TOKEN = re.compile(
    r"""
    (?P<comment>\#[^\n]*+)
    | (?P<string>[rbuf]{0,2}(?:
        \"\"\"(?:[^"\\]|\\.|"(?!""))*+(?:\"\"\"|\Z) | '''(?:[^'\\]|\\.|'(?!''))*+(?:'''|\Z)
        | "(?:[^"\\\n]|\\.)*+"? | '(?:[^'\\\n]|\\.)*+'? ))
    | (?P<name>[^\W\d]\w*+)
    | (?P<other>\d[\w.]*+|\S)
    """,
    re.VERBOSE | re.DOTALL | re.IGNORECASE,
)
KEPT = frozenset((*keyword.kwlist, *dir(builtins), "self"))  # names that nobody chooses
DEFINED = {"def": "F", "class": "O"}


class Code(Struct, frozen=True):
    """Code without names, comments, docstrings and blanks, and the line of the source that each character is from."""

    text: str
    lines: list[int]


def source_of(name: str, content: bytes) -> str | None:
    """The text of a `.py` file, or of a notebook's code cells without skipped ones; None for what can't be read or is too long."""
    if PurePath(name).suffix == ".ipynb":
        try:
            cells = shown_cells(content)
        except NotebookError:
            return None
        sources = (cell.source for cell in cells if cell.kind == "code")
        text = "\n\n".join(source for source in sources if not source.lstrip().startswith(("%%", SKIP)))
    else:
        text = content.decode("utf-8-sig", "replace").replace("\r\n", "\n").replace("\r", "\n")
    bare = without_statement(text)
    return text if len(bare) <= MAX_SOURCE else None


def without_statement(source: str) -> str:
    """The source, line for line, without given code and lines of comment: statement cells of a script are comments."""
    blanked = _blanked(GIVEN, source)
    return "\n".join("" if line.lstrip().startswith("#") else line for line in blanked.split("\n"))


def _blanked(pattern: re.Pattern[str], source: str) -> str:
    return pattern.sub(lambda found: "\n" * found[0].count("\n"), source)


def compared_code(source: str, *, given: bool = False) -> Code:
    """The code that is compared. Whoever renames, comments, reformats or quotes in another way leaves it as it is.

    Args:
        given: with given code, too, which a student may have moved out of its marks.
    """
    bare = source if given else without_statement(source)
    starts = list(accumulate((len(line) + 1 for line in bare.split("\n")), initial=0))
    pieces: list[str] = []
    lines: list[int] = []
    before, depth = "", 0
    for found in TOKEN.finditer(bare):
        kind, word = found.lastgroup, found[0]
        if kind == "comment" or (kind == "string" and not depth and _stands_alone(bare, *found.span())):
            continue
        if kind == "name":
            letter = word if word in KEPT else DEFINED.get(before, "V")
        elif kind == "string":
            letter = "" if before == "S" else "S"  # strings side by side are one
        else:
            letter = "" if word in "()," else word  # formatters add some and take others away
            depth += (word in "([{") - (word in ")]}")
        before = letter or before
        pieces.append(letter)
        lines += [bisect_right(starts, found.start())] * len(letter)
    return Code("".join(pieces), lines)


def _stands_alone(text: str, start: int, end: int) -> bool:
    """Whether nothing but blanks or a comment is beside it in its lines: a docstring is such a string."""
    head = text[text.rfind("\n", 0, start) + 1 : start]
    tail = text[end : (text + "\n").index("\n", end)] if end < len(text) else ""
    return not head.strip() and (not tail.strip() or tail.lstrip().startswith("#"))


def shown_lines(source: str, given: Collection[str]) -> list[tuple[int, str]]:
    """(number, text) of the lines to show: the author's own, and of those that were `given` the heads of functions.

    Text is without characters that would change how a line looks, as those that turn its direction.
    """
    bare = without_statement(source).split("\n")
    spoken = _blanked(STATEMENT, source).split("\n")
    shown = []
    for number, (line, code) in enumerate(zip(spoken, bare, strict=True), 1):
        own_comment = not code and line.strip() not in given
        own = code.strip() and (line.strip() not in given or CONTEXT.match(line))
        if line.strip() and (own or (own_comment and line.lstrip().startswith("#"))):
            shown.append((number, "".join(c if c.isprintable() or c == "\t" else "\ufffd" for c in line)))
    return shown
