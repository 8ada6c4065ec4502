"""A file of the course as a module: the reference, for tests that compare with it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import ModuleType

from autograder.course import Course, Exercise, find_course
from autograder.course.catalogue import part_file
from autograder.guest.loading import load_module


def load_local(path: Path, parts: Mapping[str, bytes] | None = None) -> ModuleType:
    """A file of the course as a module, with the files beside it importable, under its real name for debuggers.

    `parts`: of a capstone.
    """
    directory = path.parent.resolve()
    files = {path.name: path.read_bytes()}
    for sibling in directory.glob("*.py"):
        if sibling.name != path.name and not sibling.name.startswith("test_"):
            files[sibling.name] = sibling.read_bytes()
    return load_module({**files, **(parts or {})}, path.name, directory=str(directory))


def load_reference(exercise: Exercise | str) -> ModuleType:
    """The reference solution of an exercise, given by id (then the course is found from the working folder)."""
    if isinstance(exercise, str):
        exercise = Course.load(find_course(), authoring=True).exercise(exercise)
    return load_local(exercise.solution, reference_parts(exercise))


def reference_parts(exercise: Exercise) -> dict[str, bytes]:
    """Of a capstone: file name -> the reference solution of a part."""
    return {part_file(part): part.solution.read_bytes() for part in exercise.parts}
