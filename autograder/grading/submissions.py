"""Which file of which student answers which exercise.

A submissions folder holds one folder, or one zip file, for each student. Inside, at any depth, a file named after an
exercise's topic is its submission. Whatever is wrong with one student's files is recorded on that student's row and
changes nothing for anybody else.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Protocol

from autograder.course import Exercise
from autograder.errors import UserError
from autograder.grading.untouched import Untouched
from autograder.results import Text
from autograder.sandbox.errors import ArchiveError

MAX_FILE = 16 << 20  # bytes; a notebook this large is full of outputs
MAX_BESIDE = 4 << 20  # bytes of files beside a submission, together
MAX_ARCHIVE = 64 << 20
MAX_ENTRIES = 2000
IGNORED = {"__pycache__", "__MACOSX", "node_modules", "venv"}
SUFFIXES = (".py", ".ipynb")

TWO = Text(
    "Two files answer this exercise: {first} and {second}. Keep one and hand in again.",
    "有两个文件对应这道题：{first} 和 {second}。请只保留一个，重新提交。",
)
LINK = Text(
    "{path} is a link to a file outside the submission. Hand in the file itself.",
    "{path} 是指向提交目录之外的链接。请提交文件本身。",
)
UNREADABLE = Text(
    "{path} can't be read ({reason}). Hand it in again.", "{path} 无法读取（{reason}）。请重新提交。"
)
EMPTY = Text("{path} is empty. Save your work and hand it in again.", "{path} 是空文件。请保存后重新提交。")
LARGE = Text(
    "{path} has {size} MB; at most {limit} MB are taken. Clear the notebook's outputs and hand it in again.",
    "{path} 有 {size} MB，上限为 {limit} MB。请清除 notebook 的输出后重新提交。",
)
ARCHIVE = Text(
    "{path} can't be unpacked: {reason}. Hand in a plain zip file.",
    "{path} 无法解压：{reason}。请提交普通的 zip 文件。",
)


class SubmissionsError(UserError):
    """The submissions folder itself can't be used."""


class Unpacker(Protocol):
    """Unpacks an archive where it can do no harm."""

    def __call__(self, archive: bytes) -> dict[str, bytes]:
        """Name -> content. ArchiveError says what is wrong with the archive."""


@dataclass(frozen=True)
class Submission:
    """One student's answer to one exercise, or the problem that keeps it from being one."""

    student: str
    exercise: str
    path: str  # for people: relative to the submissions folder
    main: str = ""
    files: Mapping[str, bytes] = field(default_factory=dict)
    problem: Text | None = None


@dataclass(frozen=True)
class _File:
    """A file of a student: on disk, or already unpacked."""

    path: PurePosixPath  # from the submissions folder: s001/week1/multi_head.py, s002.zip/multi_head.py
    disk: Path | None = None
    content: bytes = b""

    @property
    def shown(self) -> str:
        return visible(str(self.path))

    @property
    def is_regular(self) -> bool:
        """Not a pipe, a device or a folder: reading those may never end."""
        return self.disk is None or self.disk.is_file()

    def leads_outside(self, top: Path) -> bool:
        """Whether it is a link to something that the student did not hand in."""
        if self.disk is None or not self.disk.is_symlink():
            return False
        try:
            return not self.disk.resolve().is_relative_to(top.resolve())
        except (OSError, RuntimeError):  # a link to itself leads nowhere; it is no regular file either
            return False

    def read(self) -> bytes:
        return self.content if self.disk is None else self.disk.read_bytes()

    def size(self) -> int:
        return len(self.content) if self.disk is None else self.disk.stat().st_size


def visible(name: str) -> str:
    """A file name that can be printed and stored, whatever bytes it has; two names never look the same."""
    text = os.fsencode(name.replace("\\", "\\\\")).decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)


def students_of(folder: Path) -> dict[str, list[Path]]:
    """Student -> their folder, their zip file, or both; sorted. SubmissionsError where there is none."""
    if not folder.is_dir():
        raise SubmissionsError(
            f"{folder} is not a folder; give the folder that holds one folder for each student"
        )
    students: dict[str, list[Path]] = {}
    for entry in sorted(folder.iterdir()):
        if entry.name.startswith("."):
            continue
        if entry.is_dir():
            students.setdefault(visible(entry.name), []).append(entry)
        elif entry.suffix.lower() == ".zip":
            students.setdefault(visible(entry.stem), []).append(entry)
    if not students:
        raise SubmissionsError(
            f"{folder} holds no student's folder or zip file; expected {folder}/s001/... and so on"
        )
    return students


def submissions_of(
    student: str,
    entries: Sequence[Path],
    exercises: Sequence[Exercise],
    unpack: Unpacker,
    folder: Path | None = None,
    untouched: Untouched | None = None,
) -> Iterator[Submission]:
    """What one student handed in for these exercises, one at a time, in course order. Nothing for those not there.

    Paths are told relative to `folder`, by default the one that the first entry lies in. Of several files that answer
    one exercise, those that are `untouched` don't count.
    """
    if not entries:
        return
    untouched = untouched or Untouched()
    collector = _Collector(folder or entries[0].parent, unpack)
    for entry in entries:
        collector.take(entry)
    missing: list[str] = []
    for exercise in exercises:
        candidates = _candidates(exercise, exercises, collector.files)
        if len(candidates) > 1:
            candidates = _with_work(exercise, candidates, collector.folder, untouched)
        if candidates:
            yield _submission(student, exercise, candidates, collector)
        else:
            missing.append(exercise.id)
    if collector.problems and missing:
        # An archive or folder that can't be read stands where the first thing that it may have held would.
        path, problem = collector.problems[0]
        yield Submission(student, missing[0], path, problem=problem)


