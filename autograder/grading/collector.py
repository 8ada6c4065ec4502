"""What a student handed in, file by file: folders walked, archives unpacked, nothing of it opened yet.

Every limit below is far from what honest work needs: it keeps one student's files from taking the time or the memory of
all. What is nobody's own work (environments, caches, version control) is passed over before any of them counts.
"""

from __future__ import annotations

import os
import stat
import time
from collections import defaultdict, deque
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Protocol

from autograder.grading.names import SUFFIXES, Names, plain
from autograder.remote.archive import passed_over
from autograder.remote.errors import ArchiveError
from autograder.results import Submitted, TimeSource
from autograder.text import Text, shortened

MAX_LOOKED = 100_000  # files and folders of one student, whatever they are
MAX_PACKED = 2 << 30  # bytes of an archive; only what may be work is taken out of it
MAX_ARCHIVE = 64 << 20  # bytes of that
MAX_ENTRIES = 2000
# Of all archives of one student; the last one that is begun may pass them.
MAX_ARCHIVES = 100
MAX_UNPACKED = 256 << 20
UNPACK_SECONDS = 20.0
NO_DATE = datetime(1981, 1, 1, tzinfo=UTC).timestamp()  # files of archives without dates are older

LINK = Text(
    "{path} is a link to a file outside the submission. Hand in the file itself.",
    "{path} 是指向提交目录之外的链接。请提交文件本身。",
)
UNREADABLE = Text(
    "{path} can't be read ({reason}). Hand it in again.", "{path} 无法读取（{reason}）。请重新提交。"
)
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


class Unpacker(Protocol):
    """Unpacks an archive where it can do no harm."""

    def __call__(self, archive: BinaryIO) -> dict[str, bytes]:
        """Name -> content, empty for what is neither `.py` nor notebook. ArchiveError says what is wrong with the archive."""


@dataclass(frozen=True)
class Upload:
    """A student's file or folder that a platform has brought here.

    name: what the student called it; "" for what was not renamed. source: whose word the dates of its files are.
    submitted: when all of it was handed in, where the platform says so.
    """

    path: Path
    name: str = ""
    source: TimeSource = TimeSource.FILE
    submitted: Submitted | None = None


@dataclass(frozen=True)
class File:
    """A file of a student: on disk, or already unpacked."""

    path: PurePosixPath  # from the submissions folder: s001/week1/multi_head.py, s002.zip/multi_head.py
    disk: Path | None = None
    content: bytes = b""
    called: str = ""  # by the student, where a platform has renamed it
    source: TimeSource = TimeSource.FILE  # whose word its date is
    told: Submitted | None = None  # when it was handed in, where something else says so

    @property
    def name(self) -> str:
        """What the student called it."""
        return self.called or self.path.name

    @property
    def stem(self) -> str:
        return os.path.splitext(self.name)[0]

    @property
    def suffix(self) -> str:
        return os.path.splitext(self.name)[1].lower()

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
        if self.disk == top:
            return True  # nothing lies beside it that is the same student's for certain
        try:
            return not self.disk.resolve().is_relative_to(top.resolve())
        except (OSError, RuntimeError):  # a link to itself leads nowhere; it is no regular file either
            return False

    @property
    def submitted(self) -> Submitted | None:
        """When it was handed in, as far as anything tells."""
        if self.told is not None or self.disk is None:
            return self.told
        try:
            changed = self.disk.stat().st_mtime
            when = datetime.fromtimestamp(changed, UTC)
        except (OSError, OverflowError, ValueError):
            return None
        return Submitted(when, self.source) if changed > NO_DATE else None

    def read(self) -> bytes:
        return self.content if self.disk is None else self.disk.read_bytes()

    def size(self) -> int:
        return len(self.content) if self.disk is None else self.disk.stat().st_size


def visible(name: str) -> str:
    """A file name that can be printed and stored, whatever bytes it has; two names never look the same."""
    text = os.fsencode(name.replace("\\", "\\\\")).decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)


