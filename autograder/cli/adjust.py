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
from autograder.errors import UserError
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
REGRADE_UNDONE = Text(
    "{name} is undone: what counted before it counts again (submissions: {n}, scores that move: {moved}).",
    "{name} 已撤销：恢复为之前计入的结果（提交 {n} 份，改变的得分 {moved} 个）。",
)
RULES_STAY = Text(
    "The rules of course/course.toml stay as they are, and scores follow from them: put the earlier ones back there, too.",
    "course/course.toml 中的规则保持不变，得分仍按其计算：如需恢复旧规则，请同时改回该文件。",
)
NUMBERED = re.compile(r"[Rr]?[0-9]{1,9}", re.ASCII)
UNEXTENDED = Text(
    "{whose}, {assignment}: extension {number} is taken back",
    "{whose}，{assignment}：编号 {number} 的延期已撤销",
)
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
    number: Annotated[
        str,
        typer.Argument(help="The adjustment's number, as `adjustments` lists it, or a regrade's, as R3."),
    ],
    reason: Annotated[str, typer.Option(help="Why (the adjustment's own reason by default).")] = "",
    extension: Annotated[
        bool, typer.Option("--extension", help="It is the number of an extension, as `extensions` lists it.")
    ] = False,
    who: WhoOption = None,
    gradebook: GradebookOption = DEFAULT_GRADEBOOK,
    course: CourseOption = None,
    lang: LangOption = None,
) -> None:
    """Take an adjustment, a regrade or an extension back. Both stay on record."""
    from autograder.gradebook import Gradebook

    regrade, counted = _numbered(number)
    if extension:
        with Gradebook(gradebook) as book:
            taken = book.undo_extension(counted, who=who or getpass.getuser(), reason=reason)
        said = Speaker(lang)(UNEXTENDED, number=counted, whose=taken.whose, assignment=taken.assignment)
        console().print(said, markup=False)
        return
    root = open_course(course).graded
    say, decider = Speaker(lang), who or getpass.getuser()
    with Gradebook(gradebook) as book:
        if regrade:
            _undo_regrade(book, root, counted, decider, reason, say)
            return
        given = book.adjustment(counted)
        place = given.student, given.exercise
        before = _standing(book, root, *place)
        book.undo(counted, who=decider, reason=reason)
        after = _standing(book, root, *place)
    _tell_change(*place, before, after, -given.points, say)


def _numbered(given: str) -> tuple[bool, int]:
    """Whether a number is a regrade's, and which one it is."""
    if not NUMBERED.fullmatch(given):
        raise UserError(
            f"{given!r}: give the number of an adjustment, as 12, or of a regrade, as R3",
            f"{given!r}：请给出调整的编号（例如 12）或重新评分的编号（例如 R3）",
        )
    return given[0] in "Rr", int(given.lstrip("Rr"))


def _undo_regrade(book: Gradebook, course: Course, number: int, who: str, reason: str, say: Speaker) -> None:
    """Undo a regrade, and say how many scores that moves."""
    from autograder.gradebook.scores import current_scores
    from autograder.grading.scheme import scheme_of

    places = set(book.places_of_regrade(number))
    names = sorted({exercise for _, exercise in places})
    scheme = scheme_of(book, course)
    before = current_scores(book, scheme, exercises=names)
    regrade = book.undo_regrade(number, who=who, reason=reason)
    after = current_scores(book, scheme, exercises=names)
    moved = sum(before[place].score != after[place].score for place in places)
    console().print(say(REGRADE_UNDONE, name=regrade.name, n=len(places), moved=moved), markup=False)
    if regrade.rules is not None and book.rules() != scheme.rules:
        console(stderr=True).print(say(RULES_STAY), style="yellow", markup=False)


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
