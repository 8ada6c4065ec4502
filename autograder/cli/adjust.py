"""`autograder gradebook adjust`, `adjustments` and `undo`: points that people give or take."""

from __future__ import annotations

import getpass
import re
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from autograder.cli.common import (
    DEFAULT_GRADEBOOK,
    CourseOption,
    GradebookOption,
    JsonOption,
    LangOption,
    Speaker,
    console,
    open_course,
    print_json,
)
from autograder.text import Text

if TYPE_CHECKING:
    from autograder.course import Course
    from autograder.gradebook import Gradebook, Score

ADJUSTED = Text(
    "{student}, {exercise}: {before} -> {after} of {most}",
    "{student}，{exercise}：{before} -> {after}，满分 {most}",
)
ABOVE_MAXIMUM = Text(
    "That is above the maximum. It counts as it stands; to take it back: autograder gradebook undo {number}",
    "已超过满分，并将照此计入。如需撤回：autograder gradebook undo {number}",
)
BELOW_ZERO = Text(
    "The sum is {points}, below 0, and counts as 0. To take it back: autograder gradebook undo {number}",
    "合计为 {points}，低于 0，按 0 分计。如需撤回：autograder gradebook undo {number}",
)
WAITING = Text(
    "{student}, {exercise}: {points:+g} recorded. What was handed in is not graded yet; the points count as soon as it is.",
    "{student}，{exercise}：{points:+g} 分已记录。提交尚未评分，评分后计入。",
)
NO_ADJUSTMENTS = Text("Nobody's points were adjusted.", "没有任何人工调整。")
NEGATIVE = re.compile(r"-(\d|\.\d|inf|nan).*", re.IGNORECASE)

WhoOption = Annotated[str | None, typer.Option(help="Who decided (the login name by default).")]


class TakesNegatives(TyperCommand):
    """A command to which -1 is a number. A misspelt option beside it is still an error: one argument too many."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        ctx.ignore_unknown_options = any(map(NEGATIVE.fullmatch, args))
        return super().parse_args(ctx, args)


def adjust(
    student: Annotated[str, typer.Argument(help="Whose points.")],
    exercise: Annotated[str, typer.Argument(help="On which exercise.")],
    points: Annotated[float, typer.Argument(help="How many to add; a negative number takes them.")],
    reason: Annotated[str, typer.Option(help="Why; kept with the adjustment.")],
    who: WhoOption = None,
    new_student: Annotated[
        bool, typer.Option("--new-student", help="Also for somebody whom the gradebook doesn't know yet.")
    ] = False,
    gradebook: GradebookOption = DEFAULT_GRADEBOOK,
    course: CourseOption = None,
    lang: LangOption = None,
) -> None:
    """Give or take points by hand, with or without a submission. The attempts stay as they are."""
    from autograder.gradebook import Gradebook

    say = Speaker(lang)
    root = open_course(course).graded
    name = root.exercise(exercise).id
    with Gradebook(gradebook) as book:
        before = _standing(book, root, student, name)
        decider = who or getpass.getuser()
        book.adjust(student, name, points, reason=reason, who=decider, new_student=new_student)
        after = _standing(book, root, student, name)
        number = book.adjustments(student, [name])[student, name][-1].number
    _tell_change(student, name, before, after, points, say)
    warning = _out_of_range(after, number, say) if after else ""
    if warning:
        console(stderr=True).print(warning, style="yellow")


def adjustments(
    student: Annotated[str | None, typer.Option(help="One student's only.")] = None,
    gradebook: GradebookOption = DEFAULT_GRADEBOOK,
    json: JsonOption = False,
    lang: LangOption = None,
) -> None:
    """List the points given or taken by hand, with their numbers."""
    from autograder.cli.tables import adjustments_table
    from autograder.gradebook import Gradebook
    from autograder.gradebook.ci_formats import adjustment_json

    say = Speaker(lang)
    with Gradebook(gradebook) as book:
        if student is not None:
            book.check_student(student)
        found = [one for given in book.adjustments(student).values() for one in given]
    found.sort(key=lambda one: one.number)
    if json:
        rows = [{"student": a.student, "exercise": a.exercise, **adjustment_json(a)} for a in found]
        print_json({"adjustments": rows})
    else:
        console().print(adjustments_table(found, say) if found else say(NO_ADJUSTMENTS))


def undo(
    number: Annotated[int, typer.Argument(help="The adjustment's number, as `adjustments` lists it.")],
    reason: Annotated[str, typer.Option(help="Why (the adjustment's own reason by default).")] = "",
    who: WhoOption = None,
    gradebook: GradebookOption = DEFAULT_GRADEBOOK,
    course: CourseOption = None,
    lang: LangOption = None,
) -> None:
    """Take an adjustment back by a counter-entry. Both stay on record."""
    from autograder.gradebook import Gradebook

    root = open_course(course).graded
    with Gradebook(gradebook) as book:
        given = book.adjustment(number)
        place = given.student, given.exercise
        before = _standing(book, root, *place)
        book.undo(number, who=who or getpass.getuser(), reason=reason)
        after = _standing(book, root, *place)
    _tell_change(*place, before, after, -given.points, Speaker(lang))


def _standing(book: Gradebook, course: Course, student: str, name: str) -> Score | None:
    """One student's score on one exercise."""
    from autograder.gradebook.scores import current_scores
    from autograder.grading.scheme import scheme_of

    known = [course.exercises[name]] if name in course.exercises else []
    return current_scores(book, scheme_of(book, course, known), student, [name]).get((student, name))


def _tell_change(
    student: str, name: str, before: Score | None, after: Score | None, points: float, say: Speaker
) -> None:
    """Say what a score was before points were given or taken, and what it is now."""
    from autograder.text import number

    place = {"student": student, "exercise": name}
    if after is not None and after.score is None:
        console().print(say(WAITING, **place, points=points), style="yellow", markup=False)
        return
    was, now = ((score.score or 0.0) if score else 0.0 for score in (before, after))
    most = next((score.max_score for score in (after, before) if score), 0.0)
    numbers = {"before": number(was), "after": number(now), "most": number(most)}
    console().print(say(ADJUSTED, **place, **numbers), markup=False)


def _out_of_range(score: Score, number: int, say: Speaker) -> str:
    """What to say of points that no attempt alone could give; "" of all others."""
    if score.score is not None and score.score > score.max_score + 1e-6:
        return say(ABOVE_MAXIMUM, number=number)
    whole = (score.result.score or 0.0 if score.result else 0.0) + score.adjusted
    return say(BELOW_ZERO, points=f"{whole:g}", number=number) if whole < -1e-6 else ""
