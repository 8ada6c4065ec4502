"""The end of `pytest exercises/`: what is not begun, a table of points with bars, and what to do next."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from autograder.course import Course
from autograder.text import Text, encodable, language, number

BAR = 20
NOT_IMPLEMENTED = Text("not implemented", "尚未实现")
POINTS = Text("points (public tests)", "得分（公开测试）")
NEXT = Text("Next: {exercise}, in {path}", "下一题：{exercise}，文件 {path}")
DONE = Text("All public tests pass.", "公开测试全部通过。")


@dataclass
class ExerciseProgress:
    """One exercise's public points, and its questions that are still the skeleton's."""

    exercise: str
    score: float = 0.0
    max_score: float = 0.0
    unanswered: list[str] = field(default_factory=list)
    begun: bool = False  # some test has run, to whatever end

    @property
    def bar(self) -> str:
        filled = int(BAR * self.score / self.max_score + 1e-9) if self.max_score else 0
        return "█" * filled + "░" * (BAR - filled)

    @property
    def share(self) -> float:
        return self.score / self.max_score

    @property
    def done(self) -> bool:
        return self.score >= self.max_score - 1e-9


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
        question = (getattr(report, "not_implemented", None) or "").split(".")[0]
        row.begun = row.begun or not question
        if question and question not in row.unanswered:
            row.unanswered.append(question)
    return [row for row in rows.values() if row.max_score]


def next_of(rows: Iterable[ExerciseProgress]) -> ExerciseProgress | None:
    """What to go on with: the exercise that is nearest to its end, else one that is begun, else the first."""
    unfinished = [row for row in rows if not row.done]
    return max(unfinished, key=lambda row: (row.share, row.begun), default=None)


def print_progress(terminal: Any, course: Course, reports: Iterable[Any]) -> None:
    """Write the summary through pytest's terminal reporter."""
    lang = language()
    encoding = getattr(terminal.config.get_terminal_writer()._file, "encoding", None)

    def write(line: str, **markup: bool) -> None:
        terminal.write_line(encodable(line, encoding), **markup)

    def section(title: Text) -> None:
        terminal.section(encodable(title.pick(lang), encoding), sep="-")

    rows = progress_of(course, reports)
    unanswered = [(row.exercise, question) for row in rows for question in row.unanswered]
    width = max(len(row.exercise) for row in rows) + 2
    if unanswered:
        section(NOT_IMPLEMENTED)
        for exercise, question in unanswered:
            write(f"{exercise:{width}}{question}")
    section(POINTS)
    titles = {unit.id: unit.title.text.pick(lang) for unit in course.units}
    unit = ""
    for row in rows:
        if row.exercise.split("/")[0] != unit:
            unit = row.exercise.split("/")[0]
            write(titles[unit])
        score = f"{number(row.score)}/{number(row.max_score)}"
        write(f"  {row.exercise:{width}}{score:>9}  {row.bar}", green=row.done)
    following = next_of(rows)
    if following is None:
        write(DONE.pick(lang), green=True)
        return
    path = course.exercises[following.exercise].skeleton.relative_to(course.root)
    write(NEXT.pick(lang).format(exercise=following.exercise, path=path), bold=True)
