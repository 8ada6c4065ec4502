"""What every command shares: options, the course, and where output goes."""

from __future__ import annotations

import itertools
import re
import sys
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from autograder.text import MARK, Text, language, printable

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, ConsoleRenderable
    from rich.segment import Segment

    from autograder.course import Course


class Lang(StrEnum):
    EN = "en"
    ZH = "zh"


CourseOption = Annotated[
    Path | None,
    typer.Option("--course", help="The course's folder (found by walking up from here by default)."),
]
LangOption = Annotated[
    Lang | None, typer.Option("--lang", help="Language of messages (the locale's by default).")
]
GradebookOption = Annotated[
    str, typer.Option("--gradebook", help="A file name (SQLite) or a database URL (postgresql://...).")
]
DEFAULT_GRADEBOOK = "gradebook.db"
NOT_GRADED = 3  # the exit status of a run that could not grade something, through no student's fault
INTERRUPTED = 130  # the exit status of what Ctrl-C ended, as shells have it
WRITTEN = Text("{rows} rows written to {path}.", "已将 {rows} 行写入 {path}。")
JsonOption = Annotated[
    bool, typer.Option("--json", help="Print JSON on standard output and nothing else there.")
]


def spoken_language() -> str:
    """The language that `--lang` asks for, whichever command it belongs to; else the environment's."""
    given = None
    for option, value in itertools.pairwise([*sys.argv[1:], ""]):
        if option == "--":
            break
        if option == "--lang":
            given = value
        elif option.startswith("--lang="):
            given = option.removeprefix("--lang=")
    return language(given)


def open_course(given: Path | None, *, authoring: bool = False) -> Course:
    """The course that a command works on."""
    from autograder.course import Course, find_course

    return Course.load(find_course(given=given), authoring=authoring)


def course_at_hand(given: Path | None) -> Course | None:
    """The course that a gradebook is about; None where it is run outside of any, and none is named."""
    from autograder.course.catalogue import NoCourseHere

    try:
        return open_course(given).graded
    except NoCourseHere:
        return None


def console(*, stderr: bool = False) -> Console:
    """A rich console. Progress and remarks go to standard error, results to standard output.

    Whatever it prints, no line of it is a command to GitHub's runner (see `Inert`).
    """
    from rich.console import Console

    made = Console(stderr=stderr, highlight=False)
    made.push_render_hook(InertLines())  # type: ignore[arg-type]  # in all but name: rich is imported late
    return made


# A workflow's runner obeys a line that begins with `::command::` behind any blanks, and `##[command]` anywhere. Where a
# line of ours is broken, what a student chose may begin the next one.
COMMAND = re.compile(r"[\W_]*::")


class Inert:
    """A renderable without commands: a line that would begin with one begins with a mark, and no control character is left."""

    def __init__(self, inner: ConsoleRenderable) -> None:
        self.inner = inner

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Segment]:
        from rich.segment import Segment

        for line in Segment.split_lines(console.render(self.inner, options)):
            said = "".join(segment.text for segment in line if not segment.control)
            if COMMAND.match(said) or "##[" in said:
                clean = printable(said, len(said)).replace("##[", "## [")
                line = [Segment(MARK + clean, line[0].style)]
            yield from line
            yield Segment.line()


class InertLines:
    """rich's hook: everything that a console prints passes through it."""

    def process_renderables(self, renderables: list[ConsoleRenderable]) -> list[ConsoleRenderable]:
        from rich.control import Control

        return [one if isinstance(one, Control) else Inert(one) for one in renderables]


class Speaker:
    """Says things in the language the user chose."""

    def __init__(self, lang: Lang | None) -> None:
        self.lang = language(lang)

    def __call__(self, text: Text, **values: Any) -> str:
        """The text in the user's language, with its `{placeholders}` filled."""
        chosen = text.pick(self.lang)
        return chosen.format(**values) if values else chosen


def print_json(value: Any) -> None:
    """One JSON document on standard output."""
    import msgspec

    sys.stdout.buffer.write(msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n")
    sys.stdout.buffer.flush()
