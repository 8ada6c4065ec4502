"""Results as people look at them: rich tables."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from datetime import UTC, date
from operator import itemgetter
from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.console import Group
from rich.markup import escape
from rich.table import Table

from autograder.audit.report import ON_REQUEST, TITLES
from autograder.cli.grade_table import STUDENT, some_of
from autograder.cli.unrecognised import noted_table
from autograder.feedback.labels import label
from autograder.feedback.report import SAME
from autograder.gradebook.grade_lines import time_lines
from autograder.gradebook.policy import points_of
from autograder.gradebook.scores import current_scores
from autograder.results import ExerciseResult, Isolation, Outcome, Status, by_function, total
from autograder.text import Text, number, shortened

if TYPE_CHECKING:
    from autograder.audit import Ended, ExerciseAudit
    from autograder.audit.tries import Try
    from autograder.cli.common import Speaker
    from autograder.gradebook import Adjustment, Attempt, Gradebook, GradingScheme, Score
    from autograder.gradebook.extensions import Extension
    from autograder.sandbox.doctor import DoctorReport

GRADED_WITH = Text("graded {day} with version {bundle}", "{day} 用版本 {bundle} 评分")
NOT_CURRENT = Text(
    "~ That is not the exercise's current version: run `autograder grade SUBMISSIONS` again, and it is graded anew.",
    "~ 这不是练习的当前版本：请再次运行 `autograder grade 提交目录`，将会重新评分。",
)
LEFT_OUT = Text(
    "~ {file} of {day} earned {score}/{most} with another version of the exercise and is not compared; grade that file "
    "again to let it count.",
    "~ {day} 的 {file} 用练习的另一版本得到 {score}/{most}，未参与比较；要让它计入，请重新评这个文件。",
)
KEPT = Text(
    "Its tests give {points}; it keeps {kept} by a regrade: autograder gradebook history tells which",
    "测试得分为 {points}；因重新评分保留 {kept} 分，详见 autograder gradebook history",
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
TESTS, MISTAKES, WARNINGS, SECONDS = (
    Text("tests", "测试"),
    Text("miscon-\nceptions", "误解"),
    Text("warn-\nings", "提醒"),
    Text("CPU\ns", "CPU\n秒"),
)
COST = Text(
    "CPU: median {median:.1f} s, at most {most:.1f} s; besides, {start:.1f} s to start, "
    "{oracles:.1f} s to import the oracle libraries",
    "CPU：中位数 {median:.1f} 秒，最多 {most:.1f} 秒；此外启动 {start:.1f} 秒，导入对照库 {oracles:.1f} 秒",
)
ISOLATION, LAYER, STOPPED = Text("isolation", "隔离级别"), Text("layer", "层"), Text("stopped", "已阻止")
ATTEMPTED, SEEN, REMEDY = (
    Text("attempted", "尝试的违规"),
    Text("seen", "实际结果"),
    Text("remedy", "补救办法"),
)
TRIED, PUBLIC, LOST = (
    Text("tried", "尝试"),
    Text("public", "公开测试"),
    Text("tests lost", "失分的测试"),
)
NUMBER, WHO, DAY = Text("number", "编号"), Text("who", "决定者"), Text("day", "日期")
SECTION, ASSIGNMENT = Text("section", "分组"), Text("assignment", "作业")
MORE_TIME, DAYS = Text("more time", "延期"), Text("{n} days", "{n} 天")
REASON, UNDONE_BY = Text("reason", "理由"), Text("undone by {number}", "已由 {number} 撤销")
MORE = Text("  and {n} more", "  另有 {n} 条")
MORE_FOUND = Text(
    "and {n} more: autograder gradebook export FILE --per test has them all",
    "另有 {n} 条，全部见：autograder gradebook export 文件 --per test",
)
NOTHING = Text("{student} has handed in nothing.", "{student} 没有提交任何练习。")
NOT_HANDED_IN = Text("not handed in; points given by hand", "未提交；由人工给分")
BUILT = Text(
    "What was built from the student's own files reached; it counts nothing",
    "用学生自己写的部件搭起来，结果如何（不计分）",
)
REACHED = Text("reached with their own", "用自己的部件达到")
FOUND_SHOWN = 80  # misconceptions after a run: all that a class of ordinary size makes
SHOWN = 10  # of the lists after a run; `gradebook show` has them all
BUNDLE_SHOWN = 8  # characters of a version's fingerprint
SHARE = Text(" ({n} of {all})", "（{all} 个中 {n} 个）")
COLOURS = {Outcome.PASSED: "green", Outcome.NOT_IMPLEMENTED: "dim", Outcome.UNGRADED: "yellow"}


class Tally:
    """What a run amounts to, kept while its results stream by."""

    def __init__(self) -> None:
        self.new = self.cached = self.ungraded = 0
        self.unreadable: list[ExerciseResult] = []
        self.diagnosed: dict[tuple[str, str], list[str]] = {}  # (exercise, misconception) -> students
        # Student, capstone, what the student's own parts reached.
        self.reached: list[tuple[str, str, Text]] = []
        self.faults: dict[tuple[str, str], list[str]] = {}  # (exercise, why it stayed ungraded) -> students

    @property
    def settled(self) -> int:
        """Submissions that were graded, were known, or can't be read."""
        return self.new + self.cached + len(self.unreadable)

    def add(self, result: ExerciseResult, cached: bool) -> None:
        if cached:
            self.cached += 1
        elif result.status is Status.INVALID:
            self.unreadable.append(result)
        elif result.status is Status.UNGRADED:
            self.ungraded += 1
            why = result.detail.partition("\n")[0]
            self.faults.setdefault((result.exercise, why), []).append(result.student)
        else:
            self.new += 1
            if result.own_stack.en:
                self.reached.append((result.student, result.exercise, result.own_stack))
        for name in dict.fromkeys(test.diagnosis for test in result.tests if test.diagnosis):
            self.diagnosed.setdefault((result.exercise, name), []).append(result.student)


