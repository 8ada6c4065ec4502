"""Target `github`: a template repository for students, and what the instructor needs beside it.

Everything of the student's repository belongs to the student, the workflow and the tests included; so nothing in it
grades. `instructor/` holds nothing secret, and nothing that a student needs.
"""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from autograder.platforms.selection import Selection, page, write_tree

FILES = {
    "classroom.yml": ".github/workflows/classroom.yml",
    "devcontainer.json": ".devcontainer/devcontainer.json",
    "gitignore": ".gitignore",
    "classroom50.py": "instructor/classroom50/autograder.py",
    "grade.yml": "instructor/grade.yml",
}
ENGLISH = "AUTOGRADER_LANG: en"


def write(selection: Selection, out: Path) -> None:
    """Write the template repository into the empty folder `out`."""
    write_tree(selection, out, "github")
    for name, place in FILES.items():
        text = (resources.files(__package__) / "files" / name).read_text(encoding="utf-8")
        path = out / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.replace(ENGLISH, f"AUTOGRADER_LANG: {selection.lang}"), encoding="utf-8")
    instructor = page("github-instructor", selection)
    (out / "instructor" / "README.md").write_text(instructor, encoding="utf-8")
