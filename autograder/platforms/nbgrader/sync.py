"""Between our gradebook and an nbgrader course, both ways.

Out: each question's score goes to its grade cell, what the student may read of it to the comment of its solution cell
and into `autograded/`. Back: what people decided in the formgrader becomes adjustments. Doing either twice changes
nothing the second time.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import BinaryIO

from autograder.course import Course
from autograder.gradebook import Attempt, Gradebook, score_of
from autograder.grading.bundle import Bundle, bundle_of, result_key
from autograder.grading.submissions import Submission, submissions_of
from autograder.platforms.nbgrader.autograded import CellOutput, grade_id, write_autograded
from autograder.platforms.nbgrader.course_dir import (
    POINTS_SUFFIX,
    HandedIn,
    NbgraderCourse,
    NbgraderError,
    Released,
)
from autograder.platforms.nbgrader.database import NbgraderDatabase
from autograder.platforms.nbgrader.manual_grades import import_manual_grades
from autograder.platforms.nbgrader.outline import Outline, outline_of
from autograder.platforms.nbgrader.rows import Entry, Written
from autograder.results import ExerciseResult, Isolation, Status, TestResult, total
from autograder.text import Text

# What nbgrader's own commands look for beside the notebooks.
ACCOMPANYING = ("timestamp.txt", "submission_secret.txt")
NOT_HANDED_IN = Text("Not handed in.", "没有提交。")

# Called with a question, its tests, and what is said of the whole file.
Show = Callable[[str, Sequence[TestResult], Text], CellOutput]


@dataclass(frozen=True)
class GradedNotebook:
    """A released notebook with its questions. A cell that asks several is named after the first."""

    released: Released
    outline: Outline
    cells: Mapping[str, tuple[str, ...]]  # name of a solution cell -> its questions

    def points(self, cell: str) -> float:
        worth = {
            share.question: share.public + share.hidden for share in self.released.exercise.public.points
        }
        return total(worth[question] for question in self.cells[cell])

    def tests(self, result: ExerciseResult) -> dict[str, list[TestResult]]:
        shares = self.outline.tests(result)
        return {cell: [t for q in asked for t in shares[q]] for cell, asked in self.cells.items()}


@dataclass
class SyncResult:
    """What a synchronisation did."""

    rows: Written = field(default_factory=Written)
    notebooks: int = 0  # autograded notebooks written
    adjustments: int = 0  # made in our gradebook
    waiting: int = 0  # submissions that are not graded yet
    foreign: tuple[str, ...] = ()  # assignments of other origin


class NbgraderSync:
    """One nbgrader course, its database, and the gradebook that grades for it."""

    def __init__(
        self,
        course: Course,
        place: NbgraderCourse,
        database: NbgraderDatabase,
        book: Gradebook,
        released: Sequence[Released],
    ) -> None:
        """Raises NbgraderError where nbgrader's database and the released notebooks do not fit together."""
        self.course, self.place, self.database, self.book = course, place, database, book
        self.released = released
        self.notebooks: dict[str, list[GradedNotebook]] = {}
        for notebook in self._checked():
            self.notebooks.setdefault(notebook.released.assignment, []).append(notebook)

    def _checked(self) -> Iterator[GradedNotebook]:
        known = self.database.cells()
        for item in self.released:
            again = f"`nbgrader generate_assignment {item.assignment} --force`"
            root = self.place.root
            if (item.assignment, item.name) not in known:
                raise NbgraderError(
                    f"{self.database.name} has no notebook {item.name!r} in an assignment {item.assignment!r}; "
                    f"run {again} in {root}",
                    f"{self.database.name} 的作业 {item.assignment!r} 中没有 notebook {item.name!r}；请在 {root} 中运行 {again}",
                )
            outline = outline_of(item.exercise)
            cells = _cells(item, outline)
            notebook = GradedNotebook(item, outline, cells)
            points = {cell.name: cell.points for cell in known[item.assignment, item.name] if cell.graded}
            for cell, asked in cells.items():
                theirs = points.get(cell + POINTS_SUFFIX)
                if theirs is None or abs(theirs - notebook.points(cell)) > 1e-6:
                    name = cell + POINTS_SUFFIX
                    en = "no cell" if theirs is None else f"{theirs:g} points"
                    zh = "没有单元格" if theirs is None else f"的分值是 {theirs:g} 分"
                    release = f"`autograder release {root} --to nbgrader --force`"
                    raise NbgraderError(
                        f"{item.path}: question {asked[0]!r} is worth {notebook.points(cell):g} points, and nbgrader has "
                        f"{en} under {name!r}: a cell was renamed, or the course has changed since the release; "
                        f"run {release}, then {again} in {root}",
                        f"{item.path}：题目 {asked[0]!r} 值 {notebook.points(cell):g} 分，而 nbgrader 在 {name!r} 下{zh}："
                        f"有单元格改了名，或课程在发布之后有改动；请运行 {release}，再在 {root} 中运行 {again}",
                    )
            yield notebook

    @cached_property
    def foreign(self) -> tuple[str, ...]:
        """Assignments in nbgrader's database that are not this course's."""
        return tuple(name for name in self.database.assignments() if name not in self.notebooks)

    # ------------------------------------------------------------------------------------------ out

    def write(self, show: Show, lang: str) -> SyncResult:
        """Write scores, comments and notebooks of everything that is graded; then take back what people decided."""
        done = SyncResult(foreign=self.foreign)
        entries: list[Entry] = []
        for assignment, notebooks in self.notebooks.items():
            for handed_in, settled in self._counted(assignment, notebooks, done):
                tables = self._tables(notebooks, settled, show)
                entries.append(self._entry(handed_in, notebooks, settled, tables))
                done.notebooks += self._write_notebooks(handed_in, notebooks, tables, lang)
        people = self.book.roster().values()
        done.rows = self.database.write(entries, people=people, penalty=self.place.penalty)
        exercises = {(item.assignment, item.name): item.exercise.id for item in self.released}
        decisions = self.database.manual_grades(list(self.notebooks))
        done.adjustments = import_manual_grades(self.book, decisions, exercises)
        return done

    def _counted(
        self, assignment: str, notebooks: Sequence[GradedNotebook], done: SyncResult
    ) -> Iterator[tuple[HandedIn, dict[str, ExerciseResult | None]]]:
        """Each submission of which everything is graded, with the results that count; the others are counted in `done`."""
        exercises = [notebook.released.exercise.id for notebook in notebooks]
        attempts = self.book.attempts(exercises=exercises)
        found = []
        for handed_in in self.place.handed_in(assignment):
            settled = self._settled(handed_in, notebooks, attempts)
            if settled is None:
                done.waiting += 1
            else:
                found.append((handed_in, settled))
        full = iter(self.book.in_full(a for _, settled in found for a in settled.values() if a is not None))
        for handed_in, settled in found:
            yield handed_in, {name: None if a is None else next(full) for name, a in settled.items()}

    def _settled(
        self,
        handed_in: HandedIn,
        notebooks: Sequence[GradedNotebook],
        attempts: Mapping[tuple[str, str], Sequence[Attempt]],
    ) -> dict[str, Attempt | None] | None:
        """Exercise -> the attempt that counts, None for one that was not handed in; None if something handed in is not graded yet."""
        exercises = [notebook.released.exercise for notebook in notebooks]
        topics = {exercise.topic for exercise in self.course}
        paths = handed_in.answers([notebook.released.name for notebook in notebooks], topics)
        found: dict[str, Attempt | None] = {}
        present = {
            submission.exercise: submission
            for submission in submissions_of(
                handed_in.student, paths, exercises, _no_archives, self.place.submitted
            )
        }
        for exercise in exercises:
            history = attempts.get((handed_in.student, exercise.id), ())
            submission = present.get(exercise.id)
            if submission is not None and not self._graded(submission, history):
                return None
            score = score_of(history, (), self.course.policy)
            found[exercise.id] = None if score is None else score.attempt
        return found

    def _graded(self, submission: Submission, history: Sequence[Attempt]) -> bool:
        """Whether this very content is among the attempts. What has no key was graded last, or never."""
        if not history:
            return False
        if submission.problem is not None or not history[-1].result.key:
            return not history[-1].result.key
        bundle = self._bundles[submission.exercise]
        keys = {attempt.result.key for attempt in history}
        return any(
            result_key(bundle, submission.main, submission.files, isolation) in keys
            for isolation in (Isolation.FULL, Isolation.UNSAFE)
        )

    @cached_property
    def _bundles(self) -> dict[str, Bundle]:
        return {item.exercise.id: bundle_of(item.exercise) for item in self.released}

    def _tables(
        self,
        notebooks: Sequence[GradedNotebook],
        settled: Mapping[str, ExerciseResult | None],
        show: Show,
    ) -> dict[tuple[str, str], CellOutput]:
        """(notebook, solution cell) -> what is said of its questions."""
        tables = {}
        for notebook in notebooks:
            result = settled[notebook.released.exercise.id]
            tests = notebook.tests(result) if result else {}
            message = result.message if result else NOT_HANDED_IN
            for cell in notebook.cells:
                tables[notebook.released.name, cell] = show(cell, tests.get(cell, []), message)
        return tables

    def _entry(
        self,
        handed_in: HandedIn,
        notebooks: Sequence[GradedNotebook],
        settled: Mapping[str, ExerciseResult | None],
        tables: Mapping[tuple[str, str], CellOutput],
    ) -> Entry:
        scores: dict[tuple[str, str], float | None] = {}
        for notebook in notebooks:
            result = settled[notebook.released.exercise.id]
            tests = notebook.tests(result) if result else {}
            for cell in notebook.cells:
                known = result is None or result.status is not Status.UNGRADED
                score = total(test.score for test in tests.get(cell, []))
                scores[notebook.released.name, cell + POINTS_SUFFIX] = score if known else None
        comments = {place: shown.comment or None for place, shown in tables.items()}
        return Entry(handed_in.student, handed_in.assignment, handed_in.timestamp, scores, comments)

    def _write_notebooks(
        self,
        handed_in: HandedIn,
        notebooks: Sequence[GradedNotebook],
        tables: Mapping[tuple[str, str], CellOutput],
        lang: str,
    ) -> int:
        """Write `autograded/STUDENT/ASSIGNMENT/`; how many notebooks were new."""
        folder = self.place.folder("autograded", handed_in.student, handed_in.assignment)
        written = 0
        for notebook in notebooks:
            name = f"{notebook.released.name}.ipynb"
            written += write_autograded(
                folder / name,
                notebook.released.notebook,
                handed_in.folder / name,
                {cell + POINTS_SUFFIX: tables[notebook.released.name, cell] for cell in notebook.cells},
                lang,
            )
        for name in ACCOMPANYING:
            given = handed_in.folder / name
            if given.is_file() and not given.is_symlink():
                shutil.copyfile(given, folder / name)
            else:
                (folder / name).unlink(missing_ok=True)
        return written


def _cells(item: Released, outline: Outline) -> dict[str, tuple[str, ...]]:
    """Name of a solution cell -> the questions it asks: its own, and those up to the next cell's."""
    named = {grade_id(cell) for cell in item.notebook["cells"]}
    cells: dict[str, list[str]] = {}
    for question in outline.questions:
        if question in named or not cells:
            cells[question] = []
        cells[next(reversed(cells))].append(question)
    return {cell: tuple(asked) for cell, asked in cells.items()}


def _no_archives(archive: BinaryIO) -> dict[str, bytes]:
    """An nbgrader submission's answers are files."""
    return {}