def diagnosis_table(tally: Tally, say: Speaker) -> Group | None:
    """Which misconceptions were found most, and in whose work; None if none was."""
    if not tally.diagnosed:
        return None
    table = Table(title=say(FOUND), title_justify="left", title_style="bold")
    for column in (EXERCISE, MISTAKE, STUDENTS):
        table.add_column(say(column), overflow="fold")
    ordered = sorted(tally.diagnosed.items(), key=lambda entry: -len(entry[1]))
    for (exercise, name), students in ordered[:FOUND_SHOWN]:
        table.add_row(exercise, name, escape(", ".join(students)))
    more = len(ordered) - FOUND_SHOWN
    return Group(table, *([say(MORE_FOUND, n=more)] if more > 0 else []))


def reached_table(tally: Tally, say: Speaker) -> Table | None:
    """What models built from students' own files reached; None if nobody handed in a capstone with parts of their own."""
    if not tally.reached:
        return None
    table = Table(title=say(BUILT), title_justify="left", title_style="bold")
    for column in (STUDENT, EXERCISE, REACHED):
        table.add_column(say(column), overflow="fold")
    for student, exercise, reached in sorted(tally.reached, key=itemgetter(0, 1)):
        table.add_row(escape(student), exercise, escape(say(reached)))
    return table


def unreadable_lines(tally: Tally, say: Speaker) -> list[str]:
    """One line for each submission that could not be read: whose, of what, and why."""
    lines = []
    for result in tally.unreadable[:SHOWN]:
        why = result.message.pick(say.lang).partition("\n")[0]
        lines.append(f"  {result.student}  {result.exercise}: {why}")
    return lines + _more(len(tally.unreadable), say)


