"""Which file of which student answers which exercise.

A submissions folder holds one folder, or one zip file, for each student. Inside, at any depth, a file named after an
exercise's topic is its submission. Whatever is wrong with one student's files is recorded on that student's row and
changes nothing for anybody else. Every limit below is far from what honest work needs: it keeps one student's files from
taking the time or the memory of all.
"""

from __future__ import annotations

import os
import stat
import time
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Protocol

from autograder.course import Exercise
from autograder.course.catalogue import part_name
from autograder.errors import UserError
from autograder.grading.pristine import is_pristine
from autograder.remote.errors import ArchiveError
from autograder.text import Text

MAX_FILE = 16 << 20  # bytes; a notebook this large is full of outputs
MAX_BESIDE = 4 << 20  # bytes of files beside a submission, together, names included
MAX_BESIDE_FILES = 1000
MAX_COPIES = 20  # files named after one exercise: to tell whether one holds work takes a moment each
MAX_LOOKED = 100_000  # files and folders of one student, whatever they are
MAX_ARCHIVE = 64 << 20
MAX_ENTRIES = 2000
# Of all archives of one student; the last one that is begun may pass them.
MAX_ARCHIVES = 100
MAX_UNPACKED = 256 << 20
UNPACK_SECONDS = 20.0
# Folders of other people's work. Hidden ones (.git, .venv, .ipynb_checkpoints) are left out by their dot.
IGNORED = {"__pycache__", "__MACOSX", "node_modules", "site-packages", "venv"}
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
    "{path} can't be unpacked: {reason}. Hand in a plain zip file of your own work only.",
    "{path} 无法解压：{reason}。请提交只含自己作业的普通 zip 文件。",
)
ARCHIVES = Text(
    "{path} was not unpacked: the archives before it took all that one student's may take ({count} archives, {limit} MB, "
    "{seconds} seconds). Hand in one plain zip file of your own work only.",
    "{path} 未解压：之前的压缩包已用完每个学生的限额（{count} 个压缩包、{limit} MB、{seconds} 秒）。"
    "请只提交一个仅含自己作业的普通 zip 文件。",
)
CROWDED = Text(
    "{path} was not looked into: with it there are more than {limit} files and folders. Hand in your own work only, "
    "without data sets, environments and installed packages.",
    "{path} 未予查看：连同它在内，文件和文件夹超过 {limit} 个。请只提交自己的作业，不要包含数据集、虚拟环境和已安装的软件包。",
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
        return self.disk is None or os.path.isfile(self.disk)  # Path.is_file raises where a name is too long

    def leads_outside(self, top: Path) -> bool:
        """Whether it is a link to something that the student did not hand in."""
        if self.disk is None or not os.path.islink(self.disk):
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
            f"{folder} is not a folder; give the folder that holds one folder for each student",
            f"{folder} 不是文件夹；请给出存放所有学生提交的文件夹（每个学生一个子文件夹）",
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
            f"{folder} holds no student's folder or zip file; expected {folder}/s001/... and so on",
            f"{folder} 里没有学生的文件夹或 zip 文件；应当有 {folder}/s001/... 这样的内容",
        )
    return students


