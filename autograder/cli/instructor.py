"""Commands of an instructor: grade, gradebook, doctor."""

from __future__ import annotations

import getpass
import sys
from contextlib import ExitStack, nullcontext, redirect_stdout
from pathlib import Path
from typing import Annotated

import typer

from autograder.cli.common import (
    DEFAULT_GRADEBOOK,
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
from autograder.results import Text

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
ADJUSTED = Text(
    "{student}, {exercise}: {points:+g} points, recorded.", "{student}，{exercise}：{points:+g} 分，已记录。"
)

gradebook_app = typer.Typer(
    help="Show, export, adjust and synchronise what is recorded.", no_args_is_help=True
)
gradebook_app.command()(sync)
gradebook_app.command()(export)
gradebook_app.command()(roster)


def register(app: typer.Typer) -> None:
    """Add this group's commands."""
    app.command()(grade)
    app.add_typer(gradebook_app, name="gradebook")
    app.command()(doctor)


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
    unsafe: Annotated[
        bool, typer.Option("--unsafe", help="Run without isolation. For trusted code only.")
    ] = False,
    json: JsonOption = False,
    course: CourseOption = None,
    lang: LangOption = None,
) -> None:
    """Grade a folder of submissions, an nbgrader course's, or a folder of clones, into the gradebook."""
    from autograder.cli.tables import Tally, diagnosis_table, fault_lines, grade_table, result_json
    from autograder.cli.watch import with_progress
    from autograder.gradebook import Gradebook
    from autograder.grading.nbgrader import rounds
    from autograder.grading.run import Grader, Mode, Round
    from autograder.grading.submissions import students_of

    say, remarks = Speaker(lang), console(stderr=True)
    if [submissions, nbgrader, github].count(None) != 2:
        raise UserError(
            "give a folder of submissions, or --nbgrader COURSE_DIR, or --github CLONES_DIR, and no two"
        )
    if github is None and (deadline or grades_csv):
        raise UserError("--deadline and --grades-csv go with --github CLONES_DIR")
    root = open_course(course, authoring=True)
    exercises = root.select(only or [])
    root.check_files(exercises)
    if unsafe:
        remarks.print(say(UNSAFE), style="bold white on red")
    with ExitStack() as stack:
        book = stack.enter_context(Gradebook(gradebook))
        synchroniser, classroom = None, None
        if nbgrader is not None:
            synchroniser = stack.enter_context(opened(nbgrader, root, exercises, book))
            work = rounds(root, synchroniser.place, synchroniser.released)
        elif github is not None:
            classroom = stack.enter_context(
                opened_class(github, deadline, root, exercises, book, remarks, say)
            )
            work = [classroom.round]
        else:
            assert submissions is not None  # one of the three is given
            work = [Round(exercises, students_of(submissions))]
        hidden = (root.root,) if synchroniser is None else (root.root, synchroniser.place.root)
        students = sorted({student for part in work for student in part.students})
        book.add_students(students)
        tally, results = Tally(), []
        for part in work:
            grader = Grader(
                part.exercises,
                Mode(unsafe=unsafe, hide=hidden),
                known=book.known,
                record=book.record,
                workers=workers,
                scheduler=scheduler,
            )
            settled = grader.run(part.students, part.folder)
            # Under --unsafe submissions print where we do; standard output is kept for the answer.
            with redirect_stdout(sys.stderr) if unsafe else nullcontext():
                for item in with_progress(settled, remarks, len(part.students)):
                    tally.add(item.result, item.cached)
                    if json:
                        results.append(item.result)
        if synchroniser is not None:
            write_out(synchroniser, remarks, say, unsafe=unsafe)
        if classroom is not None and grades_csv is not None:
            write_grades(grades_csv, root, classroom, book, remarks, say)
        if json:
            print_json(result_json(results))
        else:
            console().print(grade_table(book, root, exercises, students, say))
            found = diagnosis_table(tally, say)
            if found is not None:
                console().print(found)
        remarks.print(
            say(
                DONE,
                new=tally.new,
                cached=tally.cached,
                invalid=tally.invalid,
                ungraded=tally.ungraded,
                name=book.name,
            )
        )
        if not json:
            remarks.print(say(NEXT, name=book.name), style="dim")
    if tally.ungraded:
        for line in fault_lines(tally):
            remarks.print(line, style="yellow", markup=False)
        remarks.print(say(AGAIN), style="yellow")
        raise typer.Exit(1)


@gradebook_app.command()
def show(
    gradebook: GradebookOption = DEFAULT_GRADEBOOK,
    student: Annotated[str | None, typer.Option(help="One student, test by test.")] = None,
    json: JsonOption = False,
    course: CourseOption = None,
    lang: LangOption = None,
) -> None:
    """Show the grade table, or one student's results test by test."""
    from autograder.cli.tables import grade_table, result_json, student_table
    from autograder.gradebook import Gradebook

    say = Speaker(lang)
    root = open_course(course)
    with Gradebook(gradebook) as book:
        if json:
            results = [history[-1].result for history in book.attempts().values()]
            print_json(result_json([r for r in results if student in (None, r.student)]))
        elif student is not None:
            console().print(student_table(book, root, student, say))
        else:
            console().print(grade_table(book, root, list(root), book.students(), say))


@gradebook_app.command()
def adjust(
    student: Annotated[str, typer.Argument(help="Whose points.")],
    exercise: Annotated[str, typer.Argument(help="On which exercise.")],
    points: Annotated[float, typer.Argument(help="How many to add; put -- before a negative number.")],
    reason: Annotated[str, typer.Option(help="Why; kept with the adjustment.")],
    who: Annotated[str | None, typer.Option(help="Who decided (the login name by default).")] = None,
    gradebook: GradebookOption = DEFAULT_GRADEBOOK,
    course: CourseOption = None,
    lang: LangOption = None,
) -> None:
    """Give or take points by hand. The attempts stay as they are."""
    from autograder.gradebook import Gradebook

    name = open_course(course).exercise(exercise).id
    with Gradebook(gradebook) as book:
        book.adjust(student, name, points, reason=reason, who=who or getpass.getuser())
    console().print(Speaker(lang)(ADJUSTED, student=student, exercise=name, points=points))


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
