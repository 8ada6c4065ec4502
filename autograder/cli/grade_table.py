"""The table of a class: students and exercises, or units where there are many."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.markup import escape, render
from rich.table import Table

from autograder.gradebook.final_grade import final_grades
from autograder.gradebook.grade_lines import percent
from autograder.gradebook.policy import unit_of
from autograder.gradebook.scores import current_scores
from autograder.results import Isolation, Status, total
from autograder.text import Text, number

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions

    from autograder.cli.common import Speaker
    from autograder.gradebook import Gradebook, GradingScheme, Score
    from autograder.gradebook.scores import Scores

STUDENT = Text("student", "学生")
TOTAL = Text("total", "总分")
LEGEND = Text(
    "– not handed in   · not begun   ! could not be read   ? not graded yet   * adjusted by hand   U unsafe",
    "– 未提交   · 未动笔   ! 无法读取   ? 尚未评分   * 有人工调整   U 不安全模式",
)
STALE = Text(
    "~ Scores of {names} were graded with another version of the exercise than the current one. Run "
    "`autograder grade SUBMISSIONS` again: it grades exactly what is out of date.",
    "~ {names} 的得分中有的不是用练习的当前版本评出的。请再次运行 `autograder grade 提交目录`，只会重评过期的部分。",
)
FINAL = Text("final\ngrade", "总评")
LATE = Text("L points lost by lateness", "L 因迟交扣分")
BY_EXERCISE = 12  # exercises: more are shown by unit
NAME_WIDTH = 10  # longer names are folded to it before the exercises are spread over several tables
GAP = "   "  # between the items of the legend
STUDENTS_SHOWN = 5  # of a list


@dataclass(frozen=True)
class Column:
    """Numbers below a head, as rich markup."""

    head: str
    cells: Sequence[str]
    style: str = ""

    @property
    def width(self) -> int:
        lines = [line for cell in (self.head, *self.cells) for line in render(cell).plain.split("\n")]
        return max(map(cell_len, lines))


@dataclass(frozen=True)
class GradeTable:
    """Students x columns. No number is ever cut: names are folded, then columns go to further tables below."""

    head: str
    students: Sequence[str]
    columns: Sequence[Column]
    names: Sequence[str]
    legend: str
    remark: str = ""

    def __rich_console__(self, _console: Console, options: ConsoleOptions) -> Iterator[Table | str]:
        for part in self._parts(options.max_width):
            table = Table(show_edge=False)
            table.add_column(self.head, overflow="fold")
            for column in part:
                table.add_column(column.head, justify="right", style=column.style, no_wrap=True)
            for row, student in enumerate(self.students):
                table.add_row(escape(student), *(column.cells[row] for column in part))
            yield table
        yield from self.names
        for line in _flowed(self.legend.split(GAP), options.max_width):
            yield f"[dim]{line}[/]"
        if self.remark:
            yield f"[yellow]{escape(self.remark)}[/]"

    def _parts(self, width: int) -> list[list[Column]]:
        """The columns, as many side by side as fit beside the students."""
        frame = 3  # two blanks for each column, and a line between two
        longest = max(map(cell_len, (self.head, *self.students)))
        room = width + 1 - frame - min(longest, NAME_WIDTH)
        parts: list[list[Column]] = [[]]
        left = room
        for column in self.columns:
            if parts[-1] and left < column.width + frame:
                parts.append([])
                left = room
            parts[-1].append(column)
            left -= column.width + frame
        return parts


def grade_table(book: Gradebook, scheme: GradingScheme, students: Sequence[str], say: Speaker) -> GradeTable:
    """Students x exercises, with totals; x units, where there are more than BY_EXERCISE exercises of several units.

    Columns are numbered, and named below: the names are long. A head says what an exercise is worth now, and a cell what
    it was graded on where that is something else.
    """
    names = list(scheme.versions)
    scores = current_scores(book, scheme, exercises=names)
    grouped = {name: [name] for name in names}
    units = dict.fromkeys(map(unit_of, names))
    if len(names) > BY_EXERCISE and len(units) > 1:
        titles = {unit: scheme.titles[unit].pick(say.lang) if unit in scheme.titles else "" for unit in units}
        grouped = {
            f"{unit}  {titles[unit]}".rstrip(): [name for name in names if unit_of(name) == unit]
            for unit in units
        }
    points = {name: version.max_score for name, version in scheme.versions.items()}
    columns = []
    for column, members in enumerate(grouped.values(), 1):
        worth = {name: points[name] for name in members}
        cells = [_cell(_of(student, worth, scores), worth) for student in students]
        columns.append(Column(f"{column}\n/{number(total(worth.values()))}", cells))
    cells = [_total(_of(student, points, scores), points) for student in students]
    columns.append(Column(f"{say(TOTAL)}\n/{number(total(points.values()))}", cells, style="bold"))
    if scheme.weighs and all(set(one.exercises) <= points.keys() for one in scheme.assignments):
        finals = final_grades(scores, scheme, students).values()
        cells = ["?" if one.share is None else percent(one.share) for one in finals]
        columns.append(Column(say(FINAL), cells, style="bold"))
    below = [f"{column:>3}  {name}" for column, name in enumerate(grouped, 1)]
    shown = set(students)
    remark = stale_line({place: score for place, score in scores.items() if place[0] in shown}, say)
    legend = say(LEGEND) + (GAP + say(LATE) if any(_lost(score) for score in scores.values()) else "")
    return GradeTable(say(STUDENT), students, columns, below, legend, remark)


def stale_line(scores: Scores, say: Speaker) -> str:
    """Whose scores are of another version of their exercise, and how they are graded again; "" where none is."""
    students = sorted({student for (student, _), score in scores.items() if score.outdated})
    return say(STALE, names=some_of(students)) if students else ""


def _flowed(items: Sequence[str], width: int) -> list[str]:
    """Lines of whole items. By hand, because rich breaks lines at no-break spaces, too."""
    lines = [items[0]]
    for item in items[1:]:
        longer = lines[-1] + GAP + item
        if cell_len(longer) <= width:
            lines[-1] = longer
        else:
            lines.append(item)
    return lines


def _of(student: str, names: Iterable[str], scores: Scores) -> dict[str, Score | None]:
    return {name: scores.get((student, name)) for name in names}


def _total(scores: Mapping[str, Score | None], worth: Mapping[str, float]) -> str:
    """A student's points on all exercises."""
    points = total(score.score or 0.0 for score in scores.values() if score is not None)
    return f"{number(points)}{_own_maximum(scores, worth)}"


