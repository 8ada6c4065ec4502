"""Moodle: the CSV of Grades > Export > Plain text file, which Grades > Import takes back.

Whoever imports it says which column finds the student: ID number or e-mail address.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from autograder.gradebook.roster import Person
from autograder.platforms.lms.csv_template import Dialect

OWN = {
    "first name",
    "last name",
    "surname",
    "full name",
    "institution",
    "department",
    "id number",
    "username",
}
OWN |= {"email address", "last downloaded from this course"}
KIND = re.compile(r"\((\w+)\) *$")  # "Assignment: Week 1 (Real)"
COMPUTED = ("Percentage", "Letter")  # from the points, by Moodle


def _titles(head: str) -> set[str]:
    kind = KIND.search(head)
    if head.strip().lower() in OWN or (kind and kind[1] in COMPUTED):
        return set()
    shorter = {head, KIND.sub("", head)}
    return {title.strip() for text in shorter for title in (text, text.partition(":")[2])} - {""}


def _row(person: Person) -> Sequence[str]:
    return person.name, person.sis_id or person.student, person.email


MOODLE = Dialect(
    ids=("id number", "email address", "username"),
    titles=_titles,
    heads=("Full name", "ID number", "Email address"),
    row=_row,
)
