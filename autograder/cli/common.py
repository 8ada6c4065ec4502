"""What every command shares: options, the course, and where output goes."""

from __future__ import annotations

import itertools
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from autograder.text import Text, language

if TYPE_CHECKING:
    from rich.console import Console

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
    """The course that a command is about; None where it is run outside of any, and none is named."""
    from autograder.course.catalogue import NoCourseHere

    try:
        return open_course(given)
    except NoCourseHere:
        return None


def console(*, stderr: bool = False) -> Console:
    """A rich console. Progress and remarks go to standard error, results to standard output."""
    from rich.console import Console

    return Console(stderr=stderr, highlight=False)


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
