"""`autograder regrade`: after a test, a weight or a rule changed, whose score moves; then it is applied, or not."""

from __future__ import annotations

import getpass
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from autograder.cli.adjust import WhoOption
from autograder.cli.common import (
    DEFAULT_GRADEBOOK,
    NOT_GRADED,
    CourseOption,
    GradebookOption,
    JsonOption,
    LangOption,
    Speaker,
    console,
    open_course,
    print_json,
)
from autograder.cli.github import DeadlineOption, GithubOption
from autograder.cli.grading_run import (
    FAULT,
    LOUD,
    AcceptNamesOption,
    Machines,
    OnlyOption,
    SchedulerOption,
    Source,
    SubmissionsArgument,
    UnsafeOption,
    WorkersOption,
    opened_work,
)
from autograder.cli.instructor import of_existing
from autograder.cli.nbgrader import NbgraderOption, write_out
from autograder.errors import UserError
from autograder.text import Text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.console import Console

    from autograder.cli.tables import Tally
    from autograder.gradebook import Attempt, Gradebook
    from autograder.gradebook.moves import Outlook
    from autograder.gradebook.regrades import Regraded
    from autograder.results import ExerciseResult

SUMMARY = Text(
    "Submissions looked at: {looked}, run: {ran}. Scores that move: {moved} ({up} up, {down} down, {same} with the same share "
    "of another maximum).",
    "查看的提交：{looked} 份，其中运行 {ran} 份。改变的得分：{moved} 个（{up} 个上升，{down} 个下降，{same} 个满分变了而得分比例不变）。",
)
KEPT = Text("Would be lower, and keep what they had: {n}.", "本会降低，保留原有得分：{n} 个。")
OTHER = Text("Same score, with other feedback: {n}.", "得分不变，但反馈不同：{n} 个。")
NEW_WORK = Text(
    "New work, which `autograder grade` grades: {n} ({names})",
    "新提交 {n} 份，请用 `autograder grade` 评分（{names}）",
)
LEFT = Text(
    "Scores that stay those of an older version, because the work is not among what was regraded: {n} ({names})",
    "仍来自练习旧版本的得分：{n} 个，因为相应的提交不在这次重新评分之列（{names}）",
)
NO_RULES = Text(
    "Under which rules this gradebook was graded was not noted, so only results are compared. They are noted from now on.",
    "这份成绩册没有记下评分时的课程规则，因此只比较结果。今后会记录。",
)
DRY = Text(
    "Nothing was applied. To apply it, which runs nothing again, give --reason in place of --dry-run.",
    "没有应用任何改动。如需应用（不会重新运行），请用 --reason 代替 --dry-run。",
)
APPLIED = Text(
    "Applied as {name}. To take it back: autograder gradebook undo {name}",
    "已应用，编号 {name}。如需撤回：autograder gradebook undo {name}",
)
NOTHING = Text(
    "Nothing to apply: every result is of the current version.", "无需应用：所有结果都来自当前版本。"
)
SinceOption = Annotated[
    str | None,
    typer.Option(help="Only what was graded at this time or later, as 2026-10-01 or 2026-10-01T12:00+08:00."),
]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(short_help="Grade again what was graded, show whose score moves, and apply it or not.")(
        of_existing(regrade)
    )


def regrade(
    submissions: SubmissionsArgument = None,
    nbgrader: NbgraderOption = None,
    github: GithubOption = None,
    deadline: DeadlineOption = None,
    gradebook: GradebookOption = DEFAULT_GRADEBOOK,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show whose score would move, and apply nothing.")
    ] = False,
    reason: Annotated[
        str | None, typer.Option(help="Why; kept with the regrade. Needed to apply it.")
    ] = None,
    who: WhoOption = None,
    never_lower: Annotated[
        bool,
        typer.Option(
            "--never-lower", help="Work that would earn less keeps the share of the points that it has."
        ),
    ] = False,
    since: SinceOption = None,
    only: OnlyOption = None,
    workers: WorkersOption = 1,
    scheduler: SchedulerOption = None,
    accept_names: AcceptNamesOption = False,
    unsafe: UnsafeOption = False,
    json: JsonOption = False,
    course: CourseOption = None,
    lang: LangOption = None,
) -> None:
    """After a test, a weight, a misconception or a rule changed: grade again what was graded, and show whose score moves.

    Only what changed is run, and what was found is kept, so that applying it after --dry-run runs nothing. New work is left
    to `autograder grade`. Exit status as that of `grade`.
    """
    from autograder.cli.tables import Tally, fault_lines
    from autograder.gradebook import Gradebook
    from autograder.gradebook.moves import outlook
    from autograder.grading.scheme import scheme_of

    say, remarks = Speaker(lang), console(stderr=True)
    source = Source(submissions, nbgrader, github, deadline, accept_names)
    if not dry_run and not (reason or "").strip():
        raise UserError(
            "a regrade is applied with --reason TEXT, which is kept with it; --dry-run shows it first",
            "应用重新评分须给出 --reason TEXT（会一并保存）；可先用 --dry-run 查看",
        )
    moment = _moment(since)
    root = open_course(course, authoring=True).graded
    exercises = root.select(only or [])
    root.check_files(exercises)
    machines = Machines(unsafe, workers, scheduler)
    machines.warn(remarks, say)
    with (
        Gradebook(gradebook) as book,
        opened_work(source, root, exercises, book, unsafe, remarks, say) as work,
    ):
        again = Again(book.attempts(exercises=[exercise.id for exercise in exercises]), moment)
        tally = Tally()
        for item in work.run(book, machines, tally, remarks, say, record=book.keep, chosen=again.chosen):
            again.add(item.result)
        found, results = again.found(book)
        scheme, rules = scheme_of(book, root), book.rules()
        before = scheme if rules is None else scheme.under(rules)
        seen = outlook(book, scheme, before, found, results, never_lower)
        name = ""
        if not dry_run and (found or seen.kept or before.rules != scheme.rules):
            changed = scheme.rules if before.rules != scheme.rules else None
            number = book.add_regrade(
                found, seen.kept, who=who or getpass.getuser(), reason=reason or "", rules=changed
            )
            name = f"R{number}"
        if not dry_run:
            book.note_rules(scheme.rules)
        if work.synchroniser is not None and name:
            write_out(work.synchroniser, remarks, say)
        _show(seen, tally, again, name, json, say)
        if rules is None:
            remarks.print(say(NO_RULES), style="yellow", markup=False)
        chosen = {exercise.id for batch in work.batches for exercise in batch.exercises}
        _remarks(seen, again, chosen, remarks, say)
        remarks.print(
            say(DRY) if dry_run else say(APPLIED, name=name) if name else say(NOTHING), markup=False
        )
    if tally.ungraded:
        remarks.print(say(FAULT, n=tally.ungraded), style=LOUD, markup=False)
        for line in fault_lines(tally, say):
            remarks.print(line, style="yellow", markup=False)
        raise typer.Exit(NOT_GRADED)


