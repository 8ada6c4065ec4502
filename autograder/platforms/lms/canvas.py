"""Canvas: the CSV of Grades > Export, which Grades > Import takes back.

Canvas finds a student by ID, then SIS User ID, then SIS Login ID, and a column by the number in its head; a column
without one becomes a new assignment.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from autograder.gradebook.roster import Person
from autograder.platforms.columns import Column
from autograder.platforms.lms.csv_template import Dialect
from autograder.text import machine_number

NUMBERED = re.compile(r"(.*?)\s*\(\d+\)\s*")
OWN = ("student", "id", "sis user id", "sis login id", "root account", "section", "integration id", "notes")
POSSIBLE = "Points Possible"


def _titles(head: str) -> set[str]:
    if head.strip().lower() in OWN:
        return set()
    found = NUMBERED.fullmatch(head)
    return {head.strip(), found[1].strip()} if found else {head.strip()}


def _row(person: Person) -> Sequence[str]:
    return person.name or person.student, "", person.sis_id, person.login or person.student, person.section


CANVAS = Dialect(
    ids=("id", "sis user id", "sis login id", "integration id"),
    titles=_titles,
    heads=("Student", "ID", "SIS User ID", "SIS Login ID", "Section"),
    row=_row,
    possible=POSSIBLE,
)


def possible(items: Sequence[Column]) -> list[str]:
    """Canvas's second row."""
    return [
        f"    {POSSIBLE}",
        *[""] * (len(CANVAS.heads) - 1),
        *(machine_number(item.max_score) for item in items),
    ]
