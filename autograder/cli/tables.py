"""Results as people look at them: rich tables, and the documented JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Group
from rich.markup import escape
from rich.table import Table

from autograder.errors import UserError
from autograder.gradebook.export import standing
from autograder.learn.report import ABOVE
from autograder.results import ExerciseResult, Isolation, Outcome, Status, TestResult, Text, total
from autograder.testing.progress import number

if TYPE_CHECKING:
    from autograder.audit import ExerciseAudit
    from autograder.cli.common import Speaker
    from autograder.course import Course, Exercise
    from autograder.gradebook import Gradebook, Score
    from autograder.sandbox.doctor import Report

STUDENT = Text("student", "学生")
TOTAL = Text("total", "总分")
LEGEND = Text(
    "– not handed in   · not begun   ! could not be read   ? not graded yet   * adjusted by hand   U unsafe",
    "– 未提交   · 未动笔   ! 无法读取   ? 尚未评分   * 有人工调整   U 不安全模式",
)
FOUND = Text("What went wrong, most frequent first", "常见错误（按人数从多到少）")
EXERCISE, MISTAKE, STUDENTS = (
    Text("exercise", "练习"),
    Text("misconception", "误解"),
    Text("students", "学生"),
)
TEST, OUTCOME, POINTS, MESSAGE = (
    Text("test", "测试"),
    Text("outcome", "结果"),
    Text("points", "得分"),
    Text("message", "说明"),
)
ISOLATION, LAYER, STOPPED = Text("isolation", "隔离级别"), Text("layer", "层"), Text("stopped", "已阻止")
ATTEMPTED, SEEN, REMEDY = (
    Text("attempted", "尝试的违规"),
    Text("seen", "实际结果"),
    Text("remedy", "补救办法"),
)
FAULTS_SHOWN, STUDENTS_SHOWN = 10, 5  # of the list after a run; `gradebook show` has them all
COLOURS = {Outcome.PASSED: "green", Outcome.NOT_IMPLEMENTED: "dim", Outcome.UNGRADED: "yellow"}


def grade_table(
    book: Gradebook, course: Course, exercises: Sequence[Exercise], students: Sequence[str], say: Speaker
) -> Group:
    """Students x exercises, with totals. Exercises are numbered columns, named below: their ids are long."""
    scores = standing(book, course.policy)
    highest: dict[str, float] = {}
    for (_, name), score in scores.items():
        highest[name] = max(highest.get(name, 0.0), score.max_score)
    table = Table()
    table.add_column(say(STUDENT), no_wrap=True)
    for column, exercise in enumerate(exercises, 1):
        table.add_column(f"{column}\n/{number(highest.get(exercise.id, 0.0))}", justify="right", no_wrap=True)
    table.add_column(
        f"{say(TOTAL)}\n/{number(total(highest.values()))}", justify="right", style="bold", no_wrap=True
    )
    for student in students:
        row = [scores.get((student, exercise.id)) for exercise in exercises]
        whole = total(score.score or 0.0 for score in row if score is not None)
        table.add_row(escape(student), *(_cell(score) for score in row), number(whole))
    names = [f"{column:>3}  {exercise.id}" for column, exercise in enumerate(exercises, 1)]
    return Group(table, *names, f"[dim]{say(LEGEND)}[/]")


def _cell(score: Score | None) -> str:
    if score is None:
        return "[dim]–[/]"
    marks = ("*" if score.adjusted else "") + ("U" if score.result.isolation is Isolation.UNSAFE else "")
    if score.score is None:
        return f"[yellow]?{marks}[/]"
    if score.result.status is Status.INVALID:
        return f"[red]{number(score.score)}!{marks}[/]"
    if score.result.status is Status.NOT_BEGUN:
        return f"[dim]{number(score.score)}·{marks}[/]"
    colour = "green" if score.score >= score.max_score - 1e-9 else "default"
    return f"[{colour}]{number(score.score)}{marks}[/]"


class Tally:
    """What a run amounts to, kept while its results stream by."""

    def __init__(self) -> None:
        self.new = self.cached = self.invalid = self.ungraded = 0
        self.diagnosed: dict[tuple[str, str], list[str]] = {}  # (exercise, misconception) -> students
        self.faults: dict[tuple[str, str], list[str]] = {}  # (exercise, why it stayed ungraded) -> students

    def add(self, result: ExerciseResult, cached: bool) -> None:
        if cached:
            self.cached += 1
        elif result.status is Status.INVALID:
            self.invalid += 1
        elif result.status is Status.UNGRADED:
            self.ungraded += 1
            why = result.detail.partition("\n")[0]
            self.faults.setdefault((result.exercise, why), []).append(result.student)
        else:
            self.new += 1
        for name in dict.fromkeys(test.diagnosis for test in result.tests if test.diagnosis):
            self.diagnosed.setdefault((result.exercise, name), []).append(result.student)


def diagnosis_table(tally: Tally, say: Speaker) -> Table | None:
    """Which misconceptions were found, and in whose work; None if none was."""
    if not tally.diagnosed:
        return None
    table = Table(title=say(FOUND), title_justify="left", title_style="bold")
    for column in (EXERCISE, MISTAKE, STUDENTS):
        table.add_column(say(column))
    for (exercise, name), students in sorted(tally.diagnosed.items(), key=lambda entry: -len(entry[1])):
        table.add_row(exercise, name, escape(", ".join(students)))
    return table


def fault_lines(tally: Tally) -> list[str]:
    """One line for each reason why something stayed ungraded, most frequent first: whose work, and why."""
    ordered = sorted(tally.faults.items(), key=lambda entry: -len(entry[1]))
    lines = []
    for (exercise, why), students in ordered[:FAULTS_SHOWN]:
        more = f" +{len(students) - STUDENTS_SHOWN}" if len(students) > STUDENTS_SHOWN else ""
        lines.append(f"  {exercise}  {', '.join(students[:STUDENTS_SHOWN])}{more}: {why}")
    return lines + ["  ..."] * (len(ordered) > FAULTS_SHOWN)


def student_table(book: Gradebook, course: Course, student: str, say: Speaker) -> Group:
    """One student's results, test by test."""
    if student not in book.students():
        raise UserError(f"{book.name} has no student {student!r}; `autograder gradebook show` lists them")
    scores, attempts = standing(book, course.policy), book.attempts()
    tables: list[Table | str] = []
    for exercise in course:
        score = scores.get((student, exercise.id))
        if score is None:
            continue
        result = score.result
        shown = "?" if score.score is None else number(score.score)
        title = f"{exercise.id}  {shown}/{number(score.max_score)}  {result.status.value}  ({result.isolation.value})"
        table = Table(title=title, title_justify="left", title_style="bold", caption_justify="left")
        if result.message.en:
            table.caption = escape(result.message.pick(say.lang))
        for column in (TEST, OUTCOME, POINTS, MESSAGE):
            table.add_column(say(column))
        told: set[str] = set()
        for name, tests in grouped(result.tests):
            failing = [test for test in tests if test.outcome is not Outcome.PASSED]
            worst = failing[0] if failing else tests[0]
            share = f" ({len(failing)} of {len(tests)})" if failing and len(tests) > 1 else ""
            message = f"{worst.diagnosis}: " if worst.diagnosis else ""
            message += worst.message.pick(say.lang)
            table.add_row(
                escape(name),
                f"[{COLOURS.get(worst.outcome, 'red')}]{worst.outcome.value}{share}[/]",
                f"{number(total(test.score for test in tests))}/{number(total(test.max_score for test in tests))}",
                say(ABOVE) if message in told else escape(message),
            )
            told |= {message} if message else set()
        tables.append(table)
        # Also where an earlier attempt counts until the last one can be graded.
        last = attempts[student, exercise.id][-1].result
        if last.detail:
            tables.append(f"[yellow]{last.status.value}: {escape(last.detail)}[/]")
    return Group(*tables)