def _own_maximum(scores: Mapping[str, Score | None], worth: Mapping[str, float]) -> str:
    """`/20` where a student's work was not graded on what it is worth now; else ""."""
    own = number(total(score.max_score if score else worth[name] for name, score in scores.items()))
    return f"/{own}" if own != number(total(worth.values())) else ""


def _cell(scores: Mapping[str, Score | None], worth: Mapping[str, float]) -> str:
    """What one student has on an exercise, or on several together."""
    known = [score for score in scores.values() if score is not None]
    points = [score.score for score in known if score.score is not None]
    marks = "*" if any(score.adjusted for score in known) else ""
    marks += "~" if any(score.outdated for score in known) else ""
    marks += "L" if any(map(_lost, known)) else ""
    marks += "U" if any(score.isolation is Isolation.UNSAFE for score in known) else ""
    statuses = {score.status for score in known}
    if not known:
        return "[dim]–[/]"
    shown = f"{number(total(points))}{_own_maximum(scores, worth)}" if points else ""
    if len(points) < len(known):
        return f"[yellow]{shown}?{marks}[/]"
    if Status.INVALID in statuses:
        return f"[red]{shown}!{marks}[/]"
    if statuses == {Status.NOT_BEGUN}:
        return f"[dim]{shown}·{marks}[/]"
    full = len(known) == len(scores) and total(points) >= total(score.max_score for score in known) - 1e-9
    return f"[{'green' if full else 'default'}]{shown}{marks}[/]"


def _lost(score: Score) -> bool:
    """Whether points are lost by lateness."""
    return score.lateness is not None and (score.lateness.too_late or score.lateness.taken > 0)


def some_of(students: Sequence[str]) -> str:
    """The first of these students, and how many more there are."""
    more = f" +{len(students) - STUDENTS_SHOWN}" if len(students) > STUDENTS_SHOWN else ""
    return f"{', '.join(students[:STUDENTS_SHOWN])}{more}"
