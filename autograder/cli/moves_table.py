"""Whose score a regrade moves, as a table, as counts, and as JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rich.markup import escape
from rich.table import Table

from autograder.cli.grade_table import STUDENT
from autograder.cli.tables import EXERCISE, STUDENTS
from autograder.gradebook.moves import Direction
from autograder.text import Text, number

if TYPE_CHECKING:
    from autograder.cli.common import Speaker
    from autograder.gradebook.moves import FinalMove, Move, Outlook

BEFORE, AFTER, WHY, CHANGE = Text("from", "原"), Text("to", "现"), Text("why", "原因"), Text("change", "变化")
FINAL = Text("grade for the course", "课程总成绩")
MORE = Text("and {n} more: --json has them all", "另有 {n} 条，--json 会列出全部")
SHOWN = 100  # rows of a table
CHANGES_SHOWN = 10  # of an exercise; the rarest are counted together
OTHERS = Text("others", "其他")
BAR = 30  # characters of the longest bar
COLOURS = {Direction.UP: "green", Direction.DOWN: "red", Direction.SAME: "default"}


def moves_table(moves: Sequence[Move], say: Speaker) -> list[Table | str]:
    """A row for each score that moves."""
    table = Table()
    for column in (STUDENT, EXERCISE, BEFORE, AFTER, WHY):
        table.add_column(say(column), overflow="fold", no_wrap=column in (BEFORE, AFTER))
    for move in moves[:SHOWN]:
        before = "?" if move.before is None else f"{number(move.before)}/{number(move.before_max)}"
        after = f"[{COLOURS[move.direction]}]{number(move.after)}/{number(move.after_max)}[/]"
        table.add_row(escape(move.student), move.exercise, before, after, escape(say(move.why)))
    return [table, *_more(len(moves), say)]


def final_table(moves: Sequence[FinalMove], say: Speaker) -> list[Table | str]:
    """A row for each grade for the course that moves."""
    table = Table(title=say(FINAL), title_justify="left", title_style="bold")
    for column in (STUDENT, BEFORE, AFTER):
        table.add_column(say(column), overflow="fold", justify="left" if column is STUDENT else "right")
    for move in moves[:SHOWN]:
        table.add_row(escape(move.student), _percent(move.before), _percent(move.after))
    return [table, *_more(len(moves), say)]


def counts_table(moves: Sequence[Move], say: Speaker) -> Table:
    """How many scores of each exercise move by how many points."""
    table = Table(show_edge=False)
    table.add_column(say(EXERCISE), overflow="fold")
    table.add_column(say(CHANGE), justify="right")
    table.add_column(say(STUDENTS), justify="right")
    table.add_column("")
    counted: dict[str, Counter[float]] = {}
    for move in moves:
        by = round(move.after - (move.before or 0.0), 2)
        counted.setdefault(move.exercise, Counter())[by] += 1
    most = max((n for changes in counted.values() for n in changes.values()), default=1)
    for exercise, changes in counted.items():
        frequent = sorted(changes.most_common(CHANGES_SHOWN), reverse=True)
        rows = [(f"{by:+g}", n) for by, n in frequent]
        rest = changes.total() - sum(n for _, n in frequent)
        rows += [(say(OTHERS), rest)] if rest else []
        for place, (change, n) in enumerate(rows):
            table.add_row(
                "" if place else exercise, change, str(n), "█" * max(1, round(BAR * min(n, most) / most))
            )
    return table


def outlook_json(found: Outlook) -> dict[str, Any]:
    """All of it, for a machine."""
    return {
        "moves": [
            {
                "student": move.student,
                "exercise": move.exercise,
                "before": move.before,
                "before_max": move.before_max,
                "after": move.after,
                "after_max": move.after_max,
                "direction": move.direction.value,
                "why": move.why,
            }
            for move in found.moves
        ],
        "final_moves": found.final_moves,
        "left": [{"student": student, "exercise": exercise} for student, exercise in found.left],
        "summary": {
            **{one.name.lower(): sum(move.direction is one for move in found.moves) for one in Direction},
            "regraded": len(found.found),
            "kept": len(found.kept),
            "other_feedback": found.other_feedback,
        },
    }


def _percent(share: float | None) -> str:
    return "?" if share is None else f"{100 * share:.2f} %"


def _more(n: int, say: Speaker) -> list[str]:
    return [say(MORE, n=n - SHOWN)] if n > SHOWN else []