class _Collector:
    """Walks what a student handed in. `problems` are (where, what) of that which can't be looked into."""

    def __init__(self, folder: Path, unpack: Unpacker) -> None:
        self.folder = folder
        self.unpack = unpack
        self.files: list[_File] = []
        self.problems: list[tuple[str, Text]] = []

    def take(self, path: Path) -> None:
        """Collect a file, an archive's members, or a folder's. Links to folders and archives are not followed."""
        relative = PurePosixPath(path.relative_to(self.folder))
        if path.suffix in SUFFIXES:
            self.files.append(_File(relative, path))
        elif path.is_symlink():
            if path.is_dir() or path.suffix.lower() == ".zip":
                self._refuse(relative, LINK)
        elif path.is_dir():
            self._enter(path, relative)
        elif path.suffix.lower() == ".zip":
            self._unpack(path, relative)

    def _enter(self, path: Path, relative: PurePosixPath) -> None:
        try:
            names = sorted(os.listdir(path))
        except OSError as error:
            self._refuse(relative, UNREADABLE, reason=error.strerror)
            return
        for name in names:
            if not name.startswith(".") and name not in IGNORED:
                self.take(path / name)

    def _unpack(self, path: Path, relative: PurePosixPath) -> None:
        archive = _File(relative, path)
        try:
            if not archive.is_regular:
                self._refuse(relative, UNREADABLE, reason="not a regular file")
                return
            if archive.size() > MAX_ARCHIVE:
                self._refuse(relative, LARGE, size=archive.size() >> 20, limit=MAX_ARCHIVE >> 20)
                return
            members = self.unpack(archive.read())
        except OSError as error:
            self._refuse(relative, UNREADABLE, reason=error.strerror)
            return
        except ArchiveError as error:
            self._refuse(relative, ARCHIVE, reason=str(error))
            return
        for member, content in sorted(members.items()):
            inside = PurePosixPath(member)
            skipped = any(part.startswith(".") or part in IGNORED for part in inside.parts)
            if inside.suffix in SUFFIXES and not skipped:
                self.files.append(_File(relative / inside, None, content))

    def _refuse(self, relative: PurePosixPath, text: Text, **values: object) -> None:
        shown = visible(str(relative))
        self.problems.append((shown, text.format(**{"path": shown, **values})))


def _candidates(exercise: Exercise, exercises: Iterable[Exercise], files: Iterable[_File]) -> list[_File]:
    """Files named after the topic. Where two units share a topic's name, the folder must name the unit."""
    shared = sum(other.topic == exercise.topic for other in exercises) > 1
    return [
        file
        for file in files
        if file.path.stem == exercise.topic and (not shared or exercise.unit in file.path.parts)
    ]


def _with_work(
    exercise: Exercise, candidates: Sequence[_File], folder: Path, untouched: Untouched
) -> list[_File]:
    """Those that are not as they were given out; where all are, one of them, a `.py` first."""

    def holds_work(file: _File) -> bool:
        try:
            readable = file.is_regular and not file.leads_outside(folder / file.path.parts[0])
            if not readable or file.size() > MAX_FILE:
                return True  # what is wrong with it is told where it is taken
            return not untouched(exercise, file.path.name, file.read())
        except OSError:
            return True

    return [file for file in candidates if holds_work(file)] or sorted(
        candidates, key=lambda file: file.path.suffix != ".py"
    )[:1]


def _submission(
    student: str, exercise: Exercise, candidates: list[_File], collector: _Collector
) -> Submission:
    first = candidates[0]
    top = collector.folder / first.path.parts[0]

    def refused(text: Text, **values: object) -> Submission:
        problem = text.format(**{"path": first.shown, **values})
        return Submission(student, exercise.id, first.shown, problem=problem)

    if len(candidates) > 1:
        return refused(TWO, first=first.shown, second=candidates[1].shown)
    if first.leads_outside(top):
        return refused(LINK)
    if not first.is_regular:
        return refused(UNREADABLE, reason="not a regular file")
    try:
        if first.size() > MAX_FILE:
            return refused(LARGE, size=first.size() >> 20, limit=MAX_FILE >> 20)
        content = first.read()
    except OSError as error:
        return refused(UNREADABLE, reason=error.strerror)
    if not content.strip():
        return refused(EMPTY)
    beside = _beside(first, collector.files, top)
    return Submission(
        student, exercise.id, first.shown, first.path.name, {first.path.name: content, **beside}
    )


def _beside(main: _File, files: Iterable[_File], top: Path) -> dict[str, bytes]:
    """The `.py` files in the same folder, which the submission may import, up to a total size."""
    beside: dict[str, bytes] = {}
    total = 0
    for file in files:
        if file.path.parent != main.path.parent or file.path == main.path or file.path.suffix != ".py":
            continue
        if not file.is_regular or file.leads_outside(top):
            continue
        try:
            if total + file.size() > MAX_BESIDE:
                continue
            beside[file.path.name] = file.read()
            total += len(beside[file.path.name])
        except OSError:
            continue  # a file that can't be read can't be imported; the import error will say so
    return beside
