"""The end of `pytest exercises/`: a line for each unit with its points, more of what was begun, and what to do next."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from autograder.course import Course, Unit
from autograder.results import total
from autograder.text import Text, encodable, language, number

BAR = 20
HIDDEN = Text("points (hidden tests, too)", "得分（含隐藏测试）")
COMPLETE = Text("Complete: {n} of {all} exercises", "已完成：{all} 道练习中的 {n} 道")
ALL_COMPLETE = Text(
    "Every exercise here is complete: all tests pass, the hidden ones, too.",
    "这里的练习全部完成：所有测试都已通过，包括隐藏测试。",
)
NOT_IMPLEMENTED = Text("not implemented", "尚未实现")
POINTS = Text("points (public tests)", "得分（公开测试）")
NEXT = Text("Next: {exercise}, in {path}", "下一题：{exercise}，文件 {path}")
NEXT_IN_UNIT = Text("{title}, next: {topic}", "{title}，下一题：{topic}")
DONE = Text(
    "All public tests pass. They are only a part: hidden tests decide.",
    "公开测试全部通过。它们只是一部分，最终由隐藏测试决定。",
)


@dataclass
class ExerciseProgress:
    """One exercise's public points, and its questions that are still the skeleton's. A quiz has no public points."""

    exercise: str
    score: float = 0.0
    max_score: float = 0.0
    passed: int = 0
    tests: int = 0
    unanswered: list[str] = field(default_factory=list)
    begun: bool = False  # some test has run, to whatever end
    # Where hidden tests were run: points of all tests, and the most.
    hidden: tuple[float, float] | None = None
    advice: Text = field(default_factory=Text)  # on the first test that lost points there

    @property
    def share(self) -> float:
        return self.score / self.max_score if self.max_score else self.passed / self.tests

    @property
    def passes(self) -> bool:
        """Whether all public tests pass."""
        return self.passed == self.tests

    @property
    def done(self) -> bool:
        """Whether the hidden tests, where they were run, gave all points, too."""
        return self.passes and (self.hidden is None or self.hidden[0] >= self.hidden[1])


@dataclass(frozen=True)
class UnitProgress:
    """One unit's exercises that were run; there is at least one."""

    unit: Unit
    rows: Sequence[ExerciseProgress]

    @property
    def score(self) -> float:
        return total(row.score for row in self.rows)

    @property
    def max_score(self) -> float:
        return total(row.max_score for row in self.rows)

    @property
    def share(self) -> float:
        return (
            self.score / self.max_score
            if self.max_score
            else sum(row.share for row in self.rows) / len(self.rows)
        )

    @property
    def done(self) -> bool:
        return all(row.done for row in self.rows)

    @property
    def open(self) -> bool:
        """Whether its exercises are shown: it is begun, and not at its end."""
        return any(row.begun for row in self.rows) and not self.done


def progress_of(course: Course, reports: Iterable[Any]) -> list[ExerciseProgress]:
    """One row for each exercise that was run, in course order. A test counts once, whatever its phases."""
    rows = {exercise.id: ExerciseProgress(exercise.id) for exercise in course}
    seen: set[str] = set()
    # In the files' order: pytest-xdist's workers answer in any.
    for report in sorted(reports, key=lambda report: report.place):
        row = rows.get(report.exercise)
        if row is None or report.nodeid in seen:
            continue
        seen.add(report.nodeid)
        row.max_score += report.points
        row.score += report.points if report.passed else 0.0
        row.tests += 1
        row.passed += bool(report.passed)
        question = (getattr(report, "not_implemented", None) or "").split(".")[0]
        row.begun = row.begun or not question
        if question and question not in row.unanswered:
            row.unanswered.append(question)
    return [row for row in rows.values() if row.tests]


def next_of(rows: Iterable[ExerciseProgress]) -> ExerciseProgress | None:
    """What to go on with: the exercise that is nearest to its end, else one that is begun, else the first."""
    unfinished = [row for row in rows if not row.done]
    return max(unfinished, key=lambda row: (row.share, row.begun), default=None)


def units_of(course: Course, rows: Sequence[ExerciseProgress]) -> list[UnitProgress]:
    """The units of these exercises, in course order."""
    found: dict[str, list[ExerciseProgress]] = {}
    for row in rows:
        found.setdefault(row.exercise.split("/")[0], []).append(row)
    return [UnitProgress(unit, found[unit.id]) for unit in course.units if unit.id in found]


def print_progress(terminal: Any, course: Course, rows: Sequence[ExerciseProgress]) -> None:
    """Write the summary through pytest's terminal reporter.

    Each unit has one line. A unit that is begun and not finished has a line for each of its exercises, too, and so has
    one that was run alone. Questions are named of the exercises that are begun, and of the next one.
    """
    lang = language()
    encoding = getattr(terminal.config.get_terminal_writer()._file, "encoding", None)

    def write(line: str, **markup: bool) -> None:
        terminal.write_line(encodable(line, encoding), **markup)

    def section(title: Text) -> None:
        terminal.section(encodable(title.pick(lang), encoding), sep="-")

    units, following = units_of(course, rows), next_of(rows)
    width = max(len(row.exercise) for row in rows) + 4
    named = [row for row in rows if row.unanswered and (row.begun or row is following)]
    if named:
        section(NOT_IMPLEMENTED)
        for row in named:
            for question in row.unanswered:
                write(f"{row.exercise:{width}}{question}")
    section(POINTS)
    for unit in units:
        write(f"{unit.unit.id:{width}}{_points(unit)}  {_title(unit, lang)}", green=unit.done)
        if unit.open or len(units) == 1:
            for row in unit.rows:
                write(f"  {row.exercise:{width - 2}}{_points(row)}", green=row.done)
    hidden = [row for row in rows if row.hidden is not None]
    if hidden:
        section(HIDDEN)
        for row in hidden:
            for line in _hidden_lines(row, width, lang) if not row.done else ():
                write(line)
        write(COMPLETE.pick(lang).format(n=sum(row.done for row in hidden), all=len(rows)))
    if following is None:
        write((DONE if len(hidden) < len(rows) else ALL_COMPLETE).pick(lang), green=True)
        return
    path = course.exercises[following.exercise].skeleton.relative_to(course.root)
    write(NEXT.pick(lang).format(exercise=following.exercise, path=path), bold=True)


def _hidden_lines(row: ExerciseProgress, width: int, lang: str) -> list[str]:
    """What the hidden tests gave, what to read first, and where all of it stands."""
    score, most = row.hidden or (0.0, 0.0)
    see = f"autograder check {row.exercise} --hidden"
    told = [f"{row.exercise:{width}}{f'{number(score)}/{number(most)}':>9}  {see}"]
    return told + [f"    {line}" for line in row.advice.pick(lang).splitlines()]


def _points(row: ExerciseProgress | UnitProgress) -> str:
    """Points, where there are some, and a bar, always of the same width."""
    filled = int(BAR * row.share + 1e-9)
    score = f"{number(row.score)}/{number(row.max_score)}" if row.max_score else ""
    return f"{score:>9}  {'█' * filled}{'░' * (BAR - filled)}"


def _title(unit: UnitProgress, lang: str) -> str:
    """The unit's title, and which of its exercises is next."""
    title, following = unit.unit.title.text.pick(lang), next_of(unit.rows)
    if following is None:
        return title
    return NEXT_IN_UNIT.pick(lang).format(title=title, topic=following.exercise.split("/")[1])
