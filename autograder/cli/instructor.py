"""Commands of an instructor: grade, gradebook, doctor."""

from __future__ import annotations

import getpass
import sys
from contextlib import nullcontext, redirect_stdout
from pathlib import Path
from typing import Annotated

import typer

from autograder.cli.common import (
    CourseOption,
    JsonOption,
    LangOption,
    Speaker,
    console,
    open_course,
    print_json,
)
from autograder.results import Text

GradebookOption = Annotated[
    str, typer.Option("--gradebook", help="A file name (SQLite) or a database URL (postgresql://...).")
]
DEFAULT_GRADEBOOK = "gradebook.db"

UNSAFE = Text(
    "UNSAFE: submissions run inside this process, with your rights, next to the answers. Every result is marked unsafe.",
    "不安全模式：提交的代码将在本进程内运行，拥有你的权限，并能看到答案。所有结果都会标记为 unsafe。",
)
DONE = Text(
    "{new} graded, {cached} known already, {invalid} could not be read, {ungraded} left ungraded. Gradebook: {name}",
    "新评 {new} 份，已有结果 {cached} 份，无法读取 {invalid} 份，未能评分 {ungraded} 份。成绩册：{name}",
)
AGAIN = Text(
    "Some submissions stayed ungraded through a fault of the grader; run the same command again.",
    "有提交因评分系统故障未能评分；请再次运行同一命令。",
)
NEXT = Text(
    "Next: autograder gradebook show --gradebook {name} --student NAME, or autograder gradebook export grades.csv --gradebook {name}",
    "接下来：autograder gradebook show --gradebook {name} --student 姓名，或 autograder gradebook export grades.csv --gradebook {name}",
)
EXPORTED = Text("{rows} rows written to {path}.", "已将 {rows} 行写入 {path}。")
ADJUSTED = Text(
    "{student}, {exercise}: {points:+g} points, recorded.", "{student}，{exercise}：{points:+g} 分，已记录。"
)

gradebook_app = typer.Typer(help="Show, export and adjust what is recorded.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add this group's commands."""
    app.command()(grade)
    app.add_typer(gradebook_app, name="gradebook")
    app.command()(doctor)


def grade(
    submissions: Annotated[
        Path, typer.Argument(help="A folder with one folder (or zip file) for each student.")
    ],
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
    """Grade a folder of submissions into the gradebook."""
    from autograder.cli.tables import Tally, diagnosis_table, grade_table, result_json
    from autograder.cli.watch import with_progress
    from autograder.gradebook import Gradebook
    from autograder.grading.run import Grader, Mode, students_in

    say, remarks = Speaker(lang), console(stderr=True)
    root = open_course(course, authoring=True)
    exercises = root.select(only or [])
    root.check_files(exercises)
    if unsafe:
        remarks.print(say(UNSAFE), style="bold white on red")
    with Gradebook(gradebook) as book:
        students = students_in(submissions)
        book.add_students(students)
        grader = Grader(
            exercises,
            Mode(unsafe=unsafe, hide=(root.root,)),
            known=book.known,
            record=book.record,
            workers=workers,
            scheduler=scheduler,
        )
        tally, results = Tally(), []
        # Under --unsafe submissions print where we do; standard output is kept for the answer.
        with redirect_stdout(sys.stderr) if unsafe else nullcontext():
            for item in with_progress(grader.run(submissions), remarks, len(students)):
                tally.add(item.result, item.cached)
                if json:
                    results.append(item.result)
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
def export(
    path: Annotated[Path, typer.Argument(help="The CSV file to write.")],
    gradebook: GradebookOption = DEFAULT_GRADEBOOK,
    per: Annotated[str, typer.Option(help="One row for each: student, exercise or test.")] = "student",
    course: CourseOption = None,
    lang: LangOption = None,
) -> None:
    """Write the gradebook as CSV."""
    from autograder.gradebook import Gradebook
    from autograder.gradebook.export import table

    with Gradebook(gradebook) as book:
        root = open_course(course)
        frame = table(book, [exercise.id for exercise in root], root.policy, per)
        try:
            frame.to_csv(path, index=False)
        except OSError as error:
            from autograder.errors import UserError

            raise UserError(f"{path} can't be written ({error.strerror}); choose another place") from None
        console(stderr=True).print(Speaker(lang)(EXPORTED, rows=len(frame), path=path))


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
