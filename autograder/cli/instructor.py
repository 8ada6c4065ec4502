"""Commands of an instructor: grade, gradebook, doctor."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from autograder.cli.adjust import TakesNegatives, adjust, adjustments, undo
from autograder.cli.common import (
    DEFAULT_GRADEBOOK,
    INTERRUPTED,
    NOT_GRADED,
    CourseOption,
    GradebookOption,
    JsonOption,
    LangOption,
    Speaker,
    console,
    course_at_hand,
    open_course,
    print_json,
)
from autograder.cli.export import export, roster
from autograder.cli.github import (
    DeadlineOption,
    GithubOption,
    GradesOption,
    check_grades,
    opened_class,
    write_grades,
)
from autograder.cli.nbgrader import NbgraderOption, opened, sync, write_out
from autograder.cli.submissions import opened_submissions
from autograder.errors import UserError
from autograder.text import Text

if TYPE_CHECKING:
    from rich.console import Console

    from autograder.course import Exercise
    from autograder.results import ExerciseResult, Unrecognised

UNSAFE = Text(
    "UNSAFE: submissions run inside this process, with your rights, next to the answers. Every result is marked unsafe.",
    "不安全模式：提交的代码将在本进程内运行，拥有你的权限，并能看到答案。所有结果都会标记为 unsafe。",
)
IN_CLEAR = Text(
    "What goes to {address} can be read on the way, hidden tests and grades too, and whoever reaches that scheduler can "
    "run programs on its workers. Use tls:// (docs/scale.md).",
    "发往 {address} 的内容（包括隐藏测试和成绩）在传输途中可被读取，任何能连接该调度器的人都能在其工作进程上运行程序。"
    "请使用 tls://（见 docs/scale.md）。",
)
DONE = Text(
    "{new} graded, {cached} known already, {invalid} could not be read, {ungraded} left ungraded. Gradebook: {name}",
    "新评 {new} 份，已有结果 {cached} 份，无法读取 {invalid} 份，未能评分 {ungraded} 份。成绩册：{name}",
)
FAULT = Text(
    "{n} submissions could NOT be graded. The fault is the grader's or a test's, and costs nobody a point:",
    "有 {n} 份提交未能评分。故障出在评分系统或测试本身，不会使任何人失分：",
)
AGAIN = Text(
    "Mend it where it can be mended, then run the same command again. The whole reason: "
    "autograder gradebook show --student NAME",
    "请先排除故障，再运行同一命令。完整原因：autograder gradebook show --student 姓名",
)
BROKEN_OFF = Text(
    "STOPPED: the gradebook can't be written to. {done} submissions are settled; at least {left} are NOT graded, which costs "
    "nobody a point. Run the same command again: it goes on where it stopped.",
    "已中断：成绩册无法写入。已处理 {done} 份提交；至少 {left} 份未能评分，不会使任何人失分。再次运行同一命令即可从中断处继续。",
)
NEXT = Text(
    "Next: autograder gradebook show --gradebook {name} --student NAME, or autograder gradebook export grades.csv --gradebook {name}",
    "接下来：autograder gradebook show --gradebook {name} --student 姓名，或 autograder gradebook export grades.csv --gradebook {name}",
)
STOPPED = Text(
    "Stopped. What is graded is recorded in {name}; run the same command to go on.",
    "已停止。已评分的结果记录在 {name} 中；再次运行同一命令即可继续。",
)
LOUD = "bold white on red"
UnitOption = Annotated[
    str | None, typer.Option("--unit", help="Show this unit's exercises in the grade table.")
]
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
    of_gradebook()(_of_existing(adjustments))
    of_gradebook()(_of_existing(undo))
    # A roster may come first: grading clones looks up in it whose they are.
    of_gradebook(short_help="Take over what Canvas, Moodle and GitHub call our students.")(roster)
    of_gradebook(short_help="Take people's scores from nbgrader, and write new results to it.")(
        _of_existing(sync)
    )
    app.add_typer(gradebook_app, name="gradebook")
    app.command(short_help="Prove each layer of the isolation by attempting a violation.")(doctor)


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
        Path | None,
        typer.Argument(
            help="A folder with one folder (or zip file) for each student, or what Canvas or Moodle gave for download, "
            "unpacked or not."
        ),
    ] = None,
    nbgrader: NbgraderOption = None,
    github: GithubOption = None,
    deadline: DeadlineOption = None,
    grades_csv: GradesOption = None,
    gradebook: GradebookOption = DEFAULT_GRADEBOOK,
    workers: Annotated[int, typer.Option(min=1, help="Processes of this machine to grade with.")] = 1,
    scheduler: Annotated[
        str | None,
        typer.Option(help="Address of a Dask scheduler, to grade on all its workers: docs/scale.md."),
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option(help="Grade these exercises, units or assignments only; may be repeated."),
    ] = None,
    accept_names: Annotated[
        bool,
        typer.Option(
            "--accept-names", help="Also grade files whose names only resemble an exercise's (dpo_v2.py)."
        ),
    ] = False,
    unit: UnitOption = None,
    unsafe: Annotated[
        bool, typer.Option("--unsafe", help="Run without isolation. For trusted code only.")
    ] = False,
    json: JsonOption = False,
    course: CourseOption = None,
    lang: LangOption = None,
) -> None:
    """Grade a folder of submissions, an nbgrader course's, or a folder of clones, into the gradebook.

    Exit status: 0 when all is graded, whatever the points; 2 when something given is wrong; 3 when something could not be
    graded and the fault is not a student's, so run it again; 130 after Ctrl-C.
    """
    from autograder.cli.grade_table import grade_table
    from autograder.cli.progress_bar import GradingProgress
    from autograder.cli.tables import Tally, diagnosis_table, fault_lines, reached_table, unreadable_lines
    from autograder.cli.unrecognised import run_json, unrecognised_table
    from autograder.gradebook import Gradebook
    from autograder.gradebook.ci_formats import result_json
    from autograder.gradebook.database import GradebookError
    from autograder.grading.names import Names
    from autograder.grading.on_dask import in_clear
    from autograder.grading.scheduler import Batch, Grader
    from autograder.grading.scheme import scheme_of
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
    if github is not None and grades_csv is not None:
        check_grades(grades_csv, github)
    root = open_course(course, authoring=True).graded
    exercises = root.select(only or [])
    root.check_files(exercises)
    _of_unit(exercises, unit)  # refused before anything is graded
    if unsafe:
        remarks.print(say(UNSAFE), style=LOUD)
    if scheduler is not None and in_clear(scheduler):
        remarks.print(say(IN_CLEAR, address=scheduler), style="yellow", markup=False)
    with ExitStack() as stack:
        book = stack.enter_context(Gradebook(gradebook))
        stack.enter_context(_resumable(book.name, remarks, say))
        names = Names(list(root), accept_names)
        unrecognised: dict[str, list[Unrecognised]] = {}
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
            for clone in classroom.clones:
                unrecognised.setdefault(clone.student, []).extend(clone.elsewhere)
        else:
            assert submissions is not None  # one of the three is given
            download = stack.enter_context(
                opened_submissions(submissions, book.roster(), names, unsafe, remarks, say)
            )
            for file in download.loose:
                unrecognised.setdefault("", []).append(file)
            work = [Batch(exercises, download.students, download.folder)]
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
                names=names,
                unrecognised=lambda student, file: unrecognised.setdefault(student, []).append(file),
            )
            # Under --unsafe submissions print where we do; standard output is kept for the answer.
            try:
                with progress, redirect_stdout(sys.stderr) if unsafe else nullcontext():
                    for item in progress.following(grader.run(part.students, part.folder)):
                        tally.add(item.result, item.cached)
                        if json:
                            results.append(item.result)
            except GradebookError as error:
                remarks.print(f"autograder: {say(error.text)}", style="red", markup=False, soft_wrap=True)
                told = say(BROKEN_OFF, done=tally.settled, left=progress.waiting)
                remarks.print(told, style=LOUD, markup=False)
                raise typer.Exit(NOT_GRADED) from None
        book.note_unrecognised(
            (submissions or github or nbgrader or Path()).resolve().name,
            {student: unrecognised.get(student, []) for student in students},
        )
        unrecognised = {student: files for student, files in unrecognised.items() if files}
        if synchroniser is not None:
            write_out(synchroniser, remarks, say)
        if classroom is not None and grades_csv is not None:
            write_grades(grades_csv, root, classroom, book, remarks, say)
        if json:
            places = {exercise.id: place for place, exercise in enumerate(root)}
            results.sort(key=lambda result: (result.student, places[result.exercise]))
            print_json({**result_json(results), "unrecognised": run_json(unrecognised)})
        else:
            everybody = sorted({*students, *book.roster()})
            console().print(
                grade_table(book, scheme_of(book, root, _of_unit(exercises, unit)), everybody, say)
            )
            for table in (
                diagnosis_table(tally, say),
                reached_table(tally, say),
                unrecognised_table(unrecognised, say),
            ):
                if table is not None:
                    console().print(table)
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
        remarks.print(say(FAULT, n=tally.ungraded), style=LOUD, markup=False)
        for line in fault_lines(tally, say):
            remarks.print(line, style="yellow", markup=False)
        remarks.print(say(AGAIN), style="yellow")
        raise typer.Exit(NOT_GRADED)


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
    """Show the grade table, or one student's results test by test. Where no course is at hand, as they were recorded."""
    from autograder.cli.grade_table import grade_table
    from autograder.cli.tables import student_table
    from autograder.cli.unrecognised import noted_json
    from autograder.gradebook import Gradebook
    from autograder.gradebook.ci_formats import recorded_json
    from autograder.gradebook.scores import current_scores, last_results
    from autograder.grading.scheme import recorded_scheme, scheme_of

    say = Speaker(lang)
    root = course_at_hand(course)
    with Gradebook(gradebook) as book:
        scheme = recorded_scheme(book) if root is None else scheme_of(book, root, student=student)
        if json:
            results = last_results(book, scheme, student)
            scores = current_scores(book, scheme, student)
            found = recorded_json(results, scores, book.adjustments(student))
            print_json({**found, "unrecognised": noted_json(book.unrecognised(student))})
        elif student is not None:
            console().print(student_table(book, scheme, student, say))
        else:
            _check_unit(scheme.versions, unit)
            console().print(grade_table(book, scheme.of_unit(unit), book.students(), say))


def _of_unit(exercises: list[Exercise], unit: str | None) -> list[Exercise]:
    """The exercises that a table is about: all, or one unit's."""
    _check_unit([exercise.id for exercise in exercises], unit)
    return [exercise for exercise in exercises if unit in (None, exercise.unit)]


def _check_unit(exercises: Iterable[str], unit: str | None) -> None:
    """UserError where none of these exercises is of the unit."""
    units = list(dict.fromkeys(name.partition("/")[0] for name in exercises))
    if unit is not None and unit not in units:
        raise UserError(
            f"--unit {unit!r}: choose one of {', '.join(units)}",
            f"--unit {unit!r}：请选择 {'、'.join(units)} 之一",
        )


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
