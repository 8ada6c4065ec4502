"""A platform's own gradebook as CSV, with our scores filled in: its columns, its ids and its order stay as they are."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from autograder.gradebook.roster import Person
from autograder.platforms.columns import Column
from autograder.text import escape_formula, machine_number

# An id is left as it is, whatever it begins with, so that it can be imported again; no formula looks like this.
ID = re.compile(r"[+-]?[\w.@+-]*")
Points = Callable[[str, Column], float | None]  # (student, item) -> what is known of their points


@dataclass(frozen=True)
class Dialect:
    """How one platform writes its gradebook."""

    ids: tuple[str, ...]  # heads, in lower case, of the columns by which it knows a student
    titles: Callable[
        [str], set[str]
    ]  # a column's head -> what its item may be called; none: no place for points
    heads: tuple[str, ...]  # the first columns of a sheet made without a template
    row: Callable[[Person], Sequence[str]]  # and a student's cells in them
    possible: str = ""  # what the row of maximum points begins with


@dataclass
class Sheet:
    """A filled gradebook, and what did not fit. Nobody's points are dropped in silence."""

    rows: list[list[str]]
    without_row: list[str] = field(default_factory=list)  # our students who are not in it
    without_points: list[str] = field(default_factory=list)  # its students of whom we know nothing
    added: list[str] = field(default_factory=list)  # columns that were not in it
    other_points: list[str] = field(default_factory=list)  # columns that are out of other points there

    def text(self, separator: str = ",") -> str:
        """As CSV."""
        out = io.StringIO(newline="")
        csv.writer(out, delimiter=separator, lineterminator="\r\n").writerows(self.rows)
        return out.getvalue()


def new_csv(dialect: Dialect, people: Iterable[Person], items: Sequence[Column], points: Points) -> Sheet:
    """A new sheet: the dialect's own columns, then one for each item."""
    rows = [[*dialect.heads, *(str(escape_formula(item.title.pick("en"))) for item in items)]]
    for person in people:
        rows.append([*map(_safe, dialect.row(person)), *(_cell(points(person.student, i)) for i in items)])
    return Sheet(rows)


def fill_csv(
    dialect: Dialect,
    template: Sequence[Sequence[str]],
    people: Mapping[str, Person],
    items: Sequence[Column],
    points: Points,
) -> Sheet:
    """The platform's sheet with our points in it. Where we know none, its cell stays as it was.

    Args:
        people: our students, those of the roster with all their ids.
    """
    heads = list(template[0])
    places, added = {}, []
    for item in items:
        known = (n for n, head in enumerate(heads) if item.names & {t.lower() for t in dialect.titles(head)})
        places[item.id] = next(known, len(heads))
        if places[item.id] == len(heads):
            heads.append(str(escape_formula(item.title.pick("en"))))
            added.append(heads[-1])
    id_columns = [n for n, head in enumerate(heads) if head.strip().lower() in dialect.ids]
    sheet = Sheet([heads], added=added)
    owners = _owners(people.values())
    met: set[str] = set()
    for row in template[1:]:
        cells = [*row, *[""] * (len(heads) - len(row))]
        if not any(cell.strip() for cell in row):
            continue
        named = {owners[i] for n in id_columns if (i := cells[n].strip().lower()) in owners}
        if dialect.possible and cells[0].strip() == dialect.possible:
            for item in items:
                _compare(sheet, cells, places[item.id], item)
        elif len(named) != 1 or named & met:
            known_as = [cell.strip() for cell in (*(cells[n] for n in id_columns), cells[0]) if cell.strip()]
            sheet.without_points += known_as[:1]  # the platform's own rows begin with nothing and have no id
        else:
            (student,) = named
            met.add(student)
            for item in items:
                given = points(student, item)
                cells[places[item.id]] = cells[places[item.id]] if given is None else machine_number(given)
        cells = [cell if n in places.values() else _safe(cell) for n, cell in enumerate(cells)]
        sheet.rows.append(cells)
    sheet.without_row = sorted(
        student
        for student in people
        if student not in met and any(points(student, item) is not None for item in items)
    )
    return sheet


def same_head(one: bytes, other: bytes) -> bool:
    """Whether two sheets have the same columns, by their first lines."""
    first, second = (
        text.removeprefix(b"\xef\xbb\xbf").partition(b"\n")[0].rstrip(b"\r") for text in (one, other)
    )
    return first == second


def _owners(people: Iterable[Person]) -> dict[str, str]:
    """Id -> the one student whom it stands for. An id of several stands for nobody."""
    found: dict[str, set[str]] = {}
    for person in people:
        for known in person.ids:
            found.setdefault(known, set()).add(person.student)
    return {known: next(iter(students)) for known, students in found.items() if len(students) == 1}


def _compare(sheet: Sheet, cells: list[str], place: int, item: Column) -> None:
    """The row of maximum points: filled where it is empty, told where it differs."""
    there = cells[place].strip()
    cells[place] = cells[place] if there else machine_number(item.max_score)
    try:
        same = not there or abs(float(there) - item.max_score) < 1e-6
    except ValueError:
        same = False
    if not same:
        sheet.other_points.append(f"{item.id}: {there} / {machine_number(item.max_score)}")


def _cell(points: float | None) -> str:
    return "" if points is None else machine_number(points)


def _safe(cell: str) -> str:
    return cell if ID.fullmatch(cell) else str(escape_formula(cell))
