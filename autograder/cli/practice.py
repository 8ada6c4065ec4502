"""Commands that use an exercise's known mistakes for practice: write-tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

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
from autograder.text import Text, shortened

if TYPE_CHECKING:
    from autograder.course import Exercise
    from autograder.grading.own_tests import Failure, Judgement

SHOWN = 3  # of the mistakes that are missed: one thing after another

BEGUN = Text(
    "{path} is there for your tests. Write some, then run the same command again.",
    "已建立 {path}，请在其中编写测试，然后再次运行同一命令。",
)
RIGHT = Text("{right} of {right} right answers pass your tests.", "{right} 个正确答案全部通过你的测试。")
REFUSED = Text(
    "A right answer does not pass your tests, so they earn nothing yet:",
    "有一个正确答案没有通过你的测试，因此暂时不得分：",
)
CAUGHT = Text("They catch {caught} of {all} known mistakes.", "它们抓住了 {all} 个已知错误中的 {caught} 个。")
MISSED = Text("Your tests accept a program with this mistake:", "你的测试接受了带有这个错误的程序：")
MORE = Text("and {n} more", "另外还有 {n} 个")
NOTHING = Text(
    "Your tests accept every program that was tried: does each of them assert something?",
    "你的测试接受了所有试过的程序：每个测试里都有断言吗？",
)
NO_TESTS = Text(
    "{path} holds no tests: write functions called test_...", "{path} 里没有测试：请编写名为 test_... 的函数"
)
ENDLESS = Text("{test} did not end within its time.", "{test} 没有在时限内结束。")
CONFINED = Text(
    "Tests run without a network, files and other programs.", "测试运行时没有网络、文件和其他程序。"
)
ANSWERS_ONLY = Text(
    "Tests see what a program answers, and not how it is written.", "测试只能看到程序的输出，看不到它的代码。"
)
WHY = (  # what stands in an error, and what it means
    (
        ("OSError", "PermissionError", "FileNotFoundError", "gaierror", "URLError", "ConnectionError"),
        CONFINED,
    ),
    (("is not to be had", "does not forward __", "got Handle"), ANSWERS_ONLY),
)


def register(app: typer.Typer) -> None:
    """Add this group's commands."""
    app.command("write-tests")(write_tests)


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
            out.print(f"  {_told(exercise, failure, say)}", markup=False)
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


def _told(exercise: Exercise, failure: Failure, say: Speaker) -> str:
    if not failure.outcome:
        return say(NO_TESTS, path=exercise.own_tests.name)
    if failure.outcome == "timeout":
        return say(ENDLESS, test=shortened(failure.test))
    why = next((text for signs, text in WHY if any(sign in failure.error for sign in signs)), None)
    told = f"{shortened(failure.test)}: {failure.error}"
    return f"{told}\n    {say(why)}" if why else told
