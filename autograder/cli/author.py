"""Commands of an author: init, new, build, notebooks, audit, try."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from autograder.cli.common import (
    CourseOption,
    JsonOption,
    LangOption,
    Speaker,
    console,
    open_course,
    print_json,
)
from autograder.cli.help import LearnerCommand
from autograder.text import Text, language

Names = Annotated[list[str] | None, typer.Argument(help="Exercises, units or assignments; all by default.")]

WRITTEN = Text("{n} files written, {unchanged} unchanged.", "写入 {n} 个文件，{unchanged} 个未变。")
KEPT = Text(
    "{path} holds somebody's work and was left alone; --force replaces it.",
    "{path} 里有写过的内容，未改动；要覆盖请加 --force。",
)
BEGUN = Text("A course is begun; its README says how to go on.", "课程已建好；接下来怎么做见它的 README。")
NEXT = Text(
    "Fill these, then run: autograder build {name} && autograder audit {name}",
    "填好这些文件，然后运行：autograder build {name} && autograder audit {name}",
)


def register(app: typer.Typer) -> None:
    """Add this group's commands."""
    app.command()(build)
    app.command()(init)
    app.command()(new)
    app.command(cls=LearnerCommand)(notebooks)
    app.command()(audit)
    app.command("try")(try_)


def build(
    names: Names = None,
    force: Annotated[bool, typer.Option(help="Replace skeletons that were filled in, too.")] = False,
    course: CourseOption = None,
    lang: LangOption = None,
) -> None:
    """Write exercises/ from solutions/."""
    from autograder.authoring.build import State
    from autograder.authoring.build import build as build_course

    say, out = Speaker(lang), console()
    root = open_course(course, authoring=True)
    built = build_course(root, names, force=force)
    for item in built:
        if item.state is State.KEPT and item.path.suffix == ".py":
            out.print(say(KEPT, path=item.path.relative_to(root.root)), style="yellow")
    counts = {state: sum(item.state is state for item in built) for state in State}
    out.print(say(WRITTEN, n=counts[State.WRITTEN], unchanged=counts[State.UNCHANGED]))
    if counts[State.KEPT]:
        raise typer.Exit(1)


def init(
    folder: Annotated[Path, typer.Argument(help="A folder that is empty or new.")],
    languages: Annotated[
        Literal["en", "en,zh"], typer.Option(help="What the course is written in.")
    ] = "en,zh",
    lang: LangOption = None,
) -> None:
    """Begin a course of your own: its files, with one exercise that works."""
    from autograder.authoring.init import init_course

    init_course(folder, languages.split(","))
    console().print(f"{folder / 'README.md'}", soft_wrap=True)
    console().print(Speaker(lang)(BEGUN), style="bold")


def new(
    name: Annotated[str, typer.Argument(help="UNIT/TOPIC, as rag/my_topic.")],
    tier: Annotated[Literal["core", "standard", "short"], typer.Option(help="How large it is.")] = "standard",
    kind: Annotated[Literal["exercise", "quiz", "capstone"], typer.Option(help="What it is.")] = "exercise",
    part: Annotated[
        list[str] | None, typer.Option(help="Of a capstone: an exercise it takes as a part; may be repeated.")
    ] = None,
    course: CourseOption = None,
    lang: LangOption = None,
) -> None:
    """Begin a new exercise: every file it needs, with a small working example in each."""
    from autograder.authoring.new import new_exercise

    root = open_course(course, authoring=True)
    for path in new_exercise(root, name, tier=tier, kind=kind, parts=part or []):
        typer.echo(path.relative_to(root.root))
    console().print(Speaker(lang)(NEXT, name=name), style="bold")


