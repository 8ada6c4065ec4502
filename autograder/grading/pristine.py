"""Telling a file that holds somebody's work from one that is still as it was given out.

Students receive an exercise in two forms, a `.py` and a notebook, work in one of them and hand in both. What is still as
released answers nothing, so it does not stand in the way of the other.
"""

from __future__ import annotations

from pathlib import PurePath

from autograder.course import Exercise
from autograder.course.derived import Derived
from autograder.course.digests import code_digest
from autograder.grading.notebook_view import shown_cells
from autograder.grading.planted import given_text
from autograder.guest.notebook import SKIP, NotebookError


def is_pristine(exercise: Exercise, name: str, content: bytes) -> bool:
    """Whether this file holds nothing but what was given out, or nothing at all."""
    if not content.strip():
        return True
    if isinstance(exercise, Derived):
        return PurePath(name).suffix == ".py" and code_digest(_text(content)) == code_digest(
            given_text(exercise)
        )
    given = exercise.public.pristine
    if PurePath(name).suffix == ".py":
        return code_digest(_text(content)) == given.script
    try:
        cells = shown_cells(content)
    except NotebookError:
        return False
    sources = (cell.source for cell in cells if cell.kind == "code")
    return all(code_digest(source) in given.cells for source in sources if not _answers_nothing(source))


def _text(content: bytes) -> str:
    return content.decode("utf-8-sig", "replace")


def _answers_nothing(source: str) -> bool:
    """Whether a cell is skipped by the grader, empty, or only shows a check."""
    lines = (line for line in source.splitlines() if line.strip() and not line.lstrip().startswith("#"))
    return source.lstrip().startswith(SKIP) or all(line.startswith("check(") for line in lines)
