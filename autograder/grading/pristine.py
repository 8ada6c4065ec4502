"""Telling a file that holds somebody's work from one that is still as it was given out.

Students receive an exercise in two forms, a `.py` and a notebook, work in one of them and hand in both. What is still as
released answers nothing, so it does not stand in the way of the other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import PurePath

from autograder.authoring.build import generate
from autograder.authoring.notebooks import notebook_of
from autograder.course import Exercise
from autograder.course.toml import read_text
from autograder.guest.notebook import SKIP, NotebookError
from autograder.guest.notebook_view import ShownCell
from autograder.text import LANGUAGES

Code = tuple[str, ...]  # lines of code, without comments and empty lines


class Untouched:
    """`untouched(exercise, name, content)`. Keeps the released forms of the exercises it was asked about.

    Args:
        read: gives a notebook's cells, in a confined process. Without it, only notebooks that nothing has saved again
            are recognised.
    """

    def __init__(self, read: Callable[[bytes], Sequence[ShownCell]] | None = None) -> None:
        self._read = read
        self._released: dict[Exercise, _Released] = {}

    def __call__(self, exercise: Exercise, name: str, content: bytes) -> bool:
        """Whether this file holds nothing but what was given out, or nothing at all.

        Comments don't count: Jupytext writes some of its own, and nbgrader's "YOUR CODE HERE" is one.
        """
        if not content.strip():
            return True
        if exercise not in self._released:
            self._released[exercise] = _Released(exercise)
        released = self._released[exercise]
        if PurePath(name).suffix == ".py":
            return _code(content.decode("utf-8-sig", "replace")) == released.script
        if _lines(content) in released.notebooks:
            return True
        if self._read is None:
            return False
        try:
            cells = self._read(content)
        except NotebookError:
            return False
        codes = [_code(cell.source) for cell in cells if _counts(cell)]
        return all(code in released.cells for code in codes if not _only_checks(code))


class _Released:
    """The forms in which an exercise is given out; generated, because the files at hand may hold somebody's work."""

    def __init__(self, exercise: Exercise) -> None:
        import nbformat

        if exercise.solution.is_file():
            skeleton = generate(exercise)[exercise.skeleton]
        else:
            skeleton = read_text(exercise.skeleton)
        self.script = _code(skeleton)
        notebooks = [notebook_of(exercise, lang, skeleton) for lang in LANGUAGES]
        self.notebooks = {_lines(nbformat.writes(notebook).encode()) for notebook in notebooks}
        self.cells = {_code(cell.source) for cell in notebooks[0].cells if cell.cell_type == "code"}


def _lines(content: bytes) -> tuple[bytes, ...]:
    """The content without regard to how its lines end."""
    return tuple(content.strip().splitlines())


def _code(source: str) -> Code:
    lines = (line.rstrip() for line in source.splitlines())
    return tuple(line for line in lines if line and not line.lstrip().startswith("#"))


def _counts(cell: ShownCell) -> bool:
    return cell.kind == "code" and not cell.source.lstrip().startswith(SKIP)


def _only_checks(code: Code) -> bool:
    return all(line.startswith("check(") for line in code)
