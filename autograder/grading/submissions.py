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

    path: PurePosixPath  # relative to the student's folder
    disk: Path | None = None
    content: bytes = b""

    def read(self) -> bytes:
        return self.content if self.disk is None else self.disk.read_bytes()

    def size(self) -> int:
        return len(self.content) if self.disk is None else self.disk.stat().st_size


def visible(name: str) -> str:
    """A file name that can be printed and stored, whatever bytes it has."""
    text = os.fsencode(name).decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)


def students_of(folder: Path) -> list[Path]:
    """The students' folders and zip files, sorted. SubmissionsError where there are none, or two for one student."""
    if not folder.is_dir():
        raise SubmissionsError(
            f"{folder} is not a folder; give the folder that holds one folder for each student"
        )
    entries = [
        entry
        for entry in sorted(folder.iterdir())
        if not entry.name.startswith(".") and (entry.is_dir() or entry.suffix.lower() == ".zip")
    ]
    if not entries:
        raise SubmissionsError(
            f"{folder} holds no student's folder or zip file; expected {folder}/s001/... and so on"
        )
    return entries


def student_name(entry: Path) -> str:
    return visible(entry.stem if entry.is_file() else entry.name)


def submissions_of(entry: Path, exercises: Sequence[Exercise], unpack: Unpacker) -> Iterator[Submission]:
    """What one student handed in for these exercises, one at a time, in course order. Nothing for those not there."""
    student = student_name(entry)
    files: list[_File] = []
    problems: list[Text] = []
    if entry.is_symlink():
        problems.append(LINK.format(path=visible(entry.name)))
    elif entry.is_file():
        _unpacked(_File(PurePosixPath(entry.name), entry), entry.name, unpack, files, problems)
    else:
        _walk(entry, entry, unpack, files, problems)
    by_exercise = {exercise.id: _candidates(exercise, exercises, files) for exercise in exercises}
    found = False
    for exercise in exercises:
        candidates = by_exercise[exercise.id]
        if candidates:
            found = True
            yield _submission(student, entry, exercise, candidates, files)
    if problems and not found:
        # Nothing else is known of this student: the problem stands where their first exercise would.
        yield Submission(student, exercises[0].id, visible(entry.name), problem=problems[0])


def _walk(top: Path, folder: Path, unpack: Unpacker, files: list[_File], problems: list[Text]) -> None:
    """Collect files below `folder`. Links are not followed out of the student's folder."""
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        problems.append(UNREADABLE.format(path=visible(folder.name), reason=error.strerror))
        return
    for entry in entries:
        path = Path(entry.path)
        if entry.name.startswith(".") or entry.name in IGNORED:
            continue
        if entry.is_dir(follow_symlinks=False):
            _walk(top, path, unpack, files, problems)
        elif path.suffix.lower() == ".zip" and not entry.is_symlink():
            relative = path.relative_to(top)
            _unpacked(_File(PurePosixPath(relative), path), str(relative), unpack, files, problems)
        elif path.suffix in SUFFIXES and (entry.is_file() or entry.is_symlink()):  # no pipes, no devices
            files.append(_File(PurePosixPath(path.relative_to(top)), path))


def _unpacked(archive: _File, name: str, unpack: Unpacker, files: list[_File], problems: list[Text]) -> None:
    shown = visible(name)
    try:
        if archive.size() > MAX_ARCHIVE:
            problems.append(LARGE.format(path=shown, size=archive.size() >> 20, limit=MAX_ARCHIVE >> 20))
            return
        members = unpack(archive.read())
    except OSError as error:
        problems.append(UNREADABLE.format(path=shown, reason=error.strerror))
        return
    except ArchiveError as error:
        problems.append(ARCHIVE.format(path=shown, reason=str(error)))
        return
    for member, content in sorted(members.items()):
        path = PurePosixPath(member)
        if path.suffix in SUFFIXES and not any(p.startswith(".") or p in IGNORED for p in path.parts):
            files.append(_File(archive.path.parent / path, None, content))


def _candidates(exercise: Exercise, exercises: Iterable[Exercise], files: Iterable[_File]) -> list[_File]:
    """Files named after the topic. Where two units share a topic's name, the folder must name the unit."""
    shared = sum(other.topic == exercise.topic for other in exercises) > 1
    return [
        file
        for file in files
        if file.path.stem == exercise.topic and (not shared or exercise.unit in file.path.parts)
    ]


def _submission(
    student: str, entry: Path, exercise: Exercise, candidates: list[_File], files: list[_File]
) -> Submission:
    first = candidates[0]
    shown = visible(f"{entry.name}/{first.path}") if entry.is_dir() else visible(f"{entry.name}:{first.path}")

    def refused(text: Text, **values: object) -> Submission:
        return Submission(student, exercise.id, shown, problem=text.format(**{"path": shown, **values}))

    if len(candidates) > 1:
        return refused(TWO, first=visible(str(first.path)), second=visible(str(candidates[1].path)))
    if first.disk is not None and _leads_outside(first.disk, entry):
        return refused(LINK)
    if first.disk is not None and not first.disk.is_file():
        return refused(UNREADABLE, reason="not a regular file")
    try:
        if first.size() > MAX_FILE:
            return refused(LARGE, size=first.size() >> 20, limit=MAX_FILE >> 20)
        content = first.read()
    except OSError as error:
        return refused(UNREADABLE, reason=error.strerror)
    if not content.strip():
        return refused(EMPTY)
    beside = _beside(first, files, entry)
    return Submission(student, exercise.id, shown, first.path.name, {first.path.name: content, **beside})


def _leads_outside(path: Path, top: Path) -> bool:
    return path.is_symlink() and not path.resolve().is_relative_to(top.resolve())


def _beside(main: _File, files: Iterable[_File], top: Path) -> dict[str, bytes]:
    """The `.py` files in the same folder, which the submission may import, up to a total size."""
    beside: dict[str, bytes] = {}
    total = 0
    for file in files:
        same_folder = file.path.parent == main.path.parent and file.path != main.path
        if not same_folder or file.path.suffix != ".py" or file.path.name == main.path.name:
            continue
        try:
            if (file.disk is not None and _leads_outside(file.disk, top)) or total + file.size() > MAX_BESIDE:
                continue
            beside[file.path.name] = file.read()
            total += len(beside[file.path.name])
        except OSError:
            continue  # a file that can't be read can't be imported; the import error will say so
    return beside
