"""Files that commands write where a user says: what is never written over, and how a file is replaced.

What would be lost is told by its content or by where it lies, not by its name: a gradebook may be called anything.
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Callable
from pathlib import Path

from autograder.course.catalogue import COURSE_FILE
from autograder.errors import UserError
from autograder.text import Text

DATABASE = b"SQLite format 3\0"  # what each SQLite file begins with
JOURNALS = ("-wal", "-shm", "-journal")  # what SQLite appends to a database's name for the files beside it
COURSE_FOLDERS = ("course", "exercises", "solutions", "tests", "autograder")
WORK = (".py", ".ipynb", ".zip")  # what submissions are
FORCE, MOVE = Text("replace it with --force", "用 --force 覆盖"), Text("move it away first", "先把它移走")
HEAD = 1 << 16  # bytes by which a previous output is recognised

Recognise = Callable[[bytes], bool]  # whether a file that begins so is a previous output of the same kind


def write_output(path: Path, content: bytes, recognise: Recognise, *, force: bool | None = None) -> None:
    """Write what a command gives out, where the user asked for it, at once.

    Raises:
        UserError: `check_output` refuses, or the file can't be written.
    """
    check_output(path, recognise, force=force)
    try:
        if _is_stream(path):
            path.write_bytes(content)
        else:
            write_atomically(path, content)
    except OSError as error:
        raise UserError(
            f"{path} can't be written ({error.strerror}); choose another place",
            f"{path} 无法写入（{error.strerror}）；请另选位置",
        ) from None


def check_output(path: Path, recognise: Recognise, *, force: bool | None = None) -> None:
    """UserError where writing to `path` would lose something: whatever is there but a previous output of the same kind.

    Args:
        force: what the user said to replacing any other file; None where a command has no such option. A database, a
            part of a course and what may be a submission are refused all the same.
    """
    if _is_stream(path):
        return
    refuse_database(path)
    refuse_course(path)
    if path.is_dir():
        raise UserError(f"{path} is a folder; name a file", f"{path} 是文件夹；请给出文件名")
    refuse_work(path)
    if not path.is_file() or force:
        return
    head = _head(path)
    if head and not recognise(head):
        remedy = MOVE if force is None else FORCE
        raise UserError(
            f"{path} exists and holds something else than this command writes; choose another name, or {remedy.en}",
            f"{path} 已存在，而且不是本命令以前写出的同类文件；请另取文件名，或{remedy.zh}",
        )


def is_database(path: Path) -> bool:
    """Whether it is a file of SQLite's."""
    try:
        with path.open("rb") as file:
            return file.read(len(DATABASE)) == DATABASE
    except OSError:
        return False


def refuse_database(path: Path) -> None:
    """UserError if `path` is a database, as gradebooks are, or one of the files that SQLite keeps beside it."""
    place = path.resolve()
    for suffix in ("", *JOURNALS):
        if place.name.endswith(suffix) and is_database(place.with_name(place.name.removesuffix(suffix))):
            raise UserError(
                f"{path} is a database or belongs to one, as a gradebook does, and is never written over; "
                "choose another name",
                f"{path} 是数据库（例如成绩册）或其附属文件，不会被覆盖；请另取文件名",
            )


def refuse_course(path: Path) -> None:
    """UserError if `path` lies in one of a course's trees."""
    root = course_around(path)
    if root is not None:
        raise UserError(
            f"{path} lies among the files of the course in {root}; choose a place outside its course/, exercises/, "
            "solutions/ and tests/",
            f"{path} 位于课程 {root} 的文件之中；请另选位置，不要放在 course/、exercises/、solutions/、tests/ 里",
        )


def refuse_work(path: Path) -> None:
    """UserError if `path` is a file that may be a submission: a program, a notebook or an archive."""
    if path.is_file() and path.resolve().suffix.lower() in WORK:
        raise UserError(
            f"{path} may be somebody's work (a program, a notebook or an archive) and is never written over; "
            "choose another name",
            f"{path} 可能是别人的作业（程序、notebook 或压缩包），不会被覆盖；请另取文件名",
        )


def refuse_among(path: Path, submissions: Path) -> None:
    """UserError if `path` lies in a folder of submissions."""
    if path.resolve().is_relative_to(submissions.resolve()):
        raise UserError(
            f"{path} lies among the submissions in {submissions}; choose a place outside that folder",
            f"{path} 位于提交目录 {submissions} 之中；请另选该目录以外的位置",
        )


def course_around(path: Path) -> Path | None:
    """The root of the course to whose trees `path` belongs; None for other places, as a file in the root itself."""
    place = path.resolve()
    for root in place.parents:
        if (root / COURSE_FILE).is_file():
            return root if place.relative_to(root).parts[0] in COURSE_FOLDERS else None
    return None


def write_atomically(path: Path, content: bytes) -> None:
    """Replace a file at once: whoever reads it finds the old one or the new one, whole. OSError where that fails."""
    place = path.resolve()  # a link stays a link
    fresh = place.with_name(f".{secrets.token_hex(8)}.partial")
    try:
        fresh.write_bytes(content)
        if place.exists():
            shutil.copymode(place, fresh)
        os.replace(fresh, place)
    finally:
        fresh.unlink(missing_ok=True)


def _head(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(HEAD)
    except OSError as error:
        raise UserError(
            f"{path} exists and can't be read ({error.strerror}); choose another name",
            f"{path} 已存在，但无法读取（{error.strerror}）；请另取文件名",
        ) from None


def _is_stream(path: Path) -> bool:
    """Whether it is a terminal, a pipe or a device: nothing in it can be lost."""
    return path.exists() and not path.is_file() and not path.is_dir()
