"""Commands that use an exercise's known mistakes for practice: write-tests, debug."""

from __future__ import annotations

from collections.abc import Sequence
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
from autograder.cli.learner import Named
from autograder.feedback.own_tests import MISSED, NOTHING, REFUSED, told_at_home
from autograder.text import Text

if TYPE_CHECKING:
    from rich.table import Table

    from autograder.course import Exercise
    from autograder.grading.own_tests import Judgement
    from autograder.learn.journal import Bug

SHOWN = 3  # of the mistakes that are missed: one thing after another

BEGUN = Text(
    "{path} is there for your tests. Write some, then run the same command again.",
    "已建立 {path}，请在其中编写测试，然后再次运行同一命令。",
)
RIGHT = Text("{right} of {right} right answers pass your tests.", "{right} 个正确答案全部通过你的测试。")
CAUGHT = Text("They catch {caught} of {all} known mistakes.", "它们抓住了 {all} 个已知错误中的 {caught} 个。")
MORE = Text("and {n} more", "另外还有 {n} 个")
PLANTED = Text(
    "{path} is a right answer with one mistake in it. Which line? autograder debug {exercise} --line N",
    "{path} 是一份带有一处错误的正确答案。错在哪一行？autograder debug {exercise} --line N",
)
IT_SHOWS = Text("A public test shows it:", "有一个公开测试能暴露它：")
IT_HIDES = Text("All public tests pass.", "公开测试全部通过。")
OPEN = Text(
    "The mistake is still in {path}. Name its line with --line N, or mend it and run this again; --give-up shows it.",
    "错误还在 {path} 里。用 --line N 指出它在哪一行，或改好后再次运行；--give-up 会公布答案。",
)
THERE = Text("Yes, it is there. Mend it.", "对，就在那里。请改好它。")
ELSEWHERE = Text("No, it is not there.", "不对，不在那里。")
STILL = Text("Not yet. These tests fail:", "还没有改好。这些测试没有通过：")
TOO_MUCH = Text(
    "All tests pass, but more was changed than the mistake: put back what was right.",
    "测试全部通过，但改动超出了错误本身：请把原本正确的部分改回去。",
)
MENDED = Text("Found and mended ({kind}).", "找到并改好了（{kind}）。")
IT_WAS = Text("It stands in line {lines} ({kind}).", "它在第 {lines} 行（{kind}）。")
KIND, FOUND, MADE_GOOD, MET = (
    Text("kind of mistake", "错误类型"),
    Text("line found at once", "一次找对行"),
    Text("mended", "改好"),
    Text("met", "遇到"),
)
NONE_YET = Text(
    "No bug was looked for yet. Begin with an exercise that you have all points on: autograder debug UNIT/TOPIC",
    "还没有找过错误。请从一道已得满分的练习开始：autograder debug 单元/题目",
)


def register(app: typer.Typer) -> None:
    """Add this group's commands."""
    app.command("write-tests")(write_tests)
    app.command()(debug)


def write_tests(
    name: Named, json: JsonOption = False, course: CourseOption = None, lang: LangOption = None
) -> None:
    """Write tests of your own: right answers must pass them, programs with a known mistake must not."""
    from autograder.cli.progress_bar import counted
    from autograder.course.named import one_exercise
    from autograder.learn.own_tests import begin, try_out

    say = Speaker(lang)
    exercise = one_exercise(open_course(course, authoring=True), name)
    if begin(exercise):
        typer.echo(say(BEGUN, path=exercise.own_tests.relative_to(exercise.root)))
        return
    with counted(console(stderr=True)) as tried:
        judgement = try_out(exercise, tried)
    if json:
        print_json(_plain(judgement))
    else:
        _print(exercise, judgement, say)
    if judgement.share < 1:
        raise typer.Exit(1)


def _plain(judgement: Judgement) -> dict[str, object]:
    refused = judgement.refused.failures if judgement.refused else ()
    return {
        "share": judgement.share,
        "caught": len(judgement.caught),
        "missed": len(judgement.missed),
        "refused": [{"test": f.test, "outcome": f.outcome, "error": f.error} for f in refused],
    }


