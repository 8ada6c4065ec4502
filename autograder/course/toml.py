"""Errors in the course's own files, and the one place where a TOML file is read."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

import msgspec

from autograder.errors import UserError

T = TypeVar("T")


class CourseError(UserError):
    """A file of the course is missing or wrong. The message names the file, the key and the remedy."""


def read_text(path: Path) -> str:
    """A text file of the course. CourseError where it is missing, unreadable or not UTF-8."""
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise CourseError(
            f"{path} is missing; create it or take its exercise out of course/course.toml",
            f"缺少 {path}；请创建它，或从 course/course.toml 中去掉对应的练习",
        ) from None
    except OSError as error:
        raise CourseError(
            f"{path} can't be read ({error.strerror}); check its permissions",
            f"{path} 无法读取（{error.strerror}）；请检查文件权限",
        ) from None
    except UnicodeDecodeError as error:
        raise CourseError(
            f"{path} is not UTF-8 text (byte {error.start}); save it as UTF-8",
            f"{path} 不是 UTF-8 文本（第 {error.start} 字节）；请以 UTF-8 编码保存",
        ) from None


def read_toml(path: Path, kind: type[T]) -> T:
    """Read a TOML file into `kind`, or raise a CourseError that names the file and the key."""
    raw = read_text(path)
    try:
        return msgspec.toml.decode(raw, type=kind)
    except msgspec.ValidationError as error:
        problem, _, place = str(error).partition(" - at ")
        where = place.strip("`").replace("$.", "").replace("$", "")
        raise CourseError(
            f"{path}: {problem} (at {where or 'the top level'}); correct that key",
            f"{path}：{problem}（位置：{where or '顶层'}）；请改正这个键",
        ) from None
    except msgspec.DecodeError as error:
        raise CourseError(f"{path} is not valid TOML: {error}", f"{path} 不是有效的 TOML：{error}") from None