def submissions_of(
    student: str,
    entries: Sequence[Path],
    exercises: Sequence[Exercise],
    unpack: Unpacker,
    folder: Path | None = None,
) -> Iterator[Submission]:
    """What one student handed in for these exercises, one at a time, in course order. Nothing for those not there.

    Paths are told relative to `folder`, by default the one that the first entry lies in. Of several files that answer
    one exercise, those that are still as they were given out don't count.
    """
    if not entries:
        return
    collector = _Collector(folder or entries[0].parent, unpack)
    for entry in entries:
        collector.take(entry)
    missing: list[str] = []
    for exercise in exercises:
        candidates = _candidates(exercise, exercises, collector.named[exercise.topic])
        if 1 < len(candidates) <= MAX_COPIES:
            candidates = _with_work(exercise, candidates, collector.folder)
        if candidates:
            submission = _submission(student, exercise, candidates, collector)
            yield replace(submission, files={**submission.files, **_own_parts(exercise, collector)})
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
        self.named: dict[str, list[_File]] = defaultdict(list)  # name without its suffix -> files
        self.modules: dict[PurePosixPath, list[_File]] = defaultdict(list)  # folder -> `.py` files in it
        self.problems: list[tuple[str, Text]] = []
        self._left = MAX_LOOKED  # below zero: there was more
        self._archives = self._unpacked = 0
        self._seconds = 0.0

    def take(self, path: Path) -> None:
        """Collect a file, an archive's members, or a folder's. Links to folders and archives are not followed.

        What lies deeper comes later, so that a limit which it meets costs nothing that lies nearer.
        """
        waiting = deque([(path, PurePosixPath(path.relative_to(self.folder)))])
        while waiting:
            path, relative = waiting.popleft()
            archive = path.suffix.lower() == ".zip"
            if path.suffix in SUFFIXES:
                self._add(_File(relative, path))
                continue
            try:
                mode = path.lstat().st_mode
            except OSError as error:
                self._refuse(relative, UNREADABLE, reason=error.strerror)
                continue
            if stat.S_ISLNK(mode):
                if archive or os.path.isdir(path):
                    self._refuse(relative, LINK)
            elif stat.S_ISDIR(mode):
                waiting.extend((path / name, relative / name) for name in self._names(path, relative))
            elif archive:
                self._unpack(path, relative)

    def _add(self, file: _File) -> None:
        self.named[file.path.stem].append(file)
        if file.path.suffix == ".py":
            self.modules[file.path.parent].append(file)

    def _names(self, path: Path, relative: PurePosixPath) -> list[str]:
        """What to look at in a folder, sorted."""
        if self._left < 0:
            return []  # said already
        try:
            with os.scandir(path) as entries:
                names = [entry.name for entry in islice(entries, self._left + 1)]
        except OSError as error:
            self._refuse(relative, UNREADABLE, reason=error.strerror)
            return []
        self._left -= len(names)
        if self._left < 0:
            self._refuse(relative, CROWDED, limit=MAX_LOOKED)
            return []
        return sorted(name for name in names if not name.startswith(".") and name not in IGNORED)

    def _unpack(self, path: Path, relative: PurePosixPath) -> None:
        spent = self._archives >= MAX_ARCHIVES or self._unpacked > MAX_UNPACKED
        if spent or self._seconds > UNPACK_SECONDS:
            limits = {"limit": MAX_UNPACKED >> 20, "seconds": int(UNPACK_SECONDS)}
            self._refuse(relative, ARCHIVES, count=MAX_ARCHIVES, **limits)
            return
        began = time.monotonic()
        members = self._members(path, relative)
        self._seconds += time.monotonic() - began
        self._archives += 1
        for member, content in sorted(members.items()):
            inside = PurePosixPath(member)
            skipped = any(part.startswith(".") or part in IGNORED for part in inside.parts)
            if inside.suffix in SUFFIXES and not skipped:
                self._unpacked += len(content)
                self._add(_File(relative / inside, None, content))

    def _members(self, path: Path, relative: PurePosixPath) -> dict[str, bytes]:
        archive = _File(relative, path)
        try:
            if not archive.is_regular:
                self._refuse(relative, UNREADABLE, reason="not a regular file")
            elif archive.size() > MAX_ARCHIVE:
                self._refuse(relative, LARGE, size=archive.size() >> 20, limit=MAX_ARCHIVE >> 20)
            else:
                return self.unpack(archive.read())
        except OSError as error:
            self._refuse(relative, UNREADABLE, reason=error.strerror)
        except ArchiveError as error:
            self._refuse(relative, ARCHIVE, reason=str(error))
        return {}

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


def _with_work(exercise: Exercise, candidates: Sequence[_File], folder: Path) -> list[_File]:
    """Those that are not as they were given out; where all are, one of them, a `.py` first."""

    def holds_work(file: _File) -> bool:
        try:
            readable = file.is_regular and not file.leads_outside(folder / file.path.parts[0])
            if not readable or file.size() > MAX_FILE:
                return True  # what is wrong with it is told where it is taken
            return not is_pristine(exercise, file.path.name, file.read())
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
    beside = _beside(first, collector.modules[first.path.parent], top)
    return Submission(
        student, exercise.id, first.shown, first.path.name, {first.path.name: content, **beside}
    )


def _own_parts(exercise: Exercise, collector: _Collector) -> dict[str, bytes]:
    """For a capstone: the student's own answers to the exercises that are its parts, where there is one of each."""
    parts = {}
    for name in exercise.public.parts:
        part = Exercise(exercise.root, *name.split("/"))
        found = _candidates(part, [part], collector.named[part.topic])
        if 1 < len(found) <= MAX_COPIES:
            found = _with_work(part, found, collector.folder)
        answer = _submission("", part, found, collector) if found else None
        if (
            answer
            and answer.problem is None
            and not is_pristine(part, answer.main, answer.files[answer.main])
        ):
            parts[f"{part_name(part.topic)}{PurePosixPath(answer.main).suffix}"] = answer.files[answer.main]
    return parts


def _beside(main: _File, modules: Sequence[_File], top: Path) -> dict[str, bytes]:
    """The `.py` files in the same folder, which the submission may import: as many as may be sent, small ones first.

    What is left out, or can't be read, can't be imported; where it is needed, the import error says so.
    """
    sizes: list[tuple[int, _File]] = []
    for file in modules:
        if file.path != main.path and file.is_regular and not file.leads_outside(top):
            with suppress(OSError):
                sizes.append((file.size() + len(os.fsencode(file.path.name)), file))
    beside: dict[str, bytes] = {}
    left = MAX_BESIDE
    for size, file in sorted(sizes, key=lambda pair: pair[0])[:MAX_BESIDE_FILES]:
        left -= size
        if left < 0:
            break
        with suppress(OSError):
            beside[file.path.name] = file.read()
    return beside
