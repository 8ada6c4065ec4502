"""Submissions that wait to be graded, on disk: a class is collected by student, and graded by exercise.

A grading run holds one student's files, or one submission, in memory, whatever the size of the class and of the course.
"""

from __future__ import annotations

import errno
import hashlib
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
from msgspec import Struct

from autograder.errors import UserError
from autograder.grading.submissions import Submission
from autograder.results import Submitted
from autograder.text import Text

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class Waiting(Struct, frozen=True):
    """A submission whose files are in the spool. `key` is its result's, "" for what has none."""

    student: str
    exercise: str
    path: str
    main: str
    files: tuple[tuple[bytes, str], ...]  # name and digest; a name need not be UTF-8
    problem: Text | None
    key: str
    submitted: Submitted | None = None


class Spool:
    """Keeps each different file once, compressed, and for each exercise its submissions in the order they came."""

    def __init__(self, folder: Path) -> None:
        """`folder` is an empty folder of the caller's, who removes it."""
        self.waiting = 0  # how many were added
        self._contents, self._lists = folder / "contents", folder / "lists"
        self._contents.mkdir()
        self._lists.mkdir()

    def keep(self, submission: Submission, key: str) -> Waiting:
        """Write a submission's files. It waits once it is added."""
        with self._room():
            files = tuple(
                (name.encode("utf-8", "surrogatepass"), self._written(content))
                for name, content in submission.files.items()
            )
        path, main, problem = submission.path, submission.main, submission.problem
        when = submission.submitted
        return Waiting(submission.student, submission.exercise, path, main, files, problem, key, when)

    def add(self, waiting: Waiting) -> None:
        """Put a kept submission at the end of its exercise's list."""
        with self._room(), self._list(waiting.exercise).open("ab") as lines:
            lines.write(msgspec.json.encode(waiting) + b"\n")
        self.waiting += 1

    def take(self, exercise: str) -> Iterator[tuple[str, Submission]]:
        """Key and submission of all that wait for an exercise, one at a time."""
        if not self._list(exercise).exists():
            return
        with self._list(exercise).open("rb") as lines:
            for line in lines:
                found = msgspec.json.decode(line, type=Waiting)
                files = {
                    name.decode("utf-8", "surrogatepass"): self._read(digest) for name, digest in found.files
                }
                about = found.path, found.main, files, found.problem, found.submitted
                yield found.key, Submission(found.student, exercise, *about)

    @contextmanager
    def _room(self) -> Iterator[None]:
        """UserError where the disk has none left: every other submission would meet it, too."""
        try:
            yield
        except OSError as error:
            if error.errno not in NO_ROOM:
                raise
            folder = self._contents.parent.parent
            raise UserError(
                f"{folder}: {error.strerror}. Submissions that wait to be graded are kept there; make room, or name another "
                "folder by the environment variable TMPDIR, then run the same command again",
                f"{folder}：{error.strerror}。待评分的提交保存在该处；请腾出空间，或用环境变量 TMPDIR 指定另一个文件夹，再运行同一条命令",
            ) from None

    def _list(self, exercise: str) -> Path:
        return self._lists / exercise.replace("/", ".")

    def _written(self, content: bytes) -> str:
        digest = hashlib.sha256(content).hexdigest()
        path = self._contents / digest
        if not path.exists():
            path.write_bytes(zlib.compress(content, level=1))
        return digest

    def _read(self, digest: str) -> bytes:
        return zlib.decompress((self._contents / digest).read_bytes())
