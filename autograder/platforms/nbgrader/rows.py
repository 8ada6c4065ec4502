"""The rows of nbgrader's tables that a submission needs, compared with those that are there.

* A submission has a row for each notebook; each of those a grade for every grade and task cell, or the maximum silently
  shrinks, and a comment for every solution and task cell, or feedback can't be made.
* A score that changes under a manual one is marked for review; so is one that is not known.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa

from autograder.gradebook.roster import Person

Key = tuple[str, ...]


class Cell(NamedTuple):
    """A cell of a released notebook that has a grade or a comment."""

    id: str
    name: str
    kind: str  # "GradeCell", "SolutionCell" or "TaskCell"
    points: float | None

    @property
    def graded(self) -> bool:
        return self.kind in ("GradeCell", "TaskCell")


@dataclass(frozen=True)
class Entry:
    """What is to stand in the database about one submission. Cells that are not named are left to people."""

    student: str
    assignment: str
    timestamp: datetime | None
    # (notebook, cell) -> points; None while they are not known.
    scores: Mapping[tuple[str, str], float | None]
    comments: Mapping[tuple[str, str], str | None]


@dataclass
class Written:
    """How many rows a write made, and how many it changed."""

    new: int = 0
    changed: int = 0

    def __add__(self, other: Written) -> Written:
        return Written(self.new + other.new, self.changed + other.changed)


@dataclass
class _Rows:
    """The rows of one table: those that are there, by what identifies them, and those to write."""

    table: sa.Table
    known: dict[Key, Any]
    new: list[dict[str, Any]] = field(default_factory=list)
    changed: list[dict[str, Any]] = field(default_factory=list)

    def put(self, key: Key, identity: Mapping[str, Any], values: Mapping[str, Any]) -> str:
        """Note the row to insert or update; its id."""
        row = self.known.get(key)
        if row is None:
            made = {"id": uuid.uuid4().hex, **identity, **values}
            self.new.append(made)
            return str(made["id"])
        if any(getattr(row, name) != value for name, value in values.items()):
            self.changed.append({"row": row.id, **values})
        return str(row.id)

    def flush(self, connection: sa.Connection) -> None:
        if self.new:
            connection.execute(sa.insert(self.table), self.new)
        if self.changed:
            columns: dict[str, Any] = {name: sa.bindparam(name) for name in self.changed[0] if name != "row"}
            statement = sa.update(self.table).where(self.table.c.id == sa.bindparam("row")).values(columns)
            connection.execute(statement, self.changed)


class Writer:
    """Turns entries into rows, comparing with what is there."""

    def __init__(
        self,
        connection: sa.Connection,
        table: Callable[[str], sa.Table],
        structure: Mapping[tuple[str, str], tuple[str, list[Cell]]],
    ) -> None:
        def rows(model: str, *identity: str) -> _Rows:
            known = connection.execute(sa.select(table(model))).all()
            return _Rows(table(model), {tuple(getattr(row, name) for name in identity): row for row in known})

        self._connection = connection
        self._assignments = {row.name: row.id for row in connection.execute(sa.select(table("Assignment")))}
        self._notebooks: dict[str, list[tuple[str, str, list[Cell]]]] = {}
        for (assignment, notebook), (number, cells) in structure.items():
            self._notebooks.setdefault(assignment, []).append((notebook, number, cells))
        self._students = rows("Student", "id")
        self._submissions = rows("SubmittedAssignment", "assignment_id", "student_id")
        self._submitted = rows("SubmittedNotebook", "assignment_id", "notebook_id")
        self._grades = rows("Grade", "notebook_id", "cell_id")
        self._comments = rows("Comment", "notebook_id", "cell_id")

    def take(self, entry: Entry) -> None:
        if (entry.student,) not in self._students.known:
            self._students.known[entry.student,] = None  # inserted once, whatever follows
            self._students.new.append({"id": entry.student})
        assignment = self._assignments[entry.assignment]
        key = (assignment, entry.student)
        before = self._submissions.known.get(key)
        again = before is not None and before.timestamp != entry.timestamp
        identity = {"assignment_id": assignment, "student_id": entry.student}
        submission = self._submissions.put(key, identity, {"timestamp": entry.timestamp})
        for name, notebook, cells in self._notebooks[entry.assignment]:
            identity = {"assignment_id": submission, "notebook_id": notebook}
            submitted = self._submitted.put((submission, notebook), identity, {})
            for cell in cells:
                identity = {"notebook_id": submitted, "cell_id": cell.id}
                place = (submitted, cell.id)
                if cell.graded:
                    score = entry.scores.get((name, cell.name))
                    values = self._grade(place, score, (name, cell.name) in entry.scores, again)
                    self._grades.put(place, identity, values)
                if cell.kind != "GradeCell":
                    said = entry.comments.get((name, cell.name))
                    ours = (name, cell.name) in entry.comments or place not in self._comments.known
                    self._comments.put(place, identity, {"auto_comment": said} if ours else {})

    def _grade(self, place: Key, score: float | None, ours: bool, again: bool) -> dict[str, Any]:
        """What changes in a grade. A manual score stays; whether it still fits is for its author to say."""
        row = self._grades.known.get(place)
        if row is None:
            return {"auto_score": score, "needs_manual_grade": score is None}
        if not ours:
            return {}
        if row.auto_score == score and not again:
            return {}
        return {"auto_score": score, "needs_manual_grade": score is None or row.manual_score is not None}

    def flush(self) -> Written:
        tables = (self._students, self._submissions, self._submitted, self._grades, self._comments)
        for rows in tables:
            rows.flush(self._connection)
        return Written(sum(len(rows.new) for rows in tables), sum(len(rows.changed) for rows in tables))


def set_names(connection: sa.Connection, students: sa.Table, people: Iterable[Person]) -> Written:
    """Enter a roster's names and e-mail addresses where nbgrader has none.

    A name goes undivided into `last_name`, which the formgrader shows by itself: which part of it is the family's differs
    from language to language.
    """
    known = {row.id: row for row in connection.execute(sa.select(students))}
    written = Written()
    for person in people:
        said = {"last_name": person.name, "email": person.email}
        said = {column: value for column, value in said.items() if value}
        row = known.get(person.student)
        if row is None:
            connection.execute(sa.insert(students).values(id=person.student, **said))
            written.new += 1
            continue
        if row.first_name:
            said.pop("last_name", None)
        missing = {column: value for column, value in said.items() if not getattr(row, column)}
        if missing:
            connection.execute(sa.update(students).where(students.c.id == person.student).values(**missing))
            written.changed += 1
    return written
