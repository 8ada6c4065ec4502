"""`autograder`: the commands, and what an error looks like.

Exit status: 0 when all is well, 1 when the answer is no (an audit is red, points are missing, something stayed ungraded),
2 when something the user gave is wrong. Nothing heavy is imported here: a command loads what it needs when it runs.
"""

from __future__ import annotations

import sys

import typer

from autograder import __version__
from autograder.cli import author, instructor, learner
from autograder.cli import release as releasing
from autograder.cli import report as reporting
from autograder.errors import UserError
from autograder.sandbox.errors import SandboxUnavailable

app = typer.Typer(
    name="autograder",
    help="Build, check and grade a course on large language models.  构建、检查、批改大语言模型课程。",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
learner.register(app)
instructor.register(app)
author.register(app)
releasing.register(app)
reporting.register(app)


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
    try:
        app()
    except UserError as error:
        typer.secho(f"autograder: {error}", err=True, fg="red")
        sys.exit(2)
    except SandboxUnavailable as error:
        typer.secho(f"autograder: {error}", err=True, fg="red")
        typer.secho(
            "autograder: `autograder doctor` shows each layer; --unsafe grades without isolation.", err=True
        )
        sys.exit(2)
    except BrokenPipeError:
        sys.exit(1)
