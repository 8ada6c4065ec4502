"""One screen of `autograder learn`, drawn from plain data for a terminal of any size.

What needs no reading gives way first where there is little room: what the code printed, tests that pass, questions that are
not begun; then the statement, down to its heading.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from autograder.feedback.report import FAILED_SYMBOL, SYMBOLS
from autograder.results import Outcome
from autograder.text import encodable, printable

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text as Words

Colours = Literal["auto", "standard", "256", "truecolor", "windows"] | None  # as rich names them
BAR = 12  # columns
LONGEST = 2000  # characters of a line: more can't be read on a screen
MARKS = {SYMBOLS[Outcome.PASSED]: "green", FAILED_SYMBOL: "red", SYMBOLS[Outcome.NOT_IMPLEMENTED]: "dim"}
MORE = "…"
NOT_FIRST, NOT_LAST = " ，。；：！？、）”’」』】》…,.;:!?)]}%", "（“‘「『【《([{"  # of a row


@dataclass
class Page:
    """What is on the screen. Empty texts take no room."""

    title: str = ""
    unit: str = ""  # its title
    in_unit: tuple[int, int] = (0, 0)  # complete, and all
    in_course: str = ""
    heading: str = ""
    paragraphs: Sequence[str] = ()
    points: str = ""
    report: Sequence[str] = ()
    printed: Sequence[str] = ()
    said: Sequence[tuple[str, str]] = ()  # text and style: a hint, what a key brought
    state: str = ""
    hints: str = ""
    edit: str = ""
    keys: Sequence[str] = field(default_factory=list)


def draw(page: Page, width: int, height: int, colours: Colours, encoding: str | None) -> list[str]:
    """The rows, `height` of them or fewer, each with the terminal's commands for its colours."""
    from rich.console import Console

    console = Console(
        file=io.StringIO(), width=max(width, 1), color_system=colours, force_terminal=True, highlight=False,
        legacy_windows=False, no_color=False, _environ={},
    )  # fmt: skip
    rows = _rows(page, console, height)
    drawn = []
    for row in rows[:height]:
        row.truncate(console.width)
        with console.capture() as captured:
            console.print(row, end="", soft_wrap=True)
        drawn.append(encodable(captured.get(), encoding))
    return drawn


