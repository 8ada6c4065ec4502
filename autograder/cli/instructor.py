"""Commands of an instructor: grade, gradebook, doctor."""

from __future__ import annotations

import functools
import getpass
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from autograder.cli.common import (
    DEFAULT_GRADEBOOK,
    INTERRUPTED,
    CourseOption,
    GradebookOption,
    JsonOption,
    LangOption,
    Speaker,
    console,
    open_course,
    print_json,
)
from autograder.cli.export import export, roster
from autograder.cli.github import DeadlineOption, GithubOption, GradesOption, opened_class, write_grades
from autograder.cli.nbgrader import NbgraderOption, opened, sync, write_out
from autograder.errors import UserError
from autograder.text import Text

if TYPE_CHECKING:
    from rich.console import Console

    from autograder.course import Exercise
    from autograder.gradebook import Score
    from autograder.results import ExerciseResult

UNSAFE = Text(
    "UNSAFE: submissions run inside this process, with your rights, next to the answers. Every result is marked unsafe.",
    "不安全模式：提交的代码将在本进程内运行，拥有你的权限，并能看到答案。所有结果都会标记为 unsafe。",
)
DONE = Text(
    "{new} graded, {cached} known already, {invalid} could not be read, {ungraded} left ungraded. Gradebook: {name}",
    "新评 {new} 份，已有结果 {cached} 份，无法读取 {invalid} 份，未能评分 {ungraded} 份。成绩册：{name}",
)
AGAIN = Text(
    "Some submissions stayed ungraded through a fault of the grader or of a test, named above. Mend it where it can be "
    "mended, then run the same command again. The whole reason: autograder gradebook show --student NAME",
    "有提交因评分系统或测试本身的故障未能评分，原因见上。请先排除故障，再运行同一命令。完整原因："
    "autograder gradebook show --student 姓名",
)
NEXT = Text(
    "Next: autograder gradebook show --gradebook {name} --student NAME, or autograder gradebook export grades.csv --gradebook {name}",
    "接下来：autograder gradebook show --gradebook {name} --student 姓名，或 autograder gradebook export grades.csv --gradebook {name}",
)
STOPPED = Text(
    "Stopped. What is graded is recorded in {name}; run the same command to go on.",
    "已停止。已评分的结果记录在 {name} 中；再次运行同一命令即可继续。",
)
ADJUSTED = Text(
    "{student}, {exercise}: {before} -> {after} of {most}",
    "{student}，{exercise}：{before} -> {after}，满分 {most}",
)
ABOVE_MAXIMUM = Text(
    "That is above the maximum. It counts as it stands; to take it back, adjust by as much the other way.",
    "已超过满分，并将照此计入。如需撤回，请反向调整同样的分数。",
)
BELOW_ZERO = Text(
    "The sum is {points}, below 0, and counts as 0. To take it back, adjust by as much the other way.",
    "合计为 {points}，低于 0，按 0 分计。如需撤回，请反向调整同样的分数。",
)
WAITING = Text(
    "{student}, {exercise}: {points:+g} recorded. Nothing of it is graded yet; the points count as soon as something is.",
    "{student}，{exercise}：{points:+g} 分已记录。该练习尚无评分结果，评分后计入。",
)

UnitOption = Annotated[
    str | None, typer.Option("--unit", help="Show this unit's exercises in the grade table.")
]
NEGATIVE = re.compile(r"-(\d|\.\d|inf|nan).*", re.IGNORECASE)

gradebook_app = typer.Typer(
    help="Show, export, adjust and synchronise what is recorded.", no_args_is_help=True
)


def register(app: typer.Typer) -> None:
    """Add this group's commands, in the order in which help lists them."""
    app.command(short_help="Grade submissions into the gradebook.")(grade)
    of_gradebook = gradebook_app.command
    of_gradebook()(_of_existing(show))
    of_gradebook(short_help="Write the gradebook for a spreadsheet, a platform or a machine.")(
        _of_existing(export)
    )
    of_gradebook(cls=TakesNegatives)(_of_existing(adjust))
    # A roster may come first: grading clones looks up in it whose they are.
    of_gradebook(short_help="Take over what Canvas, Moodle and GitHub call our students.")(roster)
    of_gradebook(short_help="Take people's scores from nbgrader, and write new results to it.")(
        _of_existing(sync)
    )
    app.add_typer(gradebook_app, name="gradebook")
    app.command(short_help="Prove each layer of the isolation by attempting a violation.")(doctor)


