"""The files of an nbgrader course: what was released, who handed in what, and when.

nbgrader's own configuration says where things lie. Its database is the gradebook's affair.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from autograder.course import Course, CourseError, Exercise
from autograder.errors import UserError
from autograder.grading.collector import Upload, visible
from autograder.grading.scheduler import Batch
from autograder.platforms.nbgrader.lateness import Penalty, penalty_of
from autograder.results import Submitted, TimeSource

POINTS_SUFFIX = "-points"  # a question's grade cell has the name of its solution cell, and this
MAX_TIMESTAMP = 100  # characters


class NbgraderError(UserError):
    """The nbgrader course can't be used as it is. Names the file and the remedy."""


@dataclass(frozen=True)
class Released:
    """One notebook that was given out, and the exercise of ours that it is."""

    assignment: str
    exercise: Exercise
    path: Path
    notebook: dict[str, Any]

    @property
    def name(self) -> str:
        return self.path.stem


@dataclass(frozen=True)
class HandedIn:
    """What one student handed in for one assignment. `timestamp` is naive UTC, as nbgrader keeps it."""

    student: str
    assignment: str
    folder: Path
    timestamp: datetime | None

    @property
    def submitted(self) -> Submitted | None:
        """The same, as our gradebook keeps it."""
        if self.timestamp is None:
            return None
        return Submitted(self.timestamp.replace(tzinfo=UTC), TimeSource.NBGRADER)

    def answers(self, names: Collection[str], topics: Collection[str]) -> list[Path]:
        """The files that answer notebooks of these names, and the modules that they may import.

        A notebook comes before a `.py` of the same name. A module named after one of the course's other topics is not
        taken: in a class graded at once it would be an answer to that.
        """
        try:
            paths = sorted(path for path in self.folder.iterdir() if path.suffix in (".ipynb", ".py"))
        except OSError as error:
            raise NbgraderError(
                f"{self.folder} can't be read ({error.strerror}); check its permissions",
                f"{self.folder} 无法读取（{error.strerror}）；请检查文件夹权限",
            ) from None
        notebooks = {path.stem for path in paths if path.suffix == ".ipynb"}
        return [
            path
            for path in paths
            if (path.stem in names and (path.suffix == ".ipynb" or path.stem not in notebooks))
            or (path.suffix == ".py" and path.stem not in topics)
        ]


class NbgraderCourse:
    """An nbgrader course directory, opened with nbgrader's own reading of its configuration."""

    def __init__(self, root: Path) -> None:
        """Raises NbgraderError where there is no such folder, no nbgrader, or a configuration that can't be loaded."""
        if not root.is_dir():
            raise NbgraderError(
                f"{root} is not a folder; give the nbgrader course's own folder",
                f"{root} 不是文件夹；请给出 nbgrader 课程自己的文件夹",
            )
        try:
            from nbgrader.apps import NbGrader  # type: ignore[import-untyped]
        except ImportError:
            raise NbgraderError(
                "nbgrader is not installed; install the extra: pip install 'llm-autograder[nbgrader]'",
                "未安装 nbgrader；请安装附加依赖：pip install 'llm-autograder[nbgrader]'",
            ) from None
        app = NbGrader(raise_config_file_errors=True, log_level="ERROR")
        app.load_cwd_config = False
        try:
            app.initialize([], root=str(root.resolve()))
        except (Exception, SystemExit) as error:
            config = root / "nbgrader_config.py"
            raise NbgraderError(
                f"{config} can't be loaded ({error}); mend it", f"{config} 无法加载（{error}）；请修正它"
            ) from None
        self._directory = app.coursedir
        self._config = app.config
        self.root = Path(app.coursedir.root)
        self.database: str = app.coursedir.db_url
        self.name: str = app.coursedir.course_id

    def folder(self, step: str, student: str, assignment: str) -> Path:
        """Where nbgrader keeps a step ("release", "submitted", "autograded") of somebody's assignment."""
        place = getattr(self._directory, f"{step}_directory")
        return Path(self._directory.format_path(place, student, assignment))

    @cached_property
    def penalty(self) -> Penalty:
        """What this course takes from a late notebook."""
        return penalty_of(self._config)

    def released(self, course: Course) -> list[Released]:
        """The released notebooks of this course, in course order; those of other origin are left alone."""
        found = []
        pattern = self.folder("release", ".", "*")
        for path in sorted(self.root.glob(f"{pattern.relative_to(self.root)}/*.ipynb")):
            notebook = read_notebook(path)
            name = exercise_of(notebook)
            if name is None:
                continue
            try:
                found.append(Released(path.parent.name, course.exercise(name), path, notebook))
            except CourseError as error:
                raise NbgraderError(
                    f"{path}: {error.text.en}; give this notebook's course with --course",
                    f"{path}：{error.text.zh}；请用 --course 指明这个 notebook 所属的课程",
                ) from None
        if not found:
            raise NbgraderError(
                f"{pattern} holds no notebook of this course; write the sources with "
                f"`autograder release {self.root} --to nbgrader`, then run `nbgrader generate_assignment NAME` there",
                f"{pattern} 里没有本课程的 notebook；请用 `autograder release {self.root} --to nbgrader` 写出源文件，"
                "再在那里运行 `nbgrader generate_assignment NAME`",
            )
        order = {exercise.id: place for place, exercise in enumerate(course)}
        return sorted(found, key=lambda item: (item.assignment, order[item.exercise.id]))

    def handed_in(self, assignment: str) -> list[HandedIn]:
        """Everybody who handed the assignment in, sorted."""
        place = self._directory.submitted_directory
        pattern = Path(self._directory.format_path(place, "*", assignment)).relative_to(self.root)
        escaped = self._directory.format_path(place, "(?P<student>.*)", assignment, escape=True)
        found = []
        for folder in sorted(self.root.glob(str(pattern))):
            match = re.fullmatch(escaped, str(folder))
            if match and folder.is_dir() and not match["student"].startswith("."):
                student = visible(match["student"])
                found.append(HandedIn(student, assignment, folder, _timestamp(folder)))
        return found

    @cached_property
    def submitted(self) -> Path:
        """The folder that all submissions lie in."""
        return self.root / self._directory.submitted_directory


