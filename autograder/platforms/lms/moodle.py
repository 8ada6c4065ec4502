"""Moodle: the CSV of Grades > Export > Plain text file, which Grades > Import takes back; what Download all submissions gives.

Whoever imports it says which column finds the student: ID number or e-mail address.

Upload multiple feedback files in a zip finds a student by the same names: `returned` gives them.

Source of the file names: Moodle, mod/assign/classes/downloader.php (`get_student_prefix`, where a name's underscores
become spaces) and mod/assign/feedback/file/importziplib.php (folders end in an underscore before 4.1 only). The number
is the participant's in one assignment, another one in the next; no roster has it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from autograder.gradebook.roster import Person
from autograder.platforms.lms.csv_template import Dialect
from autograder.platforms.lms.sender import Sender

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
# Jane Doe_12345_assignsubmission_file_: a folder, or, before what the student called it, a file.
FILE = re.compile(r"(?P<name>[^_]+)_(?P<user>\d+)_assignsubmission_[a-z]+(?:_(?P<file>.*))?", re.DOTALL)
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


def sent(name: str) -> tuple[Sender, str] | None:
    """Who sent a file or folder of this name, and what they called it ("" for a folder)."""
    found = FILE.fullmatch(name)
    return (Sender("Moodle", found["name"], found["user"]), found["file"] or "") if found else None


def returned(name: str, file: str) -> str | None:
    """The name by which Moodle gives a feedback file to whoever sent a file or folder of this name."""
    found = sent(name)
    return f"{found[0].name}_{found[0].number}_assignsubmission_file_{file}" if found else None