def _print(exercise: Exercise, judgement: Judgement, say: Speaker) -> None:
    out = console()
    if judgement.refused:
        out.print(say(REFUSED), style="red", markup=False)
        for failure in judgement.refused.failures:
            told = told_at_home(failure.test, failure.outcome, failure.error, exercise.own_tests.name)
            out.print(f"  {say(told).replace(chr(10), chr(10) + '    ')}", markup=False)
        return
    out.print(say(RIGHT, right=judgement.right), markup=False)
    every = len(judgement.caught) + len(judgement.missed)
    out.print(say(CAUGHT, caught=len(judgement.caught), all=every), markup=False)
    if not judgement.caught:
        out.print(say(NOTHING), style="yellow", markup=False)
        return
    hints = {m.name: m.hint.text for m in exercise.spec.misconception}
    for missed in judgement.missed[:SHOWN]:
        out.print(say(MISSED), style="yellow", markup=False)
        out.print(f"  {hints[missed].pick(say.lang)}", markup=False)
    if len(judgement.missed) > SHOWN:
        out.print(say(MORE, n=len(judgement.missed) - SHOWN), style="dim", markup=False)


def debug(
    name: Annotated[
        str | None,
        typer.Argument(
            help="An exercise, as attention/multi_head; without one, which kinds of mistakes you find."
        ),
    ] = None,
    line: Annotated[int | None, typer.Option(help="The line in which you think the mistake is.")] = None,
    level: Annotated[
        int, typer.Option(min=1, max=2, help="1: public tests show the mistake. 2: only hidden tests do.")
    ] = 1,
    give_up: Annotated[bool, typer.Option("--give-up", help="Show where the mistake is.")] = False,
    course: CourseOption = None,
    lang: LangOption = None,
) -> None:
    """Find the bug: a right answer with one known mistake in it, once you have all points on the exercise."""
    from autograder.course.named import one_exercise
    from autograder.grading.planted import TITLES
    from autograder.learn import debugging

    say, out = Speaker(lang), console()
    opened = open_course(course, authoring=True)
    if name is None:
        out.print(_kinds(debugging.met(opened), say))
        return
    exercise = one_exercise(opened, name)
    path = exercise.debugged.relative_to(exercise.root)
    if line is not None:
        right = debugging.guess(exercise, line)
        out.print(say(THERE if right else ELSEWHERE))
        raise typer.Exit(0 if right else 1)
    if give_up:
        planted = debugging.give_up(exercise)
        lines = ", ".join(map(str, sorted(planted.lines)))
        out.print(say(IT_WAS, lines=lines, kind=say(TITLES[planted.kind])))
        out.print(planted.mistake.hint.text.pick(say.lang), markup=False)
    elif debugging.open_bug(exercise) is None:
        _, lost = debugging.begin(exercise, level)
        out.print(say(PLANTED, path=path, exercise=exercise.id), markup=False)
        out.print(say(IT_SHOWS if lost else IT_HIDES))
        _print_lost(lost[:1], say)
    else:
        planted, tried = debugging.try_mend(exercise)
        if tried.mended:
            out.print(say(MENDED, kind=say(TITLES[planted.kind])), style="green")
            out.print(planted.mistake.hint.text.pick(say.lang), markup=False)
            return
        if tried.untouched:
            out.print(say(OPEN, path=path), markup=False)
        elif tried.lost:
            out.print(say(STILL))
            _print_lost(tried.lost, say)
        else:
            out.print(say(TOO_MUCH), style="yellow")
        raise typer.Exit(1)


def _print_lost(lost: Sequence[Text], say: Speaker) -> None:
    for sentence in lost[:SHOWN]:
        console().print(f"  {sentence.pick(say.lang)}", markup=False)


def _kinds(met: Sequence[tuple[Exercise, Bug]], say: Speaker) -> Table | str:
    from rich.table import Table

    from autograder.grading.planted import TITLES

    if not met:
        return say(NONE_YET)
    table = Table(box=None)
    for title in (KIND, FOUND, MADE_GOOD, MET):
        table.add_column(say(title), justify="left" if title is KIND else "right")
    for kind, title in TITLES.items():
        bugs = [bug for _, bug in met if bug.kind == kind]
        if bugs:
            at_once = sum(bug.found_at_once is True for bug in bugs)
            mended = sum(bug.ended == "mended" for bug in bugs)
            table.add_row(say(title), str(at_once), str(mended), str(len(bugs)))
    return table
