"""nbgrader's database: our scores and comments into it, what people decided in the formgrader out of it.

Written in bulk, through nbgrader's own tables, in one transaction. What belongs to people (manual scores, extra credit,
manual comments) is only ever read. `nbgrader generate_assignment` comes first: it makes the assignment, its notebooks and
their cells.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple
from urllib.parse import quote

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError, OperationalError, SQLAlchemyError

from autograder.gradebook.database import BUSY_SECONDS, GradebookError, closed_on_failure
from autograder.gradebook.roster import Person
from autograder.platforms.nbgrader.lateness import Penalty, set_penalties
from autograder.platforms.nbgrader.rows import Cell, Entry, Writer, Written, set_names
from autograder.text import Text

MODELS = (
    "Assignment", "Notebook", "BaseCell", "GradeCell", "TaskCell", "Student", "SubmittedAssignment",
    "SubmittedNotebook", "Grade", "Comment",
)  # fmt: skip


class ManualGrade(NamedTuple):
    """What a person decided about one cell of one submission."""

    student: str
    assignment: str
    notebook: str
    cell: str
    auto: float
    manual: float | None
    extra: float | None
    comment: str


# What to do about a database that can't be used.
GENERATE = Text(
    "run `nbgrader generate_assignment NAME` in the course's folder first",
    "请先在课程的文件夹里运行 `nbgrader generate_assignment NAME`",
)
READONLY = Text("check that you may write to it", "请检查你是否有权写入")
HELD = Text(
    "another program holds it; run the same command again when it has finished",
    "另一个程序正占用它；请等它结束后再运行同一条命令",
)
RUNNING = Text(
    "check that the database is running and that c.CourseDirectory.db_url is right",
    "请检查数据库是否在运行、c.CourseDirectory.db_url 是否正确",
)


class NbgraderDatabase:
    """An open database of nbgrader's. A context manager."""

    def __init__(self, url: str) -> None:
        """Raises GradebookError where there is no database of nbgrader's, or one of another version."""
        from nbgrader import api  # type: ignore[import-untyped]

        self._api = api
        parsed = sa.make_url(url)
        sqlite = parsed.get_backend_name() == "sqlite"
        self.name = parsed.database or "" if sqlite else parsed.render_as_string(hide_password=True)
        if sqlite:
            # SQLite would make an empty file of a wrong name.
            parsed = parsed.set(database=f"file:{quote(self.name)}", query={"mode": "rw", "uri": "true"})
        arguments = {"timeout": BUSY_SECONDS, "isolation_level": None} if sqlite else {}
        try:
            self._engine = sa.create_engine(parsed, connect_args=arguments)
        except (SQLAlchemyError, ImportError) as error:
            raise GradebookError(
                f"{self.name}: {error}; correct c.CourseDirectory.db_url in nbgrader_config.py",
                f"{self.name}：{error}；请改正 nbgrader_config.py 中的 c.CourseDirectory.db_url",
            ) from None
        if sqlite:
            sa.event.listen(self._engine, "begin", _write_at_once)
        with closed_on_failure(self._engine), self._faults():
            self._check()

    def __enter__(self) -> NbgraderDatabase:
        return self

    def __exit__(self, *exception: object) -> None:
        self._engine.dispose()

    def _check(self) -> None:
        """Its own version check runs a program that may not be on the path; the columns tell as much."""
        inspector = sa.inspect(self._engine)
        if not inspector.has_table("submitted_notebook"):
            raise GradebookError(
                f"{self.name} is no database of nbgrader's; run `nbgrader generate_assignment NAME` first",
                f"{self.name} 不是 nbgrader 的数据库；请先运行 `nbgrader generate_assignment NAME`",
            )
        for model in MODELS:
            table = self._table(model)
            present = {column["name"] for column in inspector.get_columns(table.name)}
            if {column.name for column in table.columns} - present:
                raise GradebookError(
                    f"{self.name} was made by another version of nbgrader; back it up and run `nbgrader db upgrade`",
                    f"{self.name} 由另一版本的 nbgrader 生成；请先备份，再运行 `nbgrader db upgrade`",
                )

    @contextmanager
    def _faults(self) -> Iterator[None]:
        """Turn the database's errors into ours, with the remedy."""
        try:
            yield
        except OperationalError as error:
            problem = str(error.orig).strip().splitlines()[0]
            if "unable to open" in problem:
                remedy = GENERATE
            elif "readonly" in problem:
                remedy = READONLY
            elif "locked" in problem:
                remedy = HELD
            else:
                remedy = RUNNING
            raise GradebookError(
                f"{self.name}: {problem}; {remedy.en}", f"{self.name}：{problem}；{remedy.zh}"
            ) from None
        except IntegrityError as error:
            problem = str(error.orig).strip().splitlines()[0]
            raise GradebookError(
                f"{self.name}: {problem}; somebody wrote at the same moment: run the same command again",
                f"{self.name}：{problem}；有人同时写入：请再运行一次同一条命令",
            ) from None

    def _table(self, model: str) -> sa.Table:
        table: sa.Table = getattr(self._api, model).__table__
        return table

    # ------------------------------------------------------------------------------------------ reading

    def assignments(self) -> list[str]:
        with self._faults(), self._engine.begin() as connection:
            return sorted(connection.scalars(sa.select(self._table("Assignment").c.name)))

    def cells(self) -> dict[tuple[str, str], list[Cell]]:
        """(assignment, notebook) -> its cells."""
        with self._faults(), self._engine.begin() as connection:
            return {key: cells for key, (_, cells) in self._structure(connection).items()}

    def _structure(self, connection: sa.Connection) -> dict[tuple[str, str], tuple[str, list[Cell]]]:
        """(assignment, notebook) -> the notebook's id and its cells."""
        assignment, notebook = self._table("Assignment"), self._table("Notebook")
        base, grade, task = self._table("BaseCell"), self._table("GradeCell"), self._table("TaskCell")
        rows = connection.execute(
            sa.select(
                assignment.c.name.label("assignment"),
                notebook.c.name.label("notebook"),
                notebook.c.id.label("notebook_id"),
                base.c.id,
                base.c.name,
                base.c.type,
                sa.func.coalesce(grade.c.max_score, task.c.max_score).label("points"),
            )
            .select_from(
                notebook.join(assignment, notebook.c.assignment_id == assignment.c.id)
                .outerjoin(base, base.c.notebook_id == notebook.c.id)
                .outerjoin(grade, grade.c.id == base.c.id)
                .outerjoin(task, task.c.id == base.c.id)
            )
            .order_by(base.c.id)
        )
        found: dict[tuple[str, str], tuple[str, list[Cell]]] = {}
        for row in rows:
            cells = found.setdefault((row.assignment, row.notebook), (row.notebook_id, []))[1]
            if row.id is not None:
                cells.append(Cell(row.id, row.name, row.type, row.points))
        return found

    def manual_grades(self, assignments: Sequence[str]) -> list[ManualGrade]:
        """Every cell of these assignments on which a person decided something: a score, extra credit, a comment."""
        base, grade, comment = self._table("BaseCell"), self._table("Grade"), self._table("Comment")
        found: dict[tuple[str, str, str, str], ManualGrade] = {}
        with self._faults(), self._engine.begin() as connection:
            names = self._submitted_names(connection, assignments)
            graded = sa.or_(grade.c.manual_score.is_not(None), sa.func.coalesce(grade.c.extra_credit, 0) != 0)
            for row in connection.execute(
                sa.select(
                    grade.c.notebook_id,
                    base.c.name,
                    grade.c.auto_score,
                    grade.c.manual_score,
                    grade.c.extra_credit,
                )
                .join(base, base.c.id == grade.c.cell_id)
                .where(graded)
            ):
                if row.notebook_id in names:
                    key = (*names[row.notebook_id], row.name)
                    found[key] = ManualGrade(
                        *key, row.auto_score or 0.0, row.manual_score, row.extra_credit, ""
                    )
            for number, name, text in connection.execute(
                sa.select(comment.c.notebook_id, base.c.name, comment.c.manual_comment)
                .join(base, base.c.id == comment.c.cell_id)
                .where(sa.func.coalesce(comment.c.manual_comment, "") != "")
            ):
                if number in names:
                    key = (*names[number], name)
                    known = found.get(key, ManualGrade(*key, 0.0, None, None, ""))
                    found[key] = known._replace(comment=text.strip())
        return sorted(found.values(), key=lambda decision: decision[:4])

    def _submitted_names(
        self, connection: sa.Connection, assignments: Sequence[str]
    ) -> dict[str, tuple[str, str, str]]:
        """Id of a submitted notebook -> student, assignment, notebook."""
        assignment, notebook = self._table("Assignment"), self._table("Notebook")
        handed_in, submitted = self._table("SubmittedAssignment"), self._table("SubmittedNotebook")
        rows = connection.execute(
            sa.select(submitted.c.id, handed_in.c.student_id, assignment.c.name, notebook.c.name)
            .select_from(
                submitted.join(handed_in, submitted.c.assignment_id == handed_in.c.id)
                .join(assignment, handed_in.c.assignment_id == assignment.c.id)
                .join(notebook, submitted.c.notebook_id == notebook.c.id)
            )
            .where(assignment.c.name.in_(list(assignments)))
        )
        return {row[0]: (row[1], row[2], row[3]) for row in rows}

    # ------------------------------------------------------------------------------------------ writing

    def write(
        self,
        entries: Iterable[Entry],
        *,
        people: Iterable[Person] = (),
        penalty: Penalty | None = None,
    ) -> Written:
        """Put these submissions into the database: all of them, or, where something fails, none.

        Args:
            people: the roster. What nbgrader knows of a student already stays.
            penalty: what is taken from a late notebook.
        """
        with self._faults(), self._engine.begin() as connection:
            writer = Writer(connection, self._table, self._structure(connection))
            scored: set[tuple[str, str, str]] = set()
            for entry in entries:
                writer.take(entry)
                scored |= {(entry.student, entry.assignment, notebook) for notebook, _ in entry.scores}
            written = writer.flush()
            written += set_names(connection, self._table("Student"), people)
            if penalty is not None:
                written.changed += set_penalties(connection, self._table, scored, penalty)
            return written


def _write_at_once(connection: sa.Connection) -> None:
    """A transaction that finds out only later that it writes can't wait for another writer."""
    connection.exec_driver_sql("BEGIN IMMEDIATE")