class TakesNegatives(TyperCommand):
    """A command to which -1 is a number. A misspelt option beside it is still an error: one argument too many."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        ctx.ignore_unknown_options = any(map(NEGATIVE.fullmatch, args))
        return super().parse_args(ctx, args)


def _of_existing(command: Callable[..., None]) -> Callable[..., None]:
    """The command, for a gradebook that is there: one made by a mistyped name would be an empty answer."""

    @functools.wraps(command)
    def checked(*arguments: Any, gradebook: str, **more: Any) -> None:
        from autograder.gradebook.database import must_exist

        must_exist(gradebook)
        command(*arguments, gradebook=gradebook, **more)

    return checked


def grade(
    submissions: Annotated[
        Path | None, typer.Argument(help="A folder with one folder (or zip file) for each student.")
    ] = None,
    nbgrader: NbgraderOption = None,
    github: GithubOption = None,
    deadline: DeadlineOption = None,
    grades_csv: GradesOption = None,
    gradebook: GradebookOption = DEFAULT_GRADEBOOK,
    workers: Annotated[int, typer.Option(min=1, help="Processes to grade with.")] = 1,
    scheduler: Annotated[str | None, typer.Option(help="Address of a Dask scheduler to grade on.")] = None,
    only: Annotated[
        list[str] | None,
        typer.Option(help="Grade these exercises, units or assignments only; may be repeated."),
    ] = None,
    unit: UnitOption = None,
    unsafe: Annotated[
        bool, typer.Option("--unsafe", help="Run without isolation. For trusted code only.")
    ] = False,
    json: JsonOption = False,
    course: CourseOption = None,
    lang: LangOption = None,
) -> None:
    """Grade a folder of submissions, an nbgrader course's, or a folder of clones, into the gradebook."""
    from autograder.cli.progress_bar import GradingProgress
    from autograder.cli.tables import Tally, diagnosis_table, fault_lines, grade_table, unreadable_lines
    from autograder.gradebook import Gradebook
    from autograder.gradebook.ci_formats import result_json
    from autograder.grading.scheduler import Batch, Grader
    from autograder.grading.submissions import students_of
    from autograder.grading.worker import Mode
    from autograder.platforms.nbgrader.course_dir import batches

    say, remarks = Speaker(lang), console(stderr=True)
    if [submissions, nbgrader, github].count(None) != 2:
        raise UserError(
            "give a folder of submissions, or --nbgrader COURSE_DIR, or --github CLONES_DIR, and no two",
            "请给出提交文件夹、--nbgrader COURSE_DIR、--github CLONES_DIR 三者之一，且只给一个",
        )
    if github is None and (deadline or grades_csv):
        raise UserError(
            "--deadline and --grades-csv go with --github CLONES_DIR",
            "--deadline 和 --grades-csv 须与 --github CLONES_DIR 同用",
        )
    root = open_course(course, authoring=True)
    exercises = root.select(only or [])
    root.check_files(exercises)
    _of_unit(exercises, unit)  # refused before anything is graded
    if unsafe:
        remarks.print(say(UNSAFE), style="bold white on red")
    with ExitStack() as stack:
        book = stack.enter_context(Gradebook(gradebook))
        stack.enter_context(_resumable(book.name, remarks, say))
        synchroniser, classroom = None, None
        if nbgrader is not None:
            synchroniser = stack.enter_context(opened(nbgrader, root, exercises, book))
            work = batches(root, synchroniser.place, synchroniser.released)
        elif github is not None:
            classroom = stack.enter_context(
                opened_class(github, deadline, root, exercises, book, remarks, say)
            )
            work = [classroom.batch]
            exercises = list(classroom.batch.exercises)
        else:
            assert submissions is not None  # one of the three is given
            work = [Batch(exercises, students_of(submissions))]
        hidden = (root.root,) if synchroniser is None else (root.root, synchroniser.place.root)
        students = sorted({student for part in work for student in part.students})
        book.add_students(students)
        tally = Tally()
        results: list[ExerciseResult] = []
        for part in work:
            progress = GradingProgress(remarks, len(part.students), say)
            grader = Grader(
                part.exercises,
                Mode(unsafe=unsafe, hide=hidden),
                known=book.known,
                record=book.record,
                latest=book.latest,
                workers=workers,
                scheduler=scheduler,
                collected=progress.collected,
            )
            # Under --unsafe submissions print where we do; standard output is kept for the answer.
            with progress, redirect_stdout(sys.stderr) if unsafe else nullcontext():
                for item in progress.following(grader.run(part.students, part.folder)):
                    tally.add(item.result, item.cached)
                    if json:
                        results.append(item.result)
        if synchroniser is not None:
            write_out(synchroniser, remarks, say)
        if classroom is not None and grades_csv is not None:
            write_grades(grades_csv, root, classroom, book, remarks, say)
        if json:
            places = {exercise.id: place for place, exercise in enumerate(root)}
            results.sort(key=lambda result: (result.student, places[result.exercise]))
            print_json(result_json(results))
        else:
            console().print(grade_table(book, root, _of_unit(exercises, unit), students, say))
            found = diagnosis_table(tally, say)
            if found is not None:
                console().print(found)
        remarks.print(
            say(
                DONE,
                new=tally.new,
                cached=tally.cached,
                invalid=len(tally.unreadable),
                ungraded=tally.ungraded,
                name=book.name,
            ),
            markup=False,
        )
        for line in unreadable_lines(tally, say):
            remarks.print(line, style="yellow", markup=False)
        if not json:
            remarks.print(say(NEXT, name=book.name), style="dim", markup=False)
    if tally.ungraded:
        for line in fault_lines(tally, say):
            remarks.print(line, style="yellow", markup=False)
        remarks.print(say(AGAIN), style="yellow")
        raise typer.Exit(1)