def fault_lines(tally: Tally, say: Speaker) -> list[str]:
    """One line for each reason why something stayed ungraded, most frequent first: whose work, and why."""
    ordered = sorted(tally.faults.items(), key=lambda entry: -len(entry[1]))
    lines = []
    for (exercise, why), students in ordered[:SHOWN]:
        lines.append(f"  {exercise}  {some_of(students)}: {why}")
    return lines + _more(len(ordered), say)


def _more(n: int, say: Speaker) -> list[str]:
    return [say(MORE, n=n - SHOWN)] if n > SHOWN else []


def student_table(book: Gradebook, scheme: GradingScheme, student: str, say: Speaker) -> Group:
    """One student's results, test by test."""
    book.check_student(student)
    scores, attempts = current_scores(book, scheme, student), book.attempts(student)
    adjustments = book.adjustments(student)
    places = [(student, name) for name in scheme.versions if (student, name) in attempts]
    counted = [attempt for place in places if (attempt := scores[place].attempt) is not None]
    # Also the last one, where an earlier attempt counts until that can be graded.
    full = iter(book.in_full([*counted, *(attempts[place][-1] for place in places)]))
    results = dict(zip(places, zip([next(full) for _ in places], full, strict=True), strict=True))
    parts: list[Table | str] = []
    for name in scheme.versions:
        given = [_adjustment(one) for one in adjustments.get((student, name), ())]
        score = scores.get((student, name))
        if score is not None and (student, name) in results:
            result, last = results[student, name]
            parts += _exercise_parts(score, result, say)
            parts += [f"  {escape(say(line))}" for line in time_lines(score, scheme.policy.timezone)]
            parts += _version_parts(score, say)
            if last.detail:
                parts.append(f"[yellow]{_word(last.status, say)}: {escape(last.detail)}[/]")
        elif given:
            points = f"{number(score.score or 0.0)}/{number(score.max_score)}  " if score else ""
            parts.append(f"[bold]{name}[/]  {points}{say(NOT_HANDED_IN)}")
        parts += given
    parts = parts or [escape(say(NOTHING, student=student))]
    return Group(*parts, *noted_table(book.unrecognised(student).get(student, ()), say))


def _version_parts(score: Score, say: Speaker) -> list[str]:
    """Which version of the exercise a score is of, and what is to be done where it is not the current one."""
    parts = []
    if score.attempt is not None and score.attempt.result.bundle:
        bundle = score.attempt.result.bundle[:BUNDLE_SHOWN]
        parts.append(f"[dim]  {say(GRADED_WITH, day=_day(score.attempt), bundle=bundle)}[/]")
    if score.attempt is not None and points_of(score.attempt) > (score.attempt.result.score or 0.0):
        given, kept = number(score.attempt.result.score or 0.0), number(points_of(score.attempt))
        parts.append(f"[yellow]  {say(KEPT, points=given, kept=kept)}[/]")
    if score.stale:
        parts.append(f"[yellow]  {say(NOT_CURRENT)}[/]")
    for attempt in score.left_out:
        earned, most = attempt.result.score or 0.0, attempt.result.max_score
        values = {"score": number(earned), "most": number(most), "day": _day(attempt)}
        parts.append(f"[yellow]  {escape(say(LEFT_OUT, file=shortened(attempt.result.path), **values))}[/]")
    return parts


