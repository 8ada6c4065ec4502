"""What `grade` and `regrade` share: where work comes from, and a run over it with its progress, stops and faults."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, nullcontext, redirect_stdout
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from autograder.cli.common import INTERRUPTED, NOT_GRADED, Speaker
from autograder.cli.github import Class, opened_class
from autograder.cli.nbgrader import opened
from autograder.cli.submissions import opened_submissions
from autograder.errors import UserError
from autograder.text import Text

if TYPE_CHECKING:
    from rich.console import Console

    from autograder.cli.tables import Tally
    from autograder.course import Course, Exercise
    from autograder.gradebook import Gradebook
    from autograder.grading.names import Names
    from autograder.grading.scheduler import Batch, Chosen
    from autograder.grading.work import Settled
    from autograder.platforms.nbgrader.sync import NbgraderSync
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
FAULT = Text(
    "{n} submissions could NOT be graded. The fault is the grader's or a test's, and costs nobody a point:",
    "有 {n} 份提交未能评分。故障出在评分系统或测试本身，不会使任何人失分：",
)
BROKEN_OFF = Text(
    "STOPPED: the gradebook can't be written to. {done} submissions are settled; at least {left} are NOT graded, which costs "
    "nobody a point. Run the same command again: it goes on where it stopped.",
    "已中断：成绩册无法写入。已处理 {done} 份提交；至少 {left} 份未能评分，不会使任何人失分。再次运行同一命令即可从中断处继续。",
)
STOPPED = Text(
    "Stopped. What is graded is recorded in {name}; run the same command to go on.",
    "已停止。已评分的结果记录在 {name} 中；再次运行同一命令即可继续。",
)
LOUD = "bold white on red"

SubmissionsArgument = Annotated[
    Path | None,
    typer.Argument(
        help="A folder with one folder (or zip file) for each student, or what Canvas or Moodle gave for download, "
        "unpacked or not."
    ),
]
WorkersOption = Annotated[int, typer.Option(min=1, help="Processes of this machine to grade with.")]
SchedulerOption = Annotated[
    str | None,
    typer.Option(help="Address of a Dask scheduler, to grade on all its workers: docs/scale.md."),
]
OnlyOption = Annotated[
    list[str] | None,
    typer.Option(help="Grade these exercises, units or assignments only; may be repeated."),
]
TimesOption = Annotated[
    Path | None,
    typer.Option(
        help="A CSV file that says when things were handed in (student, exercise or empty, time), whatever the files "
        "say. A time without an offset is read in the course's time zone."
    ),
]
AcceptNamesOption = Annotated[
    bool,
    typer.Option(
        "--accept-names", help="Also grade files whose names only resemble an exercise's (dpo_v2.py)."
    ),
]
UnsafeOption = Annotated[bool, typer.Option("--unsafe", help="Run without isolation. For trusted code only.")]


@dataclass(frozen=True)
class Source:
    """Where work comes from: one of three places, and how it is read."""

    submissions: Path | None
    nbgrader: Path | None
    github: Path | None
    deadline: str | None
    accept_names: bool

    def __post_init__(self) -> None:
        if [self.submissions, self.nbgrader, self.github].count(None) != 2:
            raise UserError(
                "give a folder of submissions, or --nbgrader COURSE_DIR, or --github CLONES_DIR, and no two",
                "请给出提交文件夹、--nbgrader COURSE_DIR、--github CLONES_DIR 三者之一，且只给一个",
            )

    @property
    def name(self) -> str:
        """The name of the folder."""
        return (self.submissions or self.github or self.nbgrader or Path()).resolve().name


@dataclass(frozen=True)
class Machines:
    """Where and how code runs."""

    unsafe: bool
    workers: int
    scheduler: str | None

    def warn(self, remarks: Console, say: Speaker) -> None:
        """Say what is dangerous about it."""
        from autograder.grading.on_dask import in_clear

        if self.unsafe:
            remarks.print(say(UNSAFE), style=LOUD)
        if self.scheduler is not None and in_clear(self.scheduler):
            remarks.print(say(IN_CLEAR, address=self.scheduler), style="yellow", markup=False)


@dataclass(frozen=True)
class ClassWork:
    """What is graded in one run. `unrecognised`: student -> files that nobody could place, filled in while it runs."""

    batches: Sequence[Batch]
    names: Names
    hidden: tuple[Path, ...]  # folders that no submission may read
    synchroniser: NbgraderSync | None = None
    classroom: Class | None = None
    unrecognised: dict[str, list[Unrecognised]] = field(default_factory=dict)

    @property
    def students(self) -> list[str]:
        return sorted({student for batch in self.batches for student in batch.students})

    def run(
        self,
        book: Gradebook,
        machines: Machines,
        tally: Tally,
        remarks: Console,
        say: Speaker,
        *,
        record: Callable[[ExerciseResult], None],
        chosen: Chosen | None = None,
        times: Mapping[tuple[str, str], datetime] | None = None,
    ) -> Iterator[Settled]:
        """Grade what is new, with its progress shown. A gradebook that can't be written to ends the command, and is told."""
        from autograder.cli.progress_bar import GradingProgress
        from autograder.gradebook.database import GradebookError
        from autograder.grading.scheduler import Grader
        from autograder.grading.worker import Mode

        for batch in self.batches:
            progress = GradingProgress(remarks, len(batch.students), say)
            grader = Grader(
                batch.exercises,
                Mode(unsafe=machines.unsafe, hide=self.hidden),
                known=book.known,
                record=record,
                latest=book.latest,
                workers=machines.workers,
                scheduler=machines.scheduler,
                collected=progress.collected,
                names=self.names,
                unrecognised=lambda student, file: self.unrecognised.setdefault(student, []).append(file),
                chosen=chosen,
                times=times or {},
            )
            # Under --unsafe submissions print where we do; standard output is kept for the answer.
            try:
                with progress, redirect_stdout(sys.stderr) if machines.unsafe else nullcontext():
                    for item in progress.following(grader.run(batch.students, batch.folder)):
                        tally.add(item.result, item.cached)
                        yield item
            except GradebookError as error:
                remarks.print(f"autograder: {say(error.text)}", style="red", markup=False, soft_wrap=True)
                told = say(BROKEN_OFF, done=tally.settled, left=progress.waiting)
                remarks.print(told, style=LOUD, markup=False)
                raise typer.Exit(NOT_GRADED) from None


