"""Commands of a learner: list, check, learn, hint, reset, solution."""

from __future__ import annotations

import sys
from contextlib import nullcontext, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

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
from autograder.text import Text, language

if TYPE_CHECKING:
    from autograder.course import Course, Exercise

NamedOrLast = Annotated[
    str | None,
    typer.Argument(help="An exercise, as attention/multi_head, or its file; by default the last worked on."),
]
Named = Annotated[str, typer.Argument(help="An exercise, as attention/multi_head, or its file.")]

BY_EXERCISE = 12  # exercises: more are listed by unit
A_HINT = Text("A hint: autograder hint {exercise}", "提示：autograder hint {exercise}")
RESET = Text(
    "{path} is as it was given out. What it held is kept in {copy}",
    "{path} 已恢复成最初的样子，原来的内容保存在 {copy}",
)
RESTORED = Text("{path} is there again, as it was given out.", "{path} 已重新写出，内容和最初一样。")
UNTOUCHED = Text("{path} is as it was given out; nothing was done.", "{path} 和最初一样，没有改动。")


def register(app: typer.Typer) -> None:
    """Add this group's commands."""
    app.command("list")(list_)
    app.command()(check)
    app.command()(learn)
    app.command()(hint)
    app.command()(reset)
    app.command()(solution)


def _exercise(course: Course, name: str | None) -> Exercise:
    """The exercise that is named, or the last worked on."""
    from autograder.course.named import one_exercise
    from autograder.learn.states import require_last

    return one_exercise(course, name) if name else require_last(course)


def list_(
    names: Annotated[
        list[str] | None, typer.Argument(help="Units, exercises or assignments; all by default.")
    ] = None,
    unit: Annotated[str | None, typer.Option(help="Show this unit's exercises.")] = None,
    json: JsonOption = False,
    course: CourseOption = None,
    lang: LangOption = None,
) -> None:
    """List the exercises: how far you are, how long each takes, what it requires. A large course is listed by unit."""
    from autograder.cli.exercise_list import exercise_table, unit_table
    from autograder.learn.states import states_of

    opened, say = open_course(course, authoring=True).graded, Speaker(lang)
    wanted = [*(names or []), *([unit] if unit else [])]
    exercises = opened.select(wanted)
    states = states_of(opened, exercises)
    if json:
        print_json({"exercises": [_listed(*pair) for pair in zip(exercises, states, strict=True)]})
    elif not wanted and len(exercises) > BY_EXERCISE:
        console().print(unit_table(opened, states, say))
    else:
        out = console()
        out.print(exercise_table(exercises, states, say, out.width))


def _listed(exercise: Exercise, state: object) -> dict[str, object]:
    import msgspec

    public = exercise.public
    return msgspec.to_builtins(state) | {
        "title": msgspec.to_builtins(public.title),
        "kind": exercise.kind,
        "tier": public.tier,
        "minutes": public.minutes,
        "requires": public.requires,
    }


def check(
    name: NamedOrLast = None,
    hidden: Annotated[
        bool, typer.Option("--hidden", help="Run the hidden tests, too, where solutions are at hand.")
    ] = False,
    json: JsonOption = False,
    course: CourseOption = None,
    lang: LangOption = None,
) -> None:
    """Test your file for one exercise and say what failed and why."""
    from autograder.feedback.report import print_report
    from autograder.learn.check import check_own

    exercise = _exercise(open_course(course, authoring=True), name)
    if hidden:
        from autograder.learn.hidden import check_hidden
    # What the learner's file prints is not the answer: with --json, standard output holds the document alone.
    with redirect_stdout(sys.stderr) if json else nullcontext():
        report = (check_hidden if hidden else check_own)(exercise, language(lang))
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
        if report.failing and exercise.public.hint:
            console().print(Speaker(lang)(A_HINT, exercise=exercise.id), style="dim")
    if not report.complete:
        raise typer.Exit(1)


def learn(
    name: Annotated[
        str | None,
        typer.Argument(
            help="Where to begin: an exercise, its file, or a unit; by default where you left off."
        ),
    ] = None,
    site: Annotated[
        Path | None, typer.Option(help="The folder of the course's pages; by default build/site.")
    ] = None,
    course: CourseOption = None,
    lang: LangOption = None,
) -> None:
    """Work through the course: tests run on every save, hints come in steps."""
    from autograder.course.named import first_exercise
    from autograder.learn.watch import Loop

    opened = open_course(course, authoring=True)
    first = first_exercise(opened, name).id if name else None
    Loop(opened, language(lang), console(), site=site).run(first)


def hint(name: NamedOrLast = None, course: CourseOption = None, lang: LangOption = None) -> None:
    """Give the next hint on the question that fails; after each new attempt there is one more."""
    from autograder.learn.hints import give_hint
    from autograder.learn.tested import ensure_tested

    exercise = _exercise(open_course(course, authoring=True), name)
    with redirect_stdout(sys.stderr):
        ensure_tested(exercise, language(lang))
    typer.echo(give_hint(exercise, language(lang)))


def reset(name: Named, course: CourseOption = None, lang: LangOption = None) -> None:
    """Give an exercise back as it was. A dated copy of your work is kept."""
    from autograder.learn.reset import reset as give_back

    say = Speaker(lang)
    exercise = _exercise(open_course(course, authoring=True), name)
    done = give_back(exercise, say.lang)
    for path, copy in done:
        shown = path.relative_to(exercise.root)
        kept = copy.relative_to(exercise.root) if copy else None
        typer.echo(say(RESET, path=shown, copy=kept) if kept else say(RESTORED, path=shown))
    if not done:
        typer.echo(say(UNTOUCHED, path=exercise.skeleton.relative_to(exercise.root)))


def solution(
    name: Named,
    give_up: Annotated[bool, typer.Option("--give-up", help="Show it before you have all points.")] = False,
    course: CourseOption = None,
    lang: LangOption = None,
) -> None:
    """Show the reference solution, once you have all points."""
    from autograder.learn.solution import solution_text

    exercise = _exercise(open_course(course, authoring=True), name)
    typer.echo(solution_text(exercise, give_up=give_up), nl=False)