def batches(course: Course, place: NbgraderCourse, released: Iterable[Released]) -> list[Batch]:
    """Everything that was handed in, in as few batches as possible: inside one, a file's name says its exercise."""
    by_assignment: dict[str, list[Released]] = {}
    for item in released:
        by_assignment.setdefault(item.assignment, []).append(item)
    groups: list[dict[str, list[Released]]] = []
    for assignment, items in by_assignment.items():
        names = {item.name for item in items}
        free = (g for g in groups if names.isdisjoint(item.name for items in g.values() for item in items))
        group = next(free, None)
        if group is None:
            groups.append(group := {})
        group[assignment] = items
    return [_batch(course, place, group) for group in groups]


def _batch(course: Course, place: NbgraderCourse, group: Mapping[str, Sequence[Released]]) -> Batch:
    topics = {exercise.topic for exercise in course}
    students: dict[str, list[Upload]] = {}
    for assignment, items in group.items():
        for handed_in in place.handed_in(assignment):
            answers = handed_in.answers({item.name for item in items}, topics)
            uploads = [Upload(path, submitted=handed_in.submitted) for path in answers]
            students.setdefault(handed_in.student, []).extend(uploads)
    exercises = [item.exercise for items in group.values() for item in items]
    return Batch(exercises, dict(sorted(students.items())), place.submitted)


def read_notebook(path: Path) -> dict[str, Any]:
    """A notebook of the instructor's. NbgraderError where it can't be read."""
    try:
        notebook = json.loads(path.read_bytes())
        return {**notebook, "cells": list(notebook["cells"]), "metadata": dict(notebook["metadata"])}
    except (OSError, ValueError, KeyError, TypeError) as error:
        again = f"nbgrader generate_assignment {path.parent.name} --force"
        raise NbgraderError(
            f"{path} is no notebook that can be read ({error}); make it again: {again}",
            f"{path} 不是可读取的 notebook（{error}）；请重新生成：{again}",
        ) from None


def exercise_of(notebook: Mapping[str, Any]) -> str | None:
    """The exercise that a notebook was made from; None for one that isn't ours."""
    ours = notebook["metadata"].get("autograder")
    return ours.get("exercise") if isinstance(ours, dict) else None


def _timestamp(folder: Path) -> datetime | None:
    """What timestamp.txt says; None where there is none that can be read."""
    from nbgrader.utils import parse_utc  # type: ignore[import-untyped]

    try:
        with (folder / "timestamp.txt").open(encoding="utf-8") as file:
            text = file.read(MAX_TIMESTAMP).strip()
        parsed = parse_utc(text) if text else None
        return parsed if isinstance(parsed, datetime) else None
    except (OSError, ValueError, OverflowError):
        return None
