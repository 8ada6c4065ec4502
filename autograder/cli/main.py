"""`autograder`: the commands, and what an error looks like.

Exit status: 0 when all is well, 1 when the answer is no (an audit is red, points are missing), 2 when something the user gave
is wrong, 3 when something could not be graded through no student's fault, 130 after Ctrl-C. Nothing heavy is imported here: a command loads what it needs when it runs.
"""

from __future__ import annotations

import io
import sys
from typing import Any

import typer
from typer.core import TyperGroup

from autograder import __version__
from autograder.cli import author, ci_report, feedback, instructor, learner, practice, serve, similarity
from autograder.cli import regrade as regrading
from autograder.cli import release as releasing
from autograder.cli.common import INTERRUPTED, console, spoken_language
from autograder.cli.help import LearnerCommand
from autograder.errors import UserError
from autograder.sandbox.errors import SandboxUnavailable
from autograder.text import Text, printable

SAID = 8000  # characters of an error
STOPPED = Text("Stopped.", "已停止。")
NO_SANDBOX = Text(
    "`autograder doctor` shows each layer; --unsafe grades without isolation.",
    "`autograder doctor` 显示每一层的情况；--unsafe 会在没有隔离的情况下评分。",
)


class Commands(TyperGroup):
    """All commands. Typer itself would end one in silence on Ctrl-C; what was interrupted may have more to say."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as stop:
            _say(str(stop) or STOPPED.pick(spoken_language()))
            raise typer.Exit(INTERRUPTED) from None


app = typer.Typer(
    cls=Commands,
    name="autograder",
    help="Build, check and grade a course on large language models.  构建、检查、批改大语言模型课程。",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
learner.register(app)
practice.register(app)
for command in app.registered_commands:
    command.cls = LearnerCommand
instructor.register(app)
regrading.register(app)
feedback.register(app)
similarity.register(app)
serve.register(app)
author.register(app)
releasing.register(app)
ci_report.register(app)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"autograder {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Print the version."
    ),
) -> None:
    pass


def run() -> None:
    """The console script."""
    _print_what_can_be()
    try:
        app()
    except UserError as error:
        _say(f"autograder: {error.text.pick(spoken_language())}", "red")
        sys.exit(2)
    except SandboxUnavailable as error:
        _say(f"autograder: {error.text.pick(spoken_language())}", "red")
        _say(f"autograder: {NO_SANDBOX.pick(spoken_language())}")
        sys.exit(2)
    except BrokenPipeError:
        sys.exit(1)


def _say(said: str, style: str = "") -> None:
    """Through our console, and bounded: an error may quote a name that a student chose."""
    console(stderr=True).print(printable(said, SAID), style=style, markup=False, soft_wrap=True)


def _print_what_can_be() -> None:
    """A terminal that has no ✓ gets a question mark in its place, not the end of the command."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and not stream.encoding.lower().startswith("utf"):
            stream.reconfigure(errors="replace")