@contextmanager
def opened_work(
    source: Source,
    course: Course,
    exercises: Sequence[Exercise],
    book: Gradebook,
    unsafe: bool,
    remarks: Console,
    say: Speaker,
) -> Iterator[ClassWork]:
    """What is to be graded, for as long as this lasts. On Ctrl-C, say what is left of it, and how it goes on."""
    from autograder.grading.names import Names
    from autograder.grading.scheduler import Batch
    from autograder.platforms.nbgrader.course_dir import batches

    names = Names(list(course), source.accept_names)
    with ExitStack() as stack:
        stack.enter_context(_resumable(book.name, remarks, say))
        if source.nbgrader is not None:
            sync = stack.enter_context(opened(source.nbgrader, course, exercises, book))
            parts = batches(course, sync.place, sync.released)
            work = ClassWork(parts, names, (course.root, sync.place.root), synchroniser=sync)
        elif source.github is not None:
            classroom = stack.enter_context(
                opened_class(source.github, source.deadline, course, exercises, book, remarks, say)
            )
            work = ClassWork([classroom.batch], names, (course.root,), classroom=classroom)
            for clone in classroom.clones:
                work.unrecognised.setdefault(clone.student, []).extend(clone.elsewhere)
        else:
            assert source.submissions is not None  # one of the three is given
            download = stack.enter_context(
                opened_submissions(source.submissions, book.roster(), names, unsafe, remarks, say)
            )
            batch = Batch(exercises, download.students, download.folder)
            work = ClassWork([batch], names, (course.root,))
            work.unrecognised.setdefault("", []).extend(download.loose)
        yield work


@contextmanager
def _resumable(name: str, remarks: Console, say: Speaker) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        remarks.print(say(STOPPED, name=name), markup=False)
        raise typer.Exit(INTERRUPTED) from None