@dataclass
class Again:
    """Which of what is at hand was graded before, and what it gave this time.

    attempts: (student, exercise) -> what is recorded. since: what was graded earlier is left out (UTC).
    """

    attempts: Mapping[tuple[str, str], Sequence[Attempt]]
    since: datetime | None
    new_work: list[tuple[str, str]] = field(default_factory=list)
    _stand_for: dict[tuple[str, str], Attempt] = field(default_factory=dict)
    _found: list[ExerciseResult] = field(default_factory=list)

    def chosen(self, student: str, exercise: str, key: str) -> bool:
        """Whether this very work was graded before, or could not be: what is new is no regrade."""
        from autograder.results import Status

        history = self.attempts.get((student, exercise), ())
        content = key.rpartition("-")[2]
        same = [attempt for attempt in history if attempt.result.content == content]
        if not same and history and history[-1].result.status is Status.UNGRADED:
            same = [history[-1]]
        if not same:
            self.new_work.append((student, exercise))
            return False
        if self.since is not None and same[-1].recorded_at < self.since:
            return False
        self._stand_for[student, exercise] = same[-1]
        return True

    @property
    def looked_at(self) -> int:
        return len(self._stand_for)

    def add(self, result: ExerciseResult) -> None:
        """What was found, in brief, where it is not recorded already."""
        from msgspec.structs import replace

        from autograder.results import Status

        earlier = self._stand_for.get((result.student, result.exercise))
        if earlier is not None and result.status is not Status.UNGRADED and result.key != earlier.result.key:
            self._found.append(replace(result, tests=(), output="", detail=""))

    def found(self, book: Gradebook) -> tuple[list[Regraded], dict[int, ExerciseResult]]:
        """What to apply, and its results by number."""
        from autograder.gradebook.regrades import Regraded

        known = book.by_key(sorted({result.key for result in self._found}))
        found = []
        for one in self._found:
            place = one.student, one.exercise
            found.append(Regraded(*place, one.path, known[one.key][0], self._stand_for[place].handed_in))
        return found, dict(known.values())


def _moment(given: str | None) -> datetime | None:
    """`--since` in UTC, as times are recorded; what names no time zone is this machine's time."""
    if given is None:
        return None
    try:
        return datetime.fromisoformat(given).astimezone(UTC).replace(tzinfo=None)
    except (ValueError, OverflowError):
        raise UserError(
            f"--since {given!r}: write a date, or date and time, as 2026-10-01 or 2026-10-01T12:00+08:00",
            f"--since {given!r}：请写日期或日期和时间，例如 2026-10-01 或 2026-10-01T12:00+08:00",
        ) from None


def _show(seen: Outlook, tally: Tally, again: Again, name: str, json: bool, say: Speaker) -> None:
    """Whose score moves, and what that comes to."""
    from autograder.cli.moves_table import counts_table, final_table, moves_table, outlook_json

    told = outlook_json(seen)
    counts = told["summary"]
    if json:
        counts |= {"looked_at": again.looked_at, "run": tally.new, "ungraded": tally.ungraded}
        print_json({**told, "regrade": name or None})
        return
    parts = []
    if seen.moves:
        parts += [*moves_table(seen.moves, say), counts_table(seen.moves, say)]
    if seen.final_moves:
        parts += final_table(seen.final_moves, say)
    for part in parts:
        console().print(part)
    values = {"looked": again.looked_at, "ran": tally.new, "moved": len(seen.moves)}
    values |= {key: counts[key] for key in ("up", "down", "same")}
    lines = [say(SUMMARY, **values)]
    for text, n in ((KEPT, counts["kept"]), (OTHER, counts["other_feedback"])):
        lines += [say(text, n=n)] if n else []
    console().print(" ".join(lines), markup=False)


def _remarks(seen: Outlook, again: Again, exercises: set[str], remarks: Console, say: Speaker) -> None:
    """What was not regraded, and why."""
    from autograder.cli.grade_table import some_of

    left = [place for place in seen.left if place[1] in exercises]
    for text, places in ((NEW_WORK, again.new_work), (LEFT, left)):
        if places:
            names = some_of(sorted({student for student, _ in places}))
            remarks.print(say(text, n=len(places), names=names), style="yellow", markup=False)
