"""The files that nobody could place, after a run and in `gradebook show`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Group
from rich.markup import escape
from rich.table import Table

from autograder.feedback.unrecognised import advice
from autograder.gradebook.unrecognised import Noted, kept
from autograder.results import Unrecognised
from autograder.text import Text, shortened

if TYPE_CHECKING:
    from autograder.cli.common import Speaker

TITLE = Text("Not recognised, and not graded", "未识别、未评分的文件")
STUDENT, FILE = Text("student", "学生"), Text("file", "文件")
LOOKS, ADVICE = Text("looks like", "像是"), Text("what to do", "怎么办")
MORE = Text("and {n} more", "另有 {n} 个")
MORE_OF = Text("and {n} more files of {students}", "另有 {students} 的 {n} 个文件")
# Rows of one student, and in all; --json and `gradebook show --student` have more. Names below the table.
EACH, ROWS, STUDENTS_SHOWN = 3, 40, 5


def unrecognised_table(found: Mapping[str, Sequence[Unrecognised]], say: Speaker) -> Group | None:
    """What a run could not place, a few rows for each student ("": nobody); None where there is nothing."""
    table = _table(say, STUDENT)
    left: dict[str, int] = {}
    for student, files in sorted(found.items()):
        shown = files[: min(EACH, max(0, ROWS - table.row_count))]
        for file in shown:
            table.add_row(escape(student), *_cells(file, say))
        if len(shown) < len(files):
            left[student] = len(files) - len(shown)
    if not table.row_count:
        return None
    names = ", ".join(list(left)[:STUDENTS_SHOWN])
    names += f" +{len(left) - STUDENTS_SHOWN}" if len(left) > STUDENTS_SHOWN else ""
    more = escape(say(MORE_OF, n=sum(left.values()), students=names))
    return Group(table, *([more] if left else []))


def noted_table(noted: Sequence[Noted], say: Speaker) -> list[Table | str]:
    """What is recorded of one student."""
    parts: list[Table | str] = []
    for one in noted:
        table = _table(say)
        table.title = f"{say(TITLE)}  ({escape(one.source)})"
        for file in one.files:
            table.add_row(*_cells(file, say))
        parts += [table, *([say(MORE, n=one.more)] if one.more else [])]
    return parts


def run_json(found: Mapping[str, Sequence[Unrecognised]]) -> list[dict[str, Any]]:
    """What a run could not place."""
    return _json((student, kept(files).files, kept(files).more) for student, files in sorted(found.items()))


def noted_json(noted: Mapping[str, Sequence[Noted]]) -> list[dict[str, Any]]:
    """What is recorded."""
    return _json((student, one.files, one.more) for student, ones in sorted(noted.items()) for one in ones)


def _json(found: Iterable[tuple[str, Sequence[Unrecognised], int]]) -> list[dict[str, Any]]:
    """(student, files, how many more) of each, for machines."""
    return [
        {
            "student": student,
            "files": [
                {"file": f.path, "why": f.why.value, "looks_like": f.looks_like, "advice": advice(f)}
                for f in files
            ],
            "more": more,
        }
        for student, files, more in found
    ]


def _table(say: Speaker, *first: Text) -> Table:
    table = Table(title=say(TITLE), title_justify="left", title_style="bold")
    for column in (*first, FILE, LOOKS, ADVICE):
        table.add_column(say(column), overflow="fold")
    return table


def _cells(file: Unrecognised, say: Speaker) -> tuple[str, str, str]:
    return (
        escape(shortened(file.path)),
        "\n".join(file.looks_like) or "?",
        escape(advice(file).pick(say.lang)),
    )
