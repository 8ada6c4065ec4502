"""Commands of an instructor: grade, gradebook, report, doctor."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from autograder.cli.adjust import TakesNegatives, adjust, adjustments, undo
from autograder.cli.common import (
    DEFAULT_GRADEBOOK,
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
from autograder.cli.explain import explain
from autograder.cli.export import export, roster
from autograder.cli.extend import extend, extensions
from autograder.cli.github import (
    DeadlineOption,
    GithubOption,
    GradesOption,
    check_grades,
    write_grades,
)
from autograder.cli.grading_run import (
    FAULT,
    LOUD,
    AcceptNamesOption,
    Machines,
    OnlyOption,
    SchedulerOption,
    Source,
    SubmissionsArgument,
    TimesOption,
    UnsafeOption,
    WorkersOption,
    opened_work,
)
from autograder.cli.history import history
from autograder.cli.nbgrader import NbgraderOption, sync, write_out
from autograder.cli.report import report
from autograder.errors import UserError
from autograder.text import Text

if TYPE_CHECKING:
    from autograder.course import Exercise
    from autograder.results import ExerciseResult

DONE = Text(
    "{new} graded, {cached} known already, {invalid} could not be read, {ungraded} left ungraded. Gradebook: {name}",
    "新评 {new} 份，已有结果 {cached} 份，无法读取 {invalid} 份，未能评分 {ungraded} 份。成绩册：{name}",
)
AGAIN = Text(
    "Mend it where it can be mended, then run the same command again. The whole reason: "
    "autograder gradebook show --student NAME",
    "请先排除故障，再运行同一命令。完整原因：autograder gradebook show --student 姓名",
)
NEXT = Text(
    "Next: autograder gradebook show --gradebook {name} --student NAME, or autograder gradebook export grades.csv --gradebook {name}",
    "接下来：autograder gradebook show --gradebook {name} --student 姓名，或 autograder gradebook export grades.csv --gradebook {name}",
)
NOT_HERE = Text(
    "{path} has times of students of whom nothing is here: {names}",
    "{path} 中有些学生在这里没有任何提交：{names}",
)
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
    of_gradebook()(of_existing(show))
    of_gradebook(short_help="Write the gradebook for a spreadsheet, a platform or a machine.")(
        of_existing(export)
    )
    of_gradebook(short_help="Tell what happened to a student's work, and the score after each event.")(
        of_existing(history)
    )
    of_gradebook(cls=TakesNegatives)(of_existing(adjust))
    of_gradebook()(of_existing(adjustments))
    of_gradebook()(of_existing(undo))
    of_gradebook(short_help="Give a student or a section more time.")(of_existing(extend))
    of_gradebook(short_help="List who was given more time.")(of_existing(extensions))
    of_gradebook(short_help="Explain a student's final grade, line by line.")(of_existing(explain))
    # A roster may come first: grading clones looks up in it whose they are.
    of_gradebook(short_help="Take over what Canvas, Moodle and GitHub call our students.")(roster)
    of_gradebook(short_help="Take people's scores from nbgrader, and write new results to it.")(
        of_existing(sync)
    )
    app.add_typer(gradebook_app, name="gradebook")
    app.command(short_help="Write how the class and each test went, as pages and tables.")(
        of_existing(report)
    )
    app.command(short_help="Prove each layer of the isolation by attempting a violation.")(doctor)


def of_existing(command: Callable[..., None]) -> Callable[..., None]:
    """The command, for a gradebook that is there: one made by a mistyped name would be an empty answer."""

    @functools.wraps(command)
    def checked(*arguments: Any, gradebook: str, **more: Any) -> None:
        from autograder.gradebook.database import must_exist

        must_exist(gradebook)
        command(*arguments, gradebook=gradebook, **more)

    return checked


def grade(
    submissions: SubmissionsArgument = None,
    nbgrader: NbgraderOption = None,
    github: GithubOption = None,
    deadline: DeadlineOption = None,
    grades_csv: GradesOption = None,
    gradebook: GradebookOption = DEFAULT_GRADEBOOK,
    times: TimesOption = None,
    workers: WorkersOption = 1,
    scheduler: SchedulerOption = None,
    only: OnlyOption = None,
    accept_names: AcceptNamesOption = False,
    unit: UnitOption = None,
    unsafe: UnsafeOption = False,
    json: JsonOption = False,
    course: CourseOption = None,
    lang: LangOption = None,
) -> None:
    """Grade a folder of submissions, an nbgrader course's, or a folder of clones, into the gradebook.

    Exit status: 0 when all is graded, whatever the points; 2 when something given is wrong; 3 when something could not be
    graded and the fault is not a student's, so run it again; 130 after Ctrl-C.
    """
    from autograder.cli.grade_table import grade_table
    from autograder.cli.tables import Tally, diagnosis_table, fault_lines, reached_table, unreadable_lines
    from autograder.cli.unrecognised import run_json, unrecognised_table
    from autograder.gradebook import Gradebook
    from autograder.gradebook.ci_formats import result_json
    from autograder.gradebook.csv_lists import read_times
    from autograder.grading.scheme import scheme_of

    say, remarks = Speaker(lang), console(stderr=True)
    source = Source(submissions, nbgrader, github, deadline, accept_names)
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
    machines = Machines(unsafe, workers, scheduler)
    machines.warn(remarks, say)
    with (
        Gradebook(gradebook) as book,
        opened_work(source, root, exercises, book, unsafe, remarks, say) as work,
    ):
        students, classroom = work.students, work.classroom
        if classroom is not None:
            exercises = list(classroom.batch.exercises)
        given = read_times(times, root, book.roster()) if times is not None else {}
        book.add_students(students)
        book.note_rules(scheme_of(book, root, []).rules)
        tally = Tally()
        results: list[ExerciseResult] = []
        for item in work.run(book, machines, tally, remarks, say, record=book.record, times=given):
            if json:
                results.append(item.result)
        book.note_unrecognised(
            source.name, {student: work.unrecognised.get(student, []) for student in students}
        )
        unrecognised = {student: files for student, files in work.unrecognised.items() if files}
        if strangers := sorted({student for student, _ in given} - set(students)):
            remarks.print(say(NOT_HERE, path=times, names=", ".join(strangers)), style="yellow", markup=False)
        if work.synchroniser is not None:
            write_out(work.synchroniser, remarks, say)
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
