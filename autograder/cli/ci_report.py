"""`autograder ci-report`: what the public tests say, for GitHub's own pages."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from autograder.cli.common import CourseOption, LangOption, open_course
from autograder.errors import UserError
from autograder.text import language


def register(app: typer.Typer) -> None:
    """Add this command."""
    app.command("ci-report")(ci_report)


def ci_report(
    names: Annotated[
        list[str] | None, typer.Argument(help="Exercises, units or assignments; all by default.")
    ] = None,
    github: Annotated[
        bool, typer.Option("--github", help="For a workflow of GitHub: notice, step output, summary.")
    ] = False,
    classroom50: Annotated[
        Path | None, typer.Option(help="Also write Classroom 50's result.json to this file.")
    ] = None,
    course: CourseOption = None,
    lang: LangOption = None,
) -> None:
    """Run the public tests on your files and report the points. Advice: the grade comes from the instructor's run."""
    from autograder.course.outputs import check_output, write_output
    from autograder.platforms.github import actions as classroom
    from autograder.platforms.github import public_run as apart

    if not github and classroom50 is None:
        raise UserError(
            "say for whom: --github, or --classroom50 result.json (for yourself: autograder check)",
            "请说明给谁看：--github，或 --classroom50 result.json（给自己看：autograder check）",
        )
    if classroom50 is not None:
        check_output(classroom50, classroom.is_classroom50_result)
    spoken = language(lang)
    root = open_course(course, authoring=True)
    found = apart.reports(root, root.select(names or []), spoken)
    scale = None
    _print(classroom.log(found, spoken))
    if classroom50 is not None:
        scale = classroom.scale_of(row for one in found for row in classroom.functions_of(one))
        result = msgspec.json.encode(classroom.classroom50_result(found, os.environ))
        content = msgspec.json.format(result, indent=2) + b"\n"
        write_output(classroom50, content, classroom.is_classroom50_result)
    if github:
        _print(classroom.notice(found))
        outputs, shown = os.environ.get("GITHUB_OUTPUT"), os.environ.get("GITHUB_STEP_SUMMARY")
        if outputs:
            output = classroom.encoded(classroom.classroom_result(found))
            _append(Path(outputs), f"result={output}\n")
        if shown:
            _append(Path(shown), classroom.summary(found, spoken, scale))
    if not classroom.complete(found):
        raise typer.Exit(1)


def _append(path: Path, text: str) -> None:
    """To a file that the runner reads after this step."""
    try:
        with path.open("ab") as file:
            file.write(text.encode())
    except OSError as error:
        raise UserError(
            f"{path} can't be written ({error.strerror}); GITHUB_OUTPUT and GITHUB_STEP_SUMMARY are set by the runner",
            f"{path} 无法写入（{error.strerror}）；GITHUB_OUTPUT 和 GITHUB_STEP_SUMMARY 由 runner 设置",
        ) from None


def _print(text: str) -> None:
    """In UTF-8, whatever the locale."""
    sys.stdout.buffer.write(text.encode() + b"\n")
    sys.stdout.buffer.flush()