def notebooks(
    names: Names = None,
    out: Annotated[Path, typer.Option(help="Where to write UNIT/TOPIC.ipynb.")] = Path("notebooks"),
    force: Annotated[bool, typer.Option(help="Replace notebooks that are there already.")] = False,
    course: CourseOption = None,
    lang: LangOption = None,
) -> None:
    """Write each exercise as a notebook, in one language."""
    from autograder.authoring.notebooks import write_notebook

    say = Speaker(lang)
    kept = False
    for exercise in open_course(course, authoring=True).select(names or []):
        path = write_notebook(exercise, out, language(lang), force=force)
        if path is None:
            kept = True
            path = out / exercise.unit / f"{exercise.topic}.ipynb"
            console().print(say(KEPT, path=path), style="yellow")
        else:
            typer.echo(path)
    if kept:
        raise typer.Exit(1)


def audit(
    names: Names = None,
    mutants: Annotated[
        bool, typer.Option("--mutants", help="Run automatic mutants of the reference.")
    ] = False,
    learn: Annotated[
        Path | None,
        typer.Option(
            metavar="SUBMISSIONS",
            help="Draft misconceptions from a class's failures that none explains, into the folder of --out.",
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="With --learn: a folder that is new, empty, or holds earlier drafts.")
    ] = None,
    counterexamples: Annotated[
        bool,
        typer.Option("--counterexamples", help="Look for a small counterexample of each misconception, too."),
    ] = False,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes at once; by default one for each processor.")
    ] = None,
    json: JsonOption = False,
    course: CourseOption = None,
    lang: LangOption = None,
) -> None:
    """Prove each exercise: reference, skeleton, misconceptions, cheap answers, oracle, leaks, lessons."""
    from autograder.audit import Begun, Ended, ExerciseAudit, audit_events
    from autograder.cli.drafts import write_drafts
    from autograder.cli.mutants import audit_mutants
    from autograder.cli.tables import audit_table

    root = open_course(course, authoring=True)
    chosen = root.select(names or [])
    say, remarks = Speaker(lang), console(stderr=True)
    if learn is not None or out is not None:
        write_drafts(root, chosen, learn, out, remarks, say)
        return
    if mutants:
        exercises = [exercise for exercise in root.select(names or []) if exercise.kind != "quiz"]
        audit_mutants(root, exercises, say, json=json, workers=workers)
        return
    reports: dict[str, ExerciseAudit] = {}
    at_work: list[str] = []
    with remarks.status("") as status:
        for event in audit_events(root, chosen, workers, counterexamples):
            match event:
                case Begun():
                    at_work.append(event.exercise)
                case ExerciseAudit():
                    reports[event.exercise] = event
                    at_work.remove(event.exercise)
                    if len(chosen) > 1:
                        remarks.print(f"{'✓' if event.green else '✗'} {event.exercise}", highlight=False)
                case Ended():
                    end = event
            status.update(f"{len(reports)}/{len(chosen)}  {', '.join(at_work)}")
    ordered = [reports[exercise.id] for exercise in chosen]
    if json:
        print_json({"exercises": ordered, "run": end})
    else:
        console().print(audit_table(ordered, end, say))
    if not all(report.green for report in ordered):
        raise typer.Exit(1)


def try_(
    name: Annotated[str, typer.Argument(help="The exercise, as rag/my_topic.")],
    files: Annotated[
        list[Path] | None, typer.Argument(help="Files to grade as submissions to that exercise.")
    ] = None,
    edit: Annotated[
        list[str] | None, typer.Option(help="An edit of the reference, as 'OLD=>NEW'; may be repeated.")
    ] = None,
    json: JsonOption = False,
    course: CourseOption = None,
    lang: LangOption = None,
) -> None:
    """Grade files against one exercise, side by side, and record nothing: holes in its tests show here."""
    from autograder.audit.tries import sources_of, tries
    from autograder.cli.tables import try_table

    root = open_course(course, authoring=True)
    exercise = root.exercise(name)
    root.check_files([exercise])
    sources = sources_of(exercise, files or [], edit or [])
    found = []
    with console(stderr=True).status("") as status:
        for tried in tries(root, exercise, sources):
            found.append(tried)
            status.update(f"{len(found)}/{len(sources)}")
    if json:
        print_json({"exercise": exercise.id, "tries": found})
    else:
        console().print(try_table(found, Speaker(lang)))
