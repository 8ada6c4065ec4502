"""The end of `pytest exercises/`: what is not begun, a table of points with bars, and what to do next."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from autograder.course import Course
from autograder.lang import language
from autograder.results import Text

BAR = 20
NOT_IMPLEMENTED = Text("not implemented", "尚未实现")
POINTS = Text("points (public tests)", "得分（公开测试）")
NEXT = Text("Next: {exercise}, in {path}", "下一题：{exercise}，文件 {path}")
DONE = Text("All public tests pass.", "公开测试全部通过。")


@dataclass
class Row:
    """One exercise's public points, and its questions that are still the skeleton's."""

    exercise: str
    score: float = 0.0
    max_score: float = 0.0
    unanswered: list[str] = field(default_factory=list)

    @property
    def bar(self) -> str:
        filled = int(BAR * self.score / self.max_score + 1e-9) if self.max_score else 0
        return "█" * filled + "░" * (BAR - filled)

    @property
    def done(self) -> bool:
        return self.score >= self.max_score - 1e-9


def rows_of(course: Course, reports: Iterable[Any]) -> list[Row]:
    """One row for each exercise that was run, in course order. A test counts once, whatever its phases."""
    rows = {exercise.id: Row(exercise.id) for exercise in course}
    seen: set[str] = set()
    for report in reports:
        row = rows.get(report.exercise)
        if row is None or report.nodeid in seen:
            continue
        seen.add(report.nodeid)
        row.max_score += report.points
        row.score += report.points if report.passed else 0.0
        question = (getattr(report, "not_implemented", None) or "").split(".")[0]
        if question and question not in row.unanswered:
            row.unanswered.append(question)
    return [row for row in rows.values() if row.max_score]


def display_width(text: str) -> int:
    """Columns on a terminal: East Asian wide characters take two."""
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)


def pad(text: str, width: int) -> str:
    return text + " " * (width - display_width(text))


def number(value: float) -> str:
    """Points as people write them: 2, 0.5, 1.33."""
    return f"{value:.2f}".rstrip("0").rstrip(".")


def print_progress(terminal: Any, course: Course, reports: Iterable[Any]) -> None:
    """Write the summary through pytest's terminal reporter."""
    lang = language()
    rows = rows_of(course, reports)
    unanswered = [(row.exercise, question) for row in rows for question in row.unanswered]
    width = max(len(row.exercise) for row in rows) + 2
    if unanswered:
        terminal.section(NOT_IMPLEMENTED.pick(lang), sep="-")
        for exercise, question in unanswered:
            terminal.write_line(f"{exercise:{width}}{question}")
    terminal.section(POINTS.pick(lang), sep="-")
    titles = {unit.id: unit.title.text.pick(lang) for unit in course.units}
    unit = ""
    for row in rows:
        if row.exercise.split("/")[0] != unit:
            unit = row.exercise.split("/")[0]
            terminal.write_line(titles[unit])
        score = f"{number(row.score)}/{number(row.max_score)}"
        terminal.write_line(f"  {row.exercise:{width}}{score:>9}  {row.bar}", green=row.done)
    unfinished = next((row.exercise for row in rows if not row.done), None)
    if unfinished is None:
        terminal.write_line(DONE.pick(lang), green=True)
        return
    path = course.exercises[unfinished].skeleton.relative_to(course.root)
    terminal.write_line(NEXT.pick(lang).format(exercise=unfinished, path=path), bold=True)
