"""The parts of a capstone in a learner's folder: their own answers to the exercises that it is built from.

The course's own parts are solutions of graded exercises, so only the grader has those.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from autograder.course import Exercise
from autograder.course.catalogue import part_file
from autograder.grading.pristine import is_pristine
from autograder.guest.loading import decode_source
from autograder.text import Text

# What stands in for a part that can't be used: whatever a capstone takes from it raises this.
ADVICE = """
class NotAnswered(Exception):
    pass


def __getattr__(name):
    if name.startswith("__"):
        raise AttributeError(name)
    raise NotAnswered({advice!r})
"""
ABSENT = Text(
    "{part} is a part of this capstone, and you have not answered it yet: {file}",
    "{part} 是本题的部件，你还没有完成它：{file}",
)
UNREADABLE = Text(
    "{part} is a part of this capstone, and {file} can't be read: {why}",
    "{part} 是本题的部件，但 {file} 无法读取：{why}",
)


def own_parts(exercise: Exercise) -> dict[str, bytes]:
    """File name -> the learner's answer to a part, where they have one that can be read: a `.py`, or a notebook."""
    return {part_file(part, path.suffix): path.read_bytes() for part, path in _usable(exercise)}


def parts_or_advice(exercise: Exercise, lang: str) -> dict[str, bytes]:
    """The learner's parts; in place of one that can't be used, a module that says why."""
    usable = [part for part, _ in _usable(exercise)]
    advice = {
        part_file(part): ADVICE.format(advice=_advice(part).pick(lang)).encode()
        for part in exercise.parts
        if part not in usable
    }
    return own_parts(exercise) | advice


def _usable(exercise: Exercise) -> Iterator[tuple[Exercise, Path]]:
    for part in exercise.parts:
        path = _answer(part)
        if path is not None and not _fault(path):
            yield part, path


def _answer(part: Exercise) -> Path | None:
    """The file that holds the learner's answer, if they have begun one."""
    notebook = part.root / "notebooks" / part.unit / f"{part.topic}.ipynb"
    for path in (part.skeleton, notebook):
        if path.is_file() and not is_pristine(part, path.name, path.read_bytes()):
            return path
    return None


def _fault(path: Path) -> str:
    """Why Python can't read a script; empty if it can."""
    if path.suffix == ".py":
        try:
            ast.parse(decode_source(path.read_bytes()), path.name)
        except (SyntaxError, ValueError) as error:
            return str(error)
    return ""


def _advice(part: Exercise) -> Text:
    path = _answer(part)
    if path is None:
        return ABSENT.format(part=part.id, file=part.skeleton.relative_to(part.root))
    return UNREADABLE.format(part=part.id, file=path.relative_to(part.root), why=_fault(path))
