"""`autograder release`: the course, or a part of it, for one of the places where it is taught."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from autograder.cli.common import CourseOption, LangOption, Speaker, console, open_course
from autograder.errors import UserError
from autograder.platforms.publish import Target
from autograder.platforms.publish import release as write
from autograder.text import Text

RELEASED = Text(
    "{n} files written to {out} for {exercises} exercises. Next: {next}",
    "已为 {exercises} 道练习向 {out} 写入 {n} 个文件。接下来请看 {next}",
)
READ = Text("Open {page} in a browser.", "请用浏览器打开 {page}。")


def register(app: typer.Typer) -> None:
    """Add this command."""
    app.command()(release)
    app.command()(site)


def _refuse_inside(root: Path, out: Path) -> None:
    """UserError where a release would mix with what it is made from, or with another instructor's course."""
    from autograder.course.outputs import course_around

    place = out.resolve()
    around = course_around(place / "course")
    instructors = around is not None and (around == root or (around / "solutions").is_dir())
    if instructors or root.is_relative_to(place):
        raise UserError(
            f"{out} belongs to the course itself; give a folder of its own, as release/week1",
            f"{out} 属于课程本身；请给出单独的文件夹，例如 release/week1",
        )


def release(
    out: Annotated[Path, typer.Argument(help="The folder to write.")],
    to: Annotated[Target, typer.Option("--to", help="Where it is going to be used.")],
    assignment: Annotated[
        str | None, typer.Option(help="An assignment, a unit or an exercise; the whole course by default.")
    ] = None,
    force: Annotated[bool, typer.Option(help="Replace files that differ.")] = False,
    course: CourseOption = None,
    lang: LangOption = None,
) -> None:
    """Write what students, or a platform, receive. Its README says what of it is for whom."""
    from autograder.platforms.selection import select

    say = Speaker(lang)
    root = open_course(course, authoring=True)
    _refuse_inside(root.root, out)
    selection = select(root, assignment, say.lang)
    with console(stderr=True).status(to.value):
        written = write(selection, to, out, force=force)
    page = out / ("index.html" if to is Target.SITE else "README.md")
    console().print(say(RELEASED, n=len(written), out=out, exercises=len(selection.exercises), next=page))


def site(
    out: Annotated[Path, typer.Argument(help="The folder to write.")] = Path("build/site"),
    course: CourseOption = None,
    lang: LangOption = None,
) -> None:
    """Make the course's pages for yourself, to be read in a browser without a network; your progress shows on them.

    Quizzes can be practised on them, so the answers are there; for a class: release OUT --to site.
    """
    from autograder.platforms.selection import select
    from autograder.platforms.site.build import write_own

    say = Speaker(lang)
    root = open_course(course)
    _refuse_inside(root.root, out)
    with console(stderr=True).status("site"):
        write_own(select(root, None, say.lang), out)
    console().print(say(READ, page=out / "index.html"))
