"""Giving an exercise back as it was: the learner's work is copied first, and nothing is ever written over."""

from __future__ import annotations

import os
import zipfile
from datetime import datetime
from pathlib import Path
from typing import Any

from autograder.authoring.build import skeleton_of
from autograder.authoring.notebooks import import_nbformat, notebook_of
from autograder.course import CourseError, Exercise
from autograder.grading.pristine import is_pristine
from autograder.learn.journal import own_folder

SKELETONS = Path("exercises") / "skeletons.zip"  # in a released tree: every file as it was given out


def reset(exercise: Exercise, lang: str) -> list[tuple[Path, Path | None]]:
    """Write the exercise's files that were changed as they were given out: each, and the copy of what it held.

    Raises:
        CourseError: it is not known here how the file was given out.
    """
    given, path = as_given(exercise), exercise.skeleton
    wanted: dict[Path, str] = {}
    if not path.is_file() or path.read_text(encoding="utf-8", errors="replace") != given:
        wanted[path] = given
    notebook = exercise.root / "notebooks" / exercise.unit / f"{exercise.topic}.ipynb"
    if notebook.is_file() and not is_pristine(exercise, notebook.name, notebook.read_bytes()):
        wanted[notebook] = _notebook(exercise, given, notebook, lang)
    done = []
    for path, text in wanted.items():
        copy = keep_copy(exercise, path) if path.is_file() else None
        _replace(path, text)
        done.append((path, copy))
    return done


def as_given(exercise: Exercise) -> str:
    """The skeleton as it was given out."""
    if exercise.solution.is_file():
        return skeleton_of(exercise)
    archive = exercise.root / SKELETONS
    try:
        with zipfile.ZipFile(archive) as kept:
            return kept.read(f"{exercise.id}.py").decode("utf-8")
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise CourseError(
            f"{archive} does not hold {exercise.id} ({error}); take {exercise.skeleton} back from what was given to you",
            f"{archive} 里没有 {exercise.id}（{error}）；请从发给你的文件中恢复 {exercise.skeleton}",
        ) from None


def _notebook(exercise: Exercise, skeleton: str, path: Path, lang: str) -> str:
    """The notebook as it was given out, in the language of the one that is there."""
    chinese = f'check(\\"{exercise.id}\\", lang=\\"zh\\")' in path.read_text(
        encoding="utf-8", errors="replace"
    )
    fresh: Any = notebook_of(exercise, "zh" if chinese else lang, skeleton)
    return str(import_nbformat().writes(fresh)) + "\n"


def keep_copy(exercise: Exercise, path: Path) -> Path:
    """Copy the learner's file to a name that is not taken, with the moment in it."""
    folder = own_folder(exercise.root) / "kept" / exercise.unit
    folder.mkdir(parents=True, exist_ok=True)
    moment = datetime.now().strftime("%Y-%m-%d_%H-%M-%S")
    content = path.read_bytes()
    for number in range(1, 1000):
        again = f"_{number}" if number > 1 else ""
        copy = folder / f"{path.stem}.{moment}{again}{path.suffix}"
        try:
            with copy.open("xb") as file:
                file.write(content)
        except FileExistsError:
            continue
        return copy
    raise CourseError(f"{folder} is full; move its files away", f"{folder} 已满；请移走其中的文件")


def _replace(path: Path, text: str) -> None:
    """Write the file in one step."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.fresh")
    fresh.write_bytes(text.encode())
    os.replace(fresh, path)
