"""Canvas: the CSV of Grades > Export, which Grades > Import takes back; the files of Download Submissions.

Canvas finds a student by ID, then SIS User ID, then SIS Login ID, and a column by the number in its head; a column
without one becomes a new assignment.

Upload Submissions takes a zip of files with the names of that download, and adds each to a comment on the submission
that the attachment in its name belongs to: `returned` gives these names. What the comment's file is called there is what
the student called the attachment, and every upload adds another comment.

Source of the file names: canvas-lms, lib/content_zipper.rb (`add_upload_submission`, `get_filename`) and
app/models/attachment.rb (`make_unique_filename`, which adds -1, -2 to a name that was handed in before);
app/models/abstract_assignment.rb (`infer_comment_context_from_filename`, which passes over a name whose last part
between underscores begins with `link`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from autograder.gradebook.roster import Person
from autograder.platforms.columns import Column
from autograder.platforms.lms.csv_template import Dialect
from autograder.platforms.lms.sender import Sender
from autograder.text import machine_number

NUMBERED = re.compile(r"(.*?)\s*\(\d+\)\s*")
OWN = ("student", "id", "sis user id", "sis login id", "root account", "section", "integration id", "notes")
POSSIBLE = "Points Possible"
# doejane_LATE_12345_67890_dpo.py: sortable name, perhaps LATE, user, attachment, and the name that the student gave.
FILE = re.compile(r"(?P<name>\S+?)(?P<late>_LATE)?_(?P<user>\d+)_(?P<attachment>\d+)_(?P<file>.+)", re.DOTALL)
NUMBER_FIRST = re.compile(r"\d+_")


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


def sent(name: str) -> tuple[Sender, str] | None:
    """Who sent a file of this name, and what they called it; None where that is not certain.

    A student can give their file a name that begins with a number, and in some places themselves a name that ends in
    one. Then the name could be read in two ways, one of which names somebody else.
    """
    found = FILE.fullmatch(name)
    if found is None or NUMBER_FIRST.match(found["file"]):
        return None
    return Sender("Canvas", found["name"], found["user"]), found["file"]


def returned(name: str, file: str) -> str | None:
    """The name by which Canvas adds a file to a comment for whoever sent a file of this name."""
    found = FILE.fullmatch(name) if sent(name) else None
    file = file.replace("_", "-")
    return f"{found['name']}_{found['user']}_{found['attachment']}_{file}" if found else None


def is_late(name: str) -> bool:
    """Whether Canvas marks a file of this name as handed in late."""
    found = FILE.fullmatch(name)
    return found is not None and found["late"] is not None