def _rows(page: Page, console: Console, height: int) -> list[Words]:
    top = [*_wrapped(console, page.title, "bold"), *_progress(page, console)]
    state = [*_wrapped(console, page.state, "bold green"), *_wrapped(console, page.hints, "yellow")]
    keys = _flowed(console, page.keys, "dim")
    bottom = [*state, *_wrapped(console, page.edit, "dim"), *keys]
    if len(top) + len(bottom) > height // 2:  # hardly room for anything else
        top, bottom = top[:1], [*state[:1], *keys]
    room = max(height - len(top) - len(bottom) - 2, 0)  # two rules
    said = [row for text, style in page.said for row in _wrapped(console, text, style)]
    said = _last(said, room // 2 if page.report else room)
    statement = _wrapped(console, page.heading, "bold cyan")
    least = min(len(statement), room - len(said))
    for paragraph in page.paragraphs:
        statement += _wrapped(console, paragraph)
    share = room // 4 if room // 4 > least + 1 else least  # of the statement, whatever the tests say
    report = _report(page, console, room - len(said) - min(len(statement), share))
    left = room - len(said) - len(report)
    statement = statement[:left] if left <= least else _first(statement, left)
    blank = [_words("")] * (room - len(statement) - len(report) - len(said))
    middle = [_rule(console, ""), *statement, *blank, _rule(console, page.points), *report, *said]
    return [*top, *middle][: max(height - len(bottom), 0)] + bottom


def _progress(page: Page, console: Console) -> list[Words]:
    """The unit's bar and the course, side by side where there is room."""
    done, every = page.in_unit
    filled = BAR * done // every if every else 0
    bar = f"{page.unit}  {'█' * filled}{'░' * (BAR - filled)}  {done}/{every}" if every else ""
    return _flowed(console, [bar, page.in_course], "blue")


def _report(page: Page, console: Console, room: int) -> list[Words]:
    """What the tests say, in the room there is."""
    items: list[tuple[str, list[list[Words]]]] = []  # a mark, and the rows of each line
    for line in page.report:
        mark = next((mark for mark in MARKS if line.startswith(f"  {mark} ")), "")
        rows = _wrapped(console, line, MARKS.get(mark, ""))
        if line.startswith("   ") and items:
            items[-1][1].append(rows)  # it explains the line above
        else:
            items.append((mark, [rows]))

    def rows_of_all() -> list[Words]:
        return [row for _, lines in items for rows in lines for row in rows]

    for mark in (SYMBOLS[Outcome.PASSED], SYMBOLS[Outcome.NOT_IMPLEMENTED]):
        for item in [item for item in reversed(items) if item[0] == mark]:
            if len(rows_of_all()) > room:
                items.remove(item)
    for _, lines in items:
        while len(rows_of_all()) > room and len(lines) > 3:
            del lines[-2]  # a test's sentence comes first, a known mistake or a remedy last
    told = rows_of_all()
    printed = [row for line in page.printed for row in _wrapped(console, line, "dim")]
    return _first(told, room) + _last(printed, max(room - len(told), 0))


def _first(rows: list[Words], room: int) -> list[Words]:
    """The rows that fit, from the first one; a mark stands for the rest."""
    return rows if len(rows) <= room else [*rows[: max(room - 1, 0)], _words(MORE, "dim")][: max(room, 0)]


def _last(rows: list[Words], room: int) -> list[Words]:
    """The rows that fit, up to the last one."""
    return rows if len(rows) <= room else [_words(MORE, "dim"), *rows[len(rows) - room + 1 :]][: max(room, 0)]


def _flowed(console: Console, parts: Sequence[str], style: str) -> list[Words]:
    """The parts one after the other, in as few rows as hold them whole."""
    from rich.cells import cell_len

    rows: list[str] = []
    for part in filter(None, parts):
        joined = f"{rows[-1]}   {part}" if rows else part
        if rows and cell_len(joined) <= console.width:
            rows[-1] = joined
        else:
            rows.append(part)
    return [row for text in rows for row in _wrapped(console, text, style)]


def _rule(console: Console, title: str) -> Words:
    """A line across the screen, with a title in it."""
    from rich.cells import cell_len

    said = f"── {title} " if title else ""
    return _words(said + "─" * (console.width - cell_len(said)), "dim")


def _wrapped(console: Console, text: str, style: str = "") -> list[Words]:
    """The text's rows. What a line is indented by, the rest of it is, too."""
    rows = []
    for line in text.splitlines():
        line = printable(line.expandtabs(4), LONGEST).rstrip()
        said = line.lstrip(" ")
        indent = min(len(line) - len(said), console.width // 2)
        parts = broken(said, max(console.width - indent, 1))
        rows += [_words(" " * indent + part, style) for part in parts]
    return rows


def broken(text: str, width: int) -> list[str]:
    """The text in rows of so many columns, broken at blanks, and between Chinese characters as print breaks them."""
    from rich.cells import get_character_cell_size

    sizes = [get_character_cell_size(character) for character in text]
    rows, begin, used, place = [], 0, 0, 0
    for at, size in enumerate(sizes):
        before = text[at - 1] if at else ""
        wide = size > 1 or (at > 0 and sizes[at - 1] > 1)
        if before == " " or (wide and text[at] not in NOT_FIRST and before not in NOT_LAST):
            place = at
        if used + size > width and at > begin and text[at] != " ":
            end = place if place > begin else at
            rows.append(text[begin:end].rstrip())
            begin, used = end, sum(sizes[end:at])
        used += size
    return [*rows, text[begin:].rstrip()]


def _words(text: str, style: str = "") -> Words:
    from rich.text import Text as Words

    return Words(text, style)
