"""`autograder gradebook explain`: how one student's final grade comes about, line by line."""

from __future__ import annotations

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
from autograder.errors import UserError
from autograder.text import Text

NO_ASSIGNMENTS = Text(
    "course/course.toml has no [[assignment]], so there is no final grade; add some, or use "
    "`autograder gradebook show --student {student}`",
    "course/course.toml 中没有 [[assignment]]，因此没有总评；请添加作业，或使用 "
    "`autograder gradebook show --student {student}`",
)
UNKNOWN = Text("--assignment {name!r}: choose one of {names}", "--assignment {name!r}：请选择 {names} 之一")


def explain(
    student: Annotated[str, typer.Argument(help="Whose grade.")],
    assignment: Annotated[
        str | None, typer.Option(help="Only how this assignment's points come about.")
    ] = None,
    gradebook: GradebookOption = DEFAULT_GRADEBOOK,
    json: JsonOption = False,
    course: CourseOption = None,
    lang: LangOption = None,
) -> None:
    """Explain a student's final grade: attempts, times, lateness, penalties, weights, what is dropped."""
    from autograder.gradebook import Gradebook
    from autograder.gradebook.final_grade import final_grades
    from autograder.gradebook.grade_json import final_grade_json
    from autograder.gradebook.scores import current_scores
    from autograder.grading.scheme import scheme_of

    say = Speaker(lang)
    with Gradebook(gradebook) as book:
        book.check_student(student)
        scheme = scheme_of(book, open_course(course).graded)
        names = [one.id for one in scheme.assignments]
        begun = {one.id for one in scheme.assignments if one.begun}
        if not names:
            raise UserError.of(NO_ASSIGNMENTS, student=student)
        if assignment is not None and assignment not in names:
            raise UserError.of(UNKNOWN, name=assignment, names=", ".join(names))
        scores = current_scores(book, scheme, student)
        grade = final_grades(scores, scheme, [student])[student]
    shown = [one for one in grade.assignments if assignment in (None, one.id)]
    if json:
        print_json(final_grade_json(grade, shown, scores, scheme))
        return
    out = console()
    for one in shown if assignment else [one for one in shown if one.id in begun]:
        out.print(f"{one.id}  {say(one.title)}", style="bold", markup=False)
        for line in one.lines:
            out.print(f"  {say(line)}", markup=False)
    if assignment is None:
        for line in grade.lines:
            out.print(say(line), markup=False)