def grouped(tests: Sequence[TestResult]) -> list[tuple[str, list[TestResult]]]:
    """Test functions with the results of their parameter sets, in order."""
    groups: dict[str, list[TestResult]] = {}
    for test in tests:
        groups.setdefault(test.name.split("[")[0], []).append(test)
    return list(groups.items())


def result_json(results: Sequence[ExerciseResult]) -> dict[str, Any]:
    """The document that `--json` prints."""
    return {
        "results": [
            {
                "student": result.student,
                "exercise": result.exercise,
                "status": result.status.value,
                "score": result.score,
                "max_score": result.max_score,
                "isolation": result.isolation.value,
                "file": result.path,
                "message": result.message,
                "detail": result.detail,
                "tests": [
                    {
                        "name": test.name,
                        "visibility": test.visibility.value,
                        "outcome": test.outcome.value,
                        "score": test.score,
                        "max_score": test.max_score,
                        "diagnosis": test.diagnosis,
                        "message": test.message,
                    }
                    for test in result.tests
                ],
            }
            for result in results
        ],
        "summary": {
            "students": len({result.student for result in results}),
            "results": len(results),
            **{status.value: sum(result.status is status for result in results) for status in Status},
        },
    }


def audit_table(report: ExerciseAudit, say: Speaker) -> Table:
    """One exercise's audit, point by point."""
    mark = "[green]✓[/]" if report.green else "[red]✗[/]"
    table = Table(
        title=f"{mark} {report.exercise}  ({report.seconds:.1f} s)", title_justify="left", show_header=False
    )
    table.add_column(justify="right")
    table.add_column()
    table.add_column()
    for point in report.points:
        detail = "\n".join(escape(problem) for problem in point.problems) or escape(point.summary)
        table.add_row(
            str(point.number),
            "[green]✓[/]" if point.green else "[red]✗[/]",
            f"{point.title.pick(say.lang)}: {detail}",
        )
    return table


def doctor_table(report: Report, say: Speaker) -> Group:
    """Each attempted violation, and what was seen."""
    level = report.level.value.upper() if report.level else "REFUSE"
    table = Table(title=f"{say(ISOLATION)}: {level}", title_justify="left", title_style="bold")
    for column in (LAYER, STOPPED, ATTEMPTED, SEEN, REMEDY):
        table.add_column(say(column))
    for check in report.checks:
        works = "[green]✓[/]" if check.works else "[red]✗[/]"
        table.add_row(check.layer, works, *map(escape, (check.attempted, check.seen, check.remedy)))
    return Group(table, *report.layers)
