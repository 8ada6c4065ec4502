"""`autograder gradebook history`: what happened to one student's work, in order of time."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING, Annotated, Any

import typer

from autograder.cli.common import (
    DEFAULT_GRADEBOOK,
    CourseOption,
    GradebookOption,
    JsonOption,
    LangOption,
    Speaker,
    console,
    course_at_hand,
    print_json,
)
from autograder.text import Text, number

if TYPE_CHECKING:
    from autograder.gradebook.history import Event

WHEN, WHAT, WHO = Text("when", "时间"), Text("what", "事件"), Text("who", "决定者")
REASON, AFTER, EXERCISE = Text("reason", "理由"), Text("score after", "之后得分"), Text("exercise", "练习")
NOTHING = Text("Nothing is recorded.", "没有任何记录。")
NOW = Text("now", "现在")
OLDER = Text("of an older version of the exercise", "来自练习的旧版本")


def history(
    student: Annotated[str, typer.Argument(help="Whose.")],
    exercise: Annotated[str | None, typer.Argument(help="On one exercise only.")] = None,
    gradebook: GradebookOption = DEFAULT_GRADEBOOK,
    json: JsonOption = False,
    course: CourseOption = None,
    lang: LangOption = None,
) -> None:
    """Tell what happened to a student's work: attempts, extensions, regrades, adjustments, and the score after each of them."""
    from rich.markup import escape
    from rich.table import Table

    from autograder.gradebook import Gradebook
    from autograder.gradebook.history import history as story
    from autograder.gradebook.scores import current_scores
    from autograder.grading.scheme import recorded_scheme, scheme_of

    say = Speaker(lang)
    root = course_at_hand(course)
    chosen = None
    if exercise is not None:
        chosen = [exercise if root is None else root.exercise(exercise).id]
    with Gradebook(gradebook) as book:
        scheme = recorded_scheme(book) if root is None else scheme_of(book, root, student=student)
        told = story(book, scheme, student, chosen)
        scores = current_scores(book, scheme, student, chosen)
    if json:
        now = [
            {"exercise": name, "score": one.score, "max_score": one.max_score, "stale": one.outdated}
            for (_, name), one in scores.items()
        ]
        print_json({"student": student, "events": [_json(event) for event in told], "now": now})
        return
    if not told:
        console().print(say(NOTHING))
        return
    table = Table()
    heads = (WHEN, *([] if chosen else [EXERCISE]), WHAT, WHO, REASON, AFTER)
    for head in heads:
        table.add_column(say(head), overflow="fold", no_wrap=head in (WHEN, AFTER))
    for event in told:
        when = event.when.replace(tzinfo=UTC).astimezone()
        place = [] if chosen else [event.exercise]
        cells = (*place, say(event.told), event.who, event.reason)
        table.add_row(f"{when:%Y-%m-%d %H:%M}", *map(escape, cells), _points(event.score, event.max_score))
    last = {event.exercise: (event.score, event.max_score) for event in told}
    for (_, name), one in scores.items():
        # Where the exercise or the rules changed since the last line, the score is another one by now.
        if one.outdated or last.get(name) != (one.score, one.max_score):
            place = [] if chosen else [name]
            remark = say(OLDER) if one.outdated else ""
            table.add_row(say(NOW), *place, remark, "", "", _points(one.score, one.max_score))
    console().print(table)


def _points(score: float | None, most: float) -> str:
    return "?" if score is None else f"{number(score)}/{number(most)}"


def _json(event: Event) -> dict[str, Any]:
    return {
        "when": event.when.replace(tzinfo=UTC),
        "kind": event.kind.value,
        "exercise": event.exercise,
        "number": event.number,
        "told": event.told,
        "who": event.who,
        "reason": event.reason,
        "score": event.score,
        "max_score": event.max_score,
    }