@contextmanager
def _resumable(name: str, remarks: Console, say: Speaker) -> Iterator[None]:
    """On Ctrl-C, say what is left of the work, and how it goes on."""
    try:
        yield
    except KeyboardInterrupt:
        remarks.print(say(STOPPED, name=name), markup=False)
        raise typer.Exit(INTERRUPTED) from None


def show(
    gradebook: GradebookOption = DEFAULT_GRADEBOOK,
    student: Annotated[str | None, typer.Option(help="One student, test by test.")] = None,
    unit: UnitOption = None,
    json: JsonOption = False,
    course: CourseOption = None,
    lang: LangOption = None,
) -> None:
    """Show the grade table, or one student's results test by test."""
    from autograder.cli.tables import grade_table, student_table
    from autograder.gradebook import Gradebook
    from autograder.gradebook.ci_formats import recorded_json
    from autograder.gradebook.scores import current_scores

    say = Speaker(lang)
    root = open_course(course)
    with Gradebook(gradebook) as book:
        if json:
            results = book.in_full(history[-1] for history in book.attempts(student).values())
            scores = current_scores(book, root.policy, student)
            print_json(recorded_json(results, scores, book.adjustments(student)))
        elif student is not None:
            console().print(student_table(book, root, student, say))
        else:
            console().print(grade_table(book, root, _of_unit(list(root), unit), book.students(), say))


def _of_unit(exercises: list[Exercise], unit: str | None) -> list[Exercise]:
    """The exercises that a table is about: all, or one unit's."""
    chosen = [exercise for exercise in exercises if unit in (None, exercise.unit)]
    if not chosen:
        units = list(dict.fromkeys(exercise.unit for exercise in exercises))
        raise UserError(
            f"--unit {unit!r}: choose one of {', '.join(units)}",
            f"--unit {unit!r}：请选择 {'、'.join(units)} 之一",
        )
    return chosen


def adjust(
    student: Annotated[str, typer.Argument(help="Whose points.")],
    exercise: Annotated[str, typer.Argument(help="On which exercise.")],
    points: Annotated[float, typer.Argument(help="How many to add; a negative number takes them.")],
    reason: Annotated[str, typer.Option(help="Why; kept with the adjustment.")],
    who: Annotated[str | None, typer.Option(help="Who decided (the login name by default).")] = None,
    gradebook: GradebookOption = DEFAULT_GRADEBOOK,
    course: CourseOption = None,
    lang: LangOption = None,
) -> None:
    """Give or take points by hand. The attempts stay as they are."""
    from autograder.gradebook import Gradebook
    from autograder.gradebook.scores import current_scores
    from autograder.text import number

    say = Speaker(lang)
    root = open_course(course)
    name = root.exercise(exercise).id
    with Gradebook(gradebook) as book:
        before = current_scores(book, root.policy, student, [name]).get((student, name))
        book.adjust(student, name, points, reason=reason, who=who or getpass.getuser())
        after = current_scores(book, root.policy, student, [name]).get((student, name))
    if before is None or after is None or before.score is None or after.score is None:
        said = say(WAITING, student=student, exercise=name, points=points)
        console().print(said, style="yellow", markup=False)
        return
    numbers = {"before": before.score, "after": after.score, "most": after.max_score}
    said = say(ADJUSTED, student=student, exercise=name, **{key: number(n) for key, n in numbers.items()})
    console().print(said, markup=False)
    warning = _out_of_range(after, say)
    if warning:
        console(stderr=True).print(warning, style="yellow")


def _out_of_range(score: Score, say: Speaker) -> str:
    """What to say of points that no attempt alone could give; "" of all others."""
    if score.score is not None and score.score > score.max_score + 1e-6:
        return say(ABOVE_MAXIMUM)
    whole = (score.result.score or 0.0) + score.adjusted
    return say(BELOW_ZERO, points=f"{whole:g}") if whole < -1e-6 else ""


def doctor(json: JsonOption = False, lang: LangOption = None) -> None:
    """Prove each layer of the isolation by attempting a violation, and say what was seen."""
    from autograder.cli.tables import doctor_table
    from autograder.sandbox.doctor import examine

    with console(stderr=True).status("doctor"):
        report = examine()
    if json:
        print_json(report)
    else:
        console().print(doctor_table(report, Speaker(lang)))
    if report.level is None:
        raise typer.Exit(1)