def _exercise_parts(score: Score, result: ExerciseResult, say: Speaker) -> list[Table | str]:
    """One exercise's points and message, and its tests where any were run."""
    shown = "?" if score.score is None else number(score.score)
    state = f"{_word(result.status, say)}  ({_word(result.isolation, say)})"
    title = f"{result.exercise}  {shown}/{number(score.max_score)}  {state}"
    message = escape(result.message.pick(say.lang))
    if not result.tests:
        return [f"[bold]{title}[/]", *([message] if message else [])]
    table = Table(title=title, title_justify="left", title_style="bold", caption_justify="left")
    table.caption = message or None
    for column in (TEST, OUTCOME, POINTS, MESSAGE):
        table.add_column(say(column), overflow="fold", no_wrap=column is POINTS)
    told: dict[str, str] = {}  # message -> the first test that it was said of
    for test_name, tests in by_function(result.tests).items():
        failing = [test for test in tests if test.outcome is not Outcome.PASSED]
        worst = failing[0] if failing else tests[0]
        share = say(SHARE, n=len(failing), all=len(tests)) if failing and len(tests) > 1 else ""
        message = f"{worst.diagnosis}: " if worst.diagnosis else ""
        message += worst.message.pick(say.lang)
        table.add_row(
            escape(test_name),
            f"[{COLOURS.get(worst.outcome, 'red')}]{_word(worst.outcome, say)}{share}[/]",
            f"{number(total(test.score for test in tests))}/{number(total(test.max_score for test in tests))}",
            escape(say(SAME, name=told[message]) if message in told else message),
        )
        if message and worst.outcome is not Outcome.NOT_IMPLEMENTED:
            told.setdefault(message, test_name)
    return [table]


def _word(value: Outcome | Status | Isolation, say: Speaker) -> str:
    return say(label(value))


def _adjustment(given: Adjustment) -> str:
    said = f'{given.points:+g}  {given.who}  {_day(given)}  "{given.reason}"'
    return escape(f"  #{given.number}  {said}")


def _day(recorded: Attempt | Adjustment | Extension) -> date:
    """The day on which something was recorded, here."""
    return recorded.recorded_at.replace(tzinfo=UTC).astimezone().date()


def adjustments_table(adjustments: Sequence[Adjustment], say: Speaker) -> Table:
    """The adjustments of a class, with the numbers that `undo` takes."""
    table = Table()
    for column in (NUMBER, STUDENT, EXERCISE, POINTS, WHO, DAY, REASON):
        table.add_column(
            say(column), overflow="fold", justify="right" if column in (NUMBER, POINTS) else "left"
        )
    for one in adjustments:
        undone = f" ({say(UNDONE_BY, number=one.undone_by)})" if one.undone_by is not None else ""
        cells = (one.student, one.exercise, f"{one.points:+g}", one.who, str(_day(one)), one.reason + undone)
        table.add_row(str(one.number), *map(escape, cells), style="dim" if undone or one.undoes else "")
    return table


def extensions_table(extensions: Sequence[Extension], say: Speaker) -> Table:
    """The extensions of a class, with the numbers that `undo --extension` takes."""
    table = Table()
    for column in (NUMBER, STUDENT, SECTION, ASSIGNMENT, MORE_TIME, WHO, DAY, REASON):
        table.add_column(say(column), overflow="fold", justify="right" if column is NUMBER else "left")
    for one in extensions:
        undone = f" ({say(UNDONE_BY, number=one.undone_by)})" if one.undone_by is not None else ""
        more = f"{one.until:%Y-%m-%d %H:%M} UTC" if one.until else say(DAYS, n=number(one.days or 0.0))
        cells = (one.student, one.section, one.assignment, more, one.who, str(_day(one)), one.reason + undone)
        table.add_row(str(one.number), *map(escape, cells), style="" if one.holds else "dim")
    return table


def audit_table(reports: Sequence[ExerciseAudit], end: Ended, say: Speaker) -> Group:
    """One line for each audited exercise, and below what is wrong with those that are red.

    Warnings are told in full of a single exercise, else only counted.
    """
    table = Table(box=SIMPLE_HEAD, padding=0, show_edge=False)
    table.add_column(say(EXERCISE), overflow="fold")
    asked = {point.number for report in reports for point in report.points}
    titles = TITLES | {number: title for number, title in ON_REQUEST.items() if number in asked}
    for point in titles:
        table.add_column(str(point), justify="center", no_wrap=True)
    for head in (TESTS, MISTAKES, WARNINGS, SECONDS):
        table.add_column(say(head), justify="right", no_wrap=True)
    for report in reports:
        warnings = sum(len(point.warnings) for point in report.points)
        table.add_row(
            report.exercise,
            *(_mark(report, number) for number in titles),
            *map(str, (report.tests, report.misconceptions, warnings)),
            f"{report.seconds:.1f}",
        )
    legend = "   ".join(f"{number} {say(title)}" for number, title in titles.items())
    parts: list[Table | str] = [table, f"[dim]{legend}[/]"]
    seconds = [report.seconds for report in reports]
    if seconds:
        median, most = statistics.median(seconds), max(seconds)
        parts.append(say(COST, median=median, most=most, start=end.start, oracles=end.oracles))
    for report in reports:
        parts += _audit_remarks(report, len(reports) == 1, say)
    return Group(*parts)


