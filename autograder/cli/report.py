"""`autograder report`: how the class and each test went, as pages and tables."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from autograder.cli.common import (
    DEFAULT_GRADEBOOK,
    CourseOption,
    GradebookOption,
    LangOption,
    Speaker,
    console,
    course_at_hand,
)
from autograder.cli.submissions import clustered
from autograder.errors import UserError
from autograder.text import Text

if TYPE_CHECKING:
    from autograder.course import Course, Exercise
    from autograder.gradebook import GradingScheme
    from autograder.gradebook.insight import ExerciseInsight
    from autograder.gradebook.report_pages import Page
    from autograder.gradebook.report_tables import Group
    from autograder.grading.clusters import Cluster

REPORTED = Text(
    "{n} files written to {out}. Open {page}. They name hidden tests and diagnoses: they are not for students.",
    "已向 {out} 写入 {n} 个文件。请打开 {page}。其中有隐藏测试的名称和诊断，不要交给学生。",
)
EMPTY = Text(
    "nothing is recorded on these exercises; grade submissions first, or name others",
    "这些练习还没有任何记录；请先评分，或指定其他练习",
)
NO_COURSE = Text(
    "--assignment, --only and --cluster need the course; run this in its folder or name it with --course",
    "--assignment、--only 和 --cluster 需要课程；请在课程目录中运行，或用 --course 指定",
)


def report(
    out: Annotated[Path, typer.Argument(help="A folder that is new, empty, or holds an earlier report.")],
    gradebook: GradebookOption = DEFAULT_GRADEBOOK,
    assignment: Annotated[
        list[str] | None, typer.Option(help="Only these assignments; may be repeated.")
    ] = None,
    only: Annotated[
        list[str] | None, typer.Option(help="Only these exercises, units or assignments; may be repeated.")
    ] = None,
    anonymous: Annotated[
        bool, typer.Option("--anonymous", help="Show ranks in place of students' names.")
    ] = False,
    cluster: Annotated[
        Path | None,
        typer.Option(
            metavar="SUBMISSIONS",
            help="Also run these submissions again, and group the failures that no known mistake explains.",
        ),
    ] = None,
    course: CourseOption = None,
    lang: LangOption = None,
) -> None:
    """Write how the class and each test went: a page for the course, one for each assignment, and CSV files."""
    from autograder.course.own_folder import OwnFolder
    from autograder.gradebook import Gradebook
    from autograder.gradebook.insight import exercise_insight, shares
    from autograder.gradebook.report_pages import INDEX, LIST, report_files
    from autograder.grading.scheme import recorded_scheme, scheme_of

    say, remarks = Speaker(lang), console(stderr=True)
    root = course_at_hand(course)
    if root is None and (assignment or only or cluster):
        raise UserError.of(NO_COURSE)
    folder = OwnFolder(out, LIST)
    groups: dict[str, list[Group]] | None = None
    with Gradebook(gradebook) as book, remarks.status("") as status:
        scheme = recorded_scheme(book) if root is None else scheme_of(book, root)
        begun = book.exercises()
        chosen = [name for name in _chosen(root, scheme, assignment, only) if name in begun]
        if not chosen:
            raise UserError.of(EMPTY)
        status.update(f"{len(book.students())}")
        everybody = shares(book, scheme, chosen)
        insights: dict[str, ExerciseInsight] = {}
        for name in chosen:
            status.update(f"{len(insights)}/{len(chosen)}  {name}")
            insights[name] = exercise_insight(book, scheme, name)
        if cluster is not None:
            assert root is not None  # refused above
            groups = {}
            exercises = [root.exercise(name) for name in chosen]
            with clustered(cluster, root, exercises, book.roster(), book.known, remarks, say) as each:
                for exercise, clusters, _ in each:
                    status.update(f"{len(groups)}/{len(chosen)}  {exercise.id}")
                    groups[exercise.id] = [_group(exercise, one) for one in clusters]
    title = root.title.text if root else Text(book.name, book.name)
    pages = pages_of(scheme, everybody.assignments, chosen)
    files = report_files(everybody, pages, insights, groups, title, say.lang, anonymous=anonymous)
    with folder:
        folder.replace(files)
    console().print(say(REPORTED, n=len(files), out=out, page=out / INDEX), markup=False, soft_wrap=True)


def _chosen(
    root: Course | None, scheme: GradingScheme, assignments: list[str] | None, only: list[str] | None
) -> list[str]:
    """The exercises that the report is about, in the course's order."""
    if root is None:
        return list(scheme.versions)
    known = {one.id for one in root.assignments}
    for name in assignments or []:
        if name not in known:
            told = ", ".join(sorted(known)) or "-"
            raise UserError(
                f"--assignment {name!r}: the course has {told}", f"--assignment {name!r}：课程中有 {told}"
            )
    return [exercise.id for exercise in root.select([*(assignments or []), *(only or [])])]


def pages_of(scheme: GradingScheme, begun: Sequence[str], chosen: Sequence[str]) -> list[Page]:
    """A page for each assignment with an exercise among these, and one for those of no assignment; none, if that is all."""
    from autograder.feedback.insight_words import OTHER as TITLE
    from autograder.gradebook.report_pages import OTHER, Page

    pages, left = [], list(chosen)
    for one in scheme.assignments:
        mine = tuple(name for name in left if name in one.exercises)
        if mine:
            pages.append(Page(f"assignment-{one.id}.html", one.title, mine, list(begun).index(one.id)))
            left = [name for name in left if name not in mine]
    if pages and left:
        pages.append(Page(OTHER, TITLE, tuple(left)))
    return pages


def _group(exercise: Exercise, cluster: Cluster) -> Group:
    from autograder.gradebook.report_tables import Group
    from autograder.grading.clusters import nearest_solution

    return Group(
        exercise.id, cluster.submissions, cluster.tests, cluster.tells, *nearest_solution(exercise, cluster)
    )
