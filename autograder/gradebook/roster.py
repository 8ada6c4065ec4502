"""Who is in the class, and what others call them: a roster read from a CSV file of any platform."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from autograder.errors import UserError

MAX_BYTES = 16 << 20
# Column heads in lower case, as Canvas, Moodle and GitHub Classroom write them.
HEADS = {
    "name": ("name", "full name", "student", "student name"),
    "sis_id": ("sis_id", "sis user id", "id number", "student id", "identifier", "roster_identifier"),
    "login": ("login", "sis login id", "username"),
    "email": ("email", "email address", "e-mail"),
    "github": ("github", "github_username", "github login", "github username"),
    "section": ("section", "group", "groups"),
    "lms_id": ("id", "lms_id", "canvas id", "canvas user id"),
}
FIRST, LAST = ("first name", "first_name"), ("last name", "surname", "last_name")
KEY = "student"
UNIQUE = ("sis_id", "login", "email", "github", "lms_id")


class Person(Struct, frozen=True, kw_only=True):
    """One student: the name that our gradebook uses, and the ids of other systems ("" where unknown)."""

    student: str
    name: str = ""
    sis_id: str = ""
    login: str = ""
    email: str = ""
    github: str = ""
    section: str = ""
    lms_id: str = ""  # the platform's own number: Canvas's ID, which stands in the names of downloaded files

    @property
    def ids(self) -> list[str]:
        """Everything that may stand for this student in somebody else's list, in lower case."""
        known = (self.sis_id, self.login, self.email, self.student)
        return [entry.lower() for entry in dict.fromkeys(known) if entry]


def read_csv(path: Path) -> tuple[list[list[str]], str]:
    """A CSV file's rows, and what separates its columns. UserError where it can't be read as one."""
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise UserError(
            f"{path} can't be read ({error.strerror}); give a CSV file",
            f"{path} 无法读取（{error.strerror}）；请给出 CSV 文件",
        ) from None
    if len(raw) > MAX_BYTES:
        raise UserError(
            f"{path} is larger than {MAX_BYTES >> 20} MiB; give a CSV file of one class",
            f"{path} 超过 {MAX_BYTES >> 20} MiB；请给出一个班级的 CSV 文件",
        )
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(
            f"{path} is not UTF-8 text (byte {error.start}); export it as CSV, in UTF-8",
            f"{path} 不是 UTF-8 文本（第 {error.start} 字节）；请以 UTF-8 编码导出为 CSV",
        ) from None
    first = text.partition("\n")[0]
    separator = max((",", ";", "\t"), key=first.count)
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True))
    except csv.Error as error:
        raise UserError(
            f"{path} is not a CSV file ({error}); export it again",
            f"{path} 不是 CSV 文件（{error}）；请重新导出",
        ) from None
    if not rows:
        raise UserError(
            f"{path} is empty; give a CSV file with a head and a row for each student",
            f"{path} 是空文件；请给出带表头、每个学生一行的 CSV 文件",
        )
    return rows, separator


def read_roster(path: Path, key: str = KEY) -> list[Person]:
    """The people in a CSV file.

    Args:
        key: the head of the column with the names that our gradebook uses (its submissions folders).

    Raises:
        UserError: no such column, or two people whom one id stands for.
    """
    rows, _ = read_csv(path)
    heads = [head.strip() for head in rows[0]]
    try:
        place = heads.index(key)
    except ValueError:
        named = [repr(head) for head in heads if head]
        raise UserError(
            f"{path} has no column {key!r}; name the one that holds the gradebook's student names with --key: "
            f"{', '.join(named)}",
            f"{path} 没有 {key!r} 列；请用 --key 指明哪一列是成绩册中的学生名：{'、'.join(named)}",
        ) from None
    columns = {name: _column(heads, known) for name, known in HEADS.items()}
    if columns["name"] == place:
        columns["name"] = None  # our own column "student", not Canvas's, which holds names
    first, last = _column(heads, FIRST), _column(heads, LAST)
    people: dict[str, Person] = {}
    for number, row in enumerate(rows[1:], 2):
        cells = [cell.strip() for cell in row] + [""] * (len(heads) - len(row))
        student = cells[place]
        if not student:
            continue  # Canvas's own second row, or an empty line
        if student in people:
            raise UserError(
                f"{path}, row {number}: {student!r} is in it twice; keep one row for each student",
                f"{path} 第 {number} 行：{student!r} 重复出现；每个学生请只保留一行",
            )
        found = {name: cells[column] for name, column in columns.items() if column is not None}
        if not found.get("name") and first is not None and last is not None:
            found["name"] = f"{cells[first]} {cells[last]}".strip()
        people[student] = Person(student=student, **found)
    if not people:
        raise UserError(
            f"{path} names nobody in its column {key!r}; give a row for each student",
            f"{path} 的 {key!r} 列里一个人也没有；请为每个学生写一行",
        )
    _check_unique(path, people.values())
    return list(people.values())


def _column(heads: Sequence[str], known: Iterable[str]) -> int | None:
    lower = [head.lower() for head in heads]
    return next((lower.index(head) for head in known if head in lower), None)


def _check_unique(path: Path, people: Iterable[Person]) -> None:
    owners: dict[tuple[str, str], str] = {}
    for person in people:
        for name in UNIQUE:
            value = getattr(person, name).lower()
            other = owners.setdefault((name, value), person.student)
            if value and other != person.student:
                raise UserError(
                    f"{path}: {name} {value!r} belongs to {other!r} and to {person.student!r}; correct one of them",
                    f"{path}：{name} {value!r} 同时属于 {other!r} 和 {person.student!r}；请改正其中一个",
                )


def updated(known: Person | None, new: Person) -> Person:
    """The newer row; what it leaves empty stays as it was, so that rosters of two platforms complete each other."""
    if known is None:
        return new
    return replace(
        known, **{name: value for name in Person.__struct_fields__ if (value := getattr(new, name))}
    )