class Collector:
    """Walks what a student handed in. `problems` are (where, what) of that which can't be looked into."""

    def __init__(self, folder: Path, unpack: Unpacker, names: Names) -> None:
        self.folder = folder
        self.unpack = unpack
        self.names = names
        self.named: dict[str, list[File]] = defaultdict(list)  # plain stem -> `.py` files and notebooks
        self.modules: dict[PurePosixPath, list[File]] = defaultdict(list)  # folder -> `.py` files in it
        self.others: list[File] = []  # what is neither, and may hold work
        self.problems: list[tuple[str, Text]] = []
        self._left = MAX_LOOKED  # below zero: there was more
        self._archives = self._unpacked = 0
        self._seconds = 0.0

    def take(self, entry: Path | Upload) -> None:
        """Collect a file, an archive's members, or a folder's. Links to folders and archives are not followed.

        What lies deeper comes later, so that a limit which it meets costs nothing that lies nearer.
        """
        upload = entry if isinstance(entry, Upload) else Upload(entry)
        relative = PurePosixPath(upload.path.relative_to(self.folder))
        brought = File(relative, upload.path, b"", upload.name, upload.source, upload.submitted)
        waiting = deque([(upload.path, brought)])
        while waiting:
            path, file = waiting.popleft()
            relative = file.path
            if file.suffix in SUFFIXES:
                self._add(file)
                continue
            try:
                mode = path.lstat().st_mode
            except OSError as error:
                self._refuse(relative, UNREADABLE, reason=error.strerror)
                continue
            if stat.S_ISLNK(mode):
                if file.suffix == ".zip" or os.path.isdir(path):
                    self._refuse(relative, LINK)
            elif stat.S_ISDIR(mode):
                for name in self._names(path, relative):
                    inside = replace(file, path=relative / name, disk=path / name, called="")
                    waiting.append((path / name, inside))
            elif file.suffix == ".zip":
                self._unpack(path, relative, file.submitted)
            else:
                self._add(file)

    def _add(self, file: File) -> None:
        if file.suffix in SUFFIXES:
            self.named[plain(file.stem)].append(file)
        elif self.names.may_hold_work(file.name):
            self.others.append(file)
        if file.suffix == ".py":
            self.modules[file.path.parent].append(file)

    def _names(self, path: Path, relative: PurePosixPath) -> list[str]:
        """What to look at in a folder, sorted."""
        if self._left < 0:
            return []  # said already
        try:
            with os.scandir(path) as entries:
                names = (entry.name for entry in entries if not passed_over([entry.name]))
                taken = list(islice(names, self._left + 1))
        except OSError as error:
            self._refuse(relative, UNREADABLE, reason=error.strerror)
            return []
        self._left -= len(taken)
        if self._left < 0:
            self._refuse(relative, CROWDED, limit=MAX_LOOKED)
            return []
        return sorted(taken)

    def _unpack(self, path: Path, relative: PurePosixPath, submitted: Submitted | None) -> None:
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
            if not passed_over(inside.parts):
                self._unpacked += len(content)
                self._add(File(relative / inside, None, content, told=submitted))

    def _members(self, path: Path, relative: PurePosixPath) -> dict[str, bytes]:
        archive = File(relative, path)
        try:
            if not archive.is_regular:
                self._refuse(relative, UNREADABLE, reason="not a regular file")
            elif archive.size() > MAX_PACKED:
                self._refuse(relative, LARGE, size=archive.size() >> 20, limit=MAX_PACKED >> 20)
            else:
                with path.open("rb") as opened:
                    return self.unpack(opened)
        except OSError as error:
            self._refuse(relative, UNREADABLE, reason=error.strerror)
        except ArchiveError as error:
            self._refuse(relative, ARCHIVE, reason=str(error))
        return {}

    def _refuse(self, relative: PurePosixPath, text: Text, **values: object) -> None:
        shown = visible(str(relative))
        self.problems.append((shown, text.format(**{"path": shortened(shown), **values})))
