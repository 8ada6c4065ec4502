"""Commands of a learner: check, learn."""

from __future__ import annotations

import sys
from contextlib import nullcontext, redirect_stdout
from typing import Annotated

import typer

from autograder.cli.common import (
    CourseOption,
    JsonOption,
    LangOption,
    console,
    open_course,
    print_json,
)
from autograder.text import language


def register(app: typer.Typer) -> None:
    """Add this group's commands."""
    app.command()(check)
    app.command()(learn)


def check(
    name: Annotated[str, typer.Argument(help="An exercise, as attention/multi_head, or its file.")],
    hidden: Annotated[
        bool, typer.Option("--hidden", help="Run the hidden tests, too, where solutions are at hand.")
    ] = False,
    json: JsonOption = False,
    course: CourseOption = None,
    lang: LangOption = None,
) -> None:
    """Test your file for one exercise and say what failed and why."""
    from autograder.course.named import one_exercise
    from autograder.feedback.report import print_report
    from autograder.learn.check import check_file, check_hidden

    exercise = one_exercise(open_course(course, authoring=True), name)
    # What the learner's file prints is not the answer: with --json, standard output holds the document alone.
    with redirect_stdout(sys.stderr) if json else nullcontext():
        report = (check_hidden if hidden else check_file)(exercise, language(lang))
    if json:
        print_json(
            {
                "exercise": report.exercise,
                "score": report.score,
                "max_score": report.max_score,
                "tests": report.tests,
            }
        )
    else:
        print_report(console(), str(report))
    if not report.complete:
        raise typer.Exit(1)


def learn(
    name: Annotated[
        str | None, typer.Argument(help="Where to begin: an exercise, its file, or a unit.")
    ] = None,
    course: CourseOption = None,
    lang: LangOption = None,
) -> None:
    """Work through the course: tests run on every save, hints come in steps."""
    from autograder.course.named import first_exercise
    from autograder.learn.watch import Loop

    opened = open_course(course, authoring=True)
    first = first_exercise(opened, name).id if name else None
    Loop(opened, language(lang), console()).run(first)
