"""`autograder similarity`: which answers of a class to look at side by side."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer

from autograder.cli.common import (
    DEFAULT_GRADEBOOK,
    CourseOption,
    GradebookOption,
    LangOption,
    Speaker,
    console,
    open_course,
)
from autograder.cli.submissions import opened_submissions
from autograder.errors import UserError
from autograder.text import Text

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from autograder.course import Exercise
    from autograder.feedback.similarity import ExerciseSimilarity
    from autograder.gradebook.roster import Person
    from autograder.grading.names import Names
    from autograder.grading.spool import Spool

COMPARED = ("exercise", "capstone")
DONE = Text(
    "{pairs} pairs to look at. A likeness is no proof of anything: the pages say what a score means. {path}",
    "有 {pairs} 对答案可以并排查看。相似本身不能证明任何事，分数的含义见页面说明。{path}",
)
HEADS = (
    Text("exercise", "练习"),
    Text("answers", "答案"),
    Text("pairs", "对数"),
    Text("highest", "最高分"),
    Text("independent\nat most", "独立解答\n最高"),
)
OTHERS = Text("No pairs to look at in {n} other exercises.", "另有 {n} 道练习没有需要查看的对。")


def register(app: typer.Typer) -> None:
    """Add this command."""
    app.command(short_help="Show which answers of a class to look at side by side; accuses nobody.")(
        similarity
    )


def similarity(
    submissions: Annotated[
        Path, typer.Argument(help="What `autograder grade` takes: a folder, or a zip file.")
    ],
    out: Annotated[
        Path, typer.Argument(help="A folder for the pages and pairs.csv; made where there is none.")
    ],
    only: Annotated[
        list[str] | None,
        typer.Option(help="These exercises, units or assignments only; may be repeated."),
    ] = None,
    threshold: Annotated[
        float | None,
        typer.Option(
            min=0.01, max=1.0, help="Show pairs from this score on, in place of the calibrated limit."
        ),
    ] = None,
    independent: Annotated[
        list[Path] | None,
        typer.Option(
            help="A folder of hand-ins by people who can't have known each other's; calibrates further. May be repeated."
        ),
    ] = None,
    accept_names: Annotated[
        bool,
        typer.Option(
            "--accept-names", help="Also take files whose names only resemble an exercise's (dpo_v2.py)."
        ),
    ] = False,
    gradebook: GradebookOption = DEFAULT_GRADEBOOK,
    course: CourseOption = None,
    lang: LangOption = None,
) -> None:
    """Compare a class's answers to each exercise and write pages of the pairs that are more alike than independent work.

    Only what students wrote is compared, as text: none of it is run. Quizzes are left out. The gradebook, where there is
    one, only tells what Canvas and Moodle call your students.
    """
    from autograder.course.outputs import refuse_among
    from autograder.course.own_folder import OwnFolder
    from autograder.feedback.similarity import INDEX, LIST, similarity_files
    from autograder.grading.names import Names

    say, remarks = Speaker(lang), console(stderr=True)
    if find_spec("copydetect") is None:
        raise UserError(
            "copydetect is not installed; install the instructor extra: pip install 'llm-autograder[instructor]'",
            "未安装 copydetect；请安装 instructor 附加依赖：pip install 'llm-autograder[instructor]'",
        )
    from autograder.grading.similarity import Comparison

    root = open_course(course, authoring=True)
    exercises = [exercise for exercise in root.select(only or []) if exercise.kind in COMPARED]
    root.check_files(exercises)
    if not exercises or not root.has_solutions:
        raise UserError(
            "nothing to compare: quizzes are left out, and a course without solutions/ can't tell what anybody may write; "
            "name an exercise by --only, and run this where the whole course is",
            "没有可比较的内容：小测验不参与比较；没有 solutions/ 的课程无法判断哪些写法人人都会用。请用 --only 指定练习，并在完整的课程中运行",
        )
    folder = OwnFolder(out, LIST)
    refuse_among(out / INDEX, submissions)
    names, people = Names(list(root.graded), accept_names), _roster(gradebook)
    with ExitStack() as stack:
        spools = [
            stack.enter_context(_collected(place, exercises, names, people, remarks, say))
            for place in (submissions, *(independent or ()))
        ]
        found = []
        for exercise in exercises:
            if next(spools[0].take(exercise.id), None) is None:
                continue
            comparison = Comparison(exercise)
            for earlier in spools[1:]:
                comparison.add_independent(one for _, one in earlier.take(exercise.id))
            found.append(comparison.found((one for _, one in spools[0].take(exercise.id)), threshold))
    with folder:
        folder.replace(similarity_files(found, say.lang))
    console().print(_table(found, say))
    pairs = sum(len(one.pairs) for one in found)
    remarks.print(say(DONE, pairs=pairs, path=out / INDEX), markup=False, soft_wrap=True)


def _roster(gradebook: str) -> Mapping[str, Person]:
    """The people of a gradebook; nobody, where there is none by the name that is meant by default."""
    from autograder.gradebook import Gradebook
    from autograder.gradebook.database import must_exist

    if gradebook == DEFAULT_GRADEBOOK and not Path(gradebook).exists():
        return {}
    must_exist(gradebook)
    with Gradebook(gradebook) as book:
        return book.roster()


@contextmanager
def _collected(
    place: Path,
    exercises: Sequence[Exercise],
    names: Names,
    people: Mapping[str, Person],
    remarks: Console,
    say: Speaker,
) -> Iterator[Spool]:
    """What a class handed in for these exercises, on disk, main files only."""
    from autograder.grading.spool import Spool
    from autograder.grading.submissions import submissions_of
    from autograder.grading.worker import Mode, Worker

    worker = Worker(Mode())  # starts where there is an archive
    with (
        opened_submissions(place, people, names, False, remarks, say) as download,
        TemporaryDirectory(prefix="autograder-") as scratch,
        closing(worker),
    ):
        spool = Spool(Path(scratch))
        for student, entries in download.students.items():
            for one in submissions_of(student, entries, exercises, worker.unpack, download.folder, names):
                main = {one.main: one.files[one.main]} if one.problem is None else {}
                spool.add(spool.keep(replace(one, files=main), ""))
        yield spool


def _table(found: Sequence[ExerciseSimilarity], say: Speaker) -> Table:
    """One line for each exercise that has pairs."""
    from rich.table import Table

    table = Table(show_edge=False, caption_justify="left")
    for place, head in enumerate(HEADS):
        table.add_column(say(head), justify="right" if place else "left", overflow="fold")
    shown = [one for one in found if one.pairs]
    for one in shown:
        highest = f"{one.independent.highest:.2f}" if one.independent.pairs else "–"
        figures = (str(one.answers), str(len(one.pairs)), f"{one.pairs[0].score:.2f}", highest)
        table.add_row(one.exercise, *figures)
    if len(shown) < len(found):
        table.caption = say(OTHERS, n=len(found) - len(shown))
    return table