def _mark(report: ExerciseAudit, number: int) -> str:
    for point in report.points:
        if point.number == number:
            return "[green]✓[/]" if point.green else "[red]✗[/]"
    return "[red]–[/]"


def _audit_remarks(report: ExerciseAudit, alone: bool, say: Speaker) -> list[str]:
    """What is wrong with one exercise, and, where it is the only one, what every point showed."""
    lines = [f"[bold]{report.exercise}[/]"] if alone or not report.green else []
    lines += [f"  [red]{escape(report.problem)}[/]"] if report.problem else []
    for point in report.points:
        said = [f"  [red]{escape(problem)}[/]" for problem in point.problems]
        if alone:
            said = said or [f"  {escape(point.summary)}"]
            said += [f"  [yellow]{escape(warning)}[/]" for warning in point.warnings]
        if said:
            lines += [f"{point.number} {say(point.title)}", *said]
    return lines


def try_table(found: Sequence[Try], say: Speaker) -> Table:
    """Each try with its points, the tests it loses, and the misconceptions it is named. Full marks stand out."""
    table = Table(show_lines=True)
    for column in (TRIED, POINTS, PUBLIC, LOST, MISTAKE):
        table.add_column(say(column), overflow="fold", no_wrap=column in (POINTS, LOST, MISTAKE))
    for one in found:
        score = "?" if one.result.score is None else number(one.result.score)
        full = one.result.score == one.result.max_score
        lost = "\n".join(_lost_lines(one, say))
        # Why there are no points: one line for each reason, whose traceback follows it.
        reasons = [line for line in one.result.detail.splitlines() if not line.startswith(" ")]
        problem = "" if one.result.tests else one.result.message.pick(say.lang)
        table.add_row(
            escape(one.name),
            f"[{'yellow' if full else 'default'}]{score}/{number(one.result.max_score)}[/]",
            "?" if one.result.score is None else "[green]✓[/]" if one.passes_public else "[red]✗[/]",
            escape("\n".join([lost or problem, *reasons])),
            escape("\n".join(one.diagnoses)),
        )
    return table


def _lost_lines(one: Try, say: Speaker) -> list[str]:
    """The tests that a try lost; those of questions that it left out are only counted."""
    worst = {name: tests[0].outcome for name, tests in one.lost.items()}
    lines = [
        name if outcome is Outcome.FAILED else f"{name} ({_word(outcome, say)})"
        for name, outcome in worst.items()
        if outcome is not Outcome.NOT_IMPLEMENTED
    ]
    left_out = len(worst) - len(lines)
    return [*lines, f"{left_out} × {_word(Outcome.NOT_IMPLEMENTED, say)}"] if left_out else lines


def doctor_table(report: DoctorReport, say: Speaker) -> Group:
    """Each attempted violation, and what was seen."""
    level = report.level.value.upper() if report.level else "REFUSE"
    table = Table(title=f"{say(ISOLATION)}: {level}", title_justify="left", title_style="bold")
    for column in (LAYER, STOPPED, ATTEMPTED, SEEN, REMEDY):
        table.add_column(say(column), overflow="fold")
    for check in report.checks:
        works = "[green]✓[/]" if check.works else "[red]✗[/]"
        table.add_row(check.layer, works, *map(escape, (check.attempted, check.seen, check.remedy)))
    return Group(table, *report.layers)
