"""Target `nbgrader`: a course directory whose `source/` nbgrader takes as it is.

Each question is a solution cell, holding the skeleton, and a locked grade cell, holding `check(...)`. The points are
those of our tests: nbgrader keeps them, our engine earns them. `nbgrader generate_assignment` replaces what it finds
between its own markers and, in a solution cell without markers, everything; so an empty pair of them stands where the
student is to write, and whatever replaces it, the signature and the docstring stay.
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any

from autograder.authoring.build import defines
from autograder.authoring.notebooks import import_nbformat, notebook_of
from autograder.course import CourseError, Exercise
from autograder.course.toml import read_text
from autograder.platforms.nbgrader.additions import PART_BEGINS, PART_ENDS, carry_cells, with_own_lines
from autograder.platforms.nbgrader.course_dir import POINTS_SUFFIX, read_notebook
from autograder.platforms.selection import (
    Selection,
    assignments_of,
    beside_course,
    leave_notebooks_only,
    page,
    write_course,
)
from autograder.platforms.wheel import write_package
from autograder.results import total

BEGIN, END = "### BEGIN SOLUTION", "### END SOLUTION"
SKELETON_LINE = re.compile(r'^( *)raise NotImplementedError\("\w+(\.\w+)*"\)$', re.MULTILINE)
SKELETON_VALUE = re.compile(r"^\w+ = \.\.\.  #.*$", re.MULTILINE)
CONFIG_FILE = "nbgrader_config.py"
CONFIG = """\
{begin}. Lines of your own go below the end of this part: they are kept, and hold.
from autograder.platforms.nbgrader.steps import AUTOGRADE, GENERATE, SANITIZE

c = get_config()
c.CourseDirectory.course_id = "{course_id}"

# The released cells keep their own `raise NotImplementedError("...")`, by which a question that is not begun is known.
c.ClearSolutions.code_stub = {{"python": "# YOUR CODE HERE"}}

c.GenerateAssignment.preprocessors = GENERATE
c.PassDueDate.due = {due}

# `nbgrader autograde` runs submissions with your rights: it never runs ours, which `autograder grade` grades.
c.Autograde.sanitize_preprocessors = SANITIZE
c.Autograde.autograde_preprocessors = AUTOGRADE
{end}
"""


def write(selection: Selection, out: Path) -> None:
    """Write the course directory into the empty folder `out`."""
    parts = assignments_of(selection)
    for part in parts:
        _write_source(part, out / "source" / part.assignment)
    wheel = write_package(out, "nbgrader")
    title = selection.course.title.en.lower()
    course_id = re.sub(r"[^a-z0-9]+", "_", title).strip("_")
    due = {a.id: a.due.isoformat() for a in selection.course.assignments if a.due}
    config = CONFIG.format(course_id=course_id, due=due, begin=PART_BEGINS, end=PART_ENDS)
    (out / CONFIG_FILE).write_text(config, encoding="utf-8")
    readme = page("nbgrader", selection, wheel=wheel.name, parts=parts, course_id=course_id)
    (out / "README.md").write_text(readme, encoding="utf-8")


def carry_over(staged: Path, out: Path) -> None:
    """Add to the files of a new release, in `staged`, what people added to those of the last one, in `out`."""
    before = out / CONFIG_FILE
    if before.is_file():
        text = with_own_lines(read_text(staged / CONFIG_FILE), read_text(before))
        (staged / CONFIG_FILE).write_text(text, encoding="utf-8")
    for fresh in sorted((staged / "source").glob("*/*.ipynb")):
        last = out / fresh.relative_to(staged)
        if last.is_file():
            carry_cells(fresh, read_notebook(last))


def _write_source(part: Selection, folder: Path) -> None:
    """One assignment: its notebooks, and beside them what `check()` needs."""
    nbformat = import_nbformat()
    topics = Counter(exercise.topic for exercise in part.exercises)
    topic, times = topics.most_common(1)[0]
    if times > 1:
        raise CourseError(
            f"assignment {part.assignment!r} has {times} exercises called {topic!r}, and nbgrader knows a notebook by "
            "that name alone; put them into different assignments in course/course.toml",
            f"作业 {part.assignment!r} 中有 {times} 道名为 {topic!r} 的练习，而 nbgrader 只按这个名字区分 notebook；"
            "请在 course/course.toml 中把它们分到不同的作业里",
        )
    released = write_course(part, folder)
    for given in released:
        notebook = source_notebook(given, part.lang)
        nbformat.write(notebook, folder / f"{given.topic}.ipynb")
    leave_notebooks_only(released, folder)


def source_notebook(exercise: Exercise, lang: str) -> Any:
    """The exercise's skeleton as a notebook with nbgrader's metadata."""
    notebook = notebook_of(exercise, lang)
    worth = {share.question: share.public + share.hidden for share in exercise.public.points}
    asked: list[str] = []
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = beside_course(cell.source)
            continue
        here = [question for question in worth if defines(cell.source, question)]
        if here and (SKELETON_LINE.search(cell.source) or SKELETON_VALUE.search(cell.source)):
            asked = here
            cell.source = SKELETON_LINE.sub(rf"\1{BEGIN}\n\1{END}\n\g<0>", cell.source)
            # Behind the value: what a student writes below counts, and so does what replaces the dots.
            cell.source = SKELETON_VALUE.sub(rf"\g<0>\n{BEGIN}\n{END}", cell.source)
            cell.metadata["nbgrader"] = _settings(here[0], solution=True)
        elif asked and cell.source.startswith(f'check("{exercise.id}"'):
            points = total(worth[question] for question in asked)
            cell.metadata["nbgrader"] = _settings(asked[0] + POINTS_SUFFIX, points=points)
            asked = []
    return notebook


def _settings(grade_id: str, *, solution: bool = False, points: float | None = None) -> dict[str, Any]:
    """nbgrader's metadata of a cell, schema 3."""
    settings: dict[str, Any] = {
        "schema_version": 3,
        "grade_id": grade_id,
        "solution": solution,
        "grade": points is not None,
        "locked": points is not None,
        "task": False,
        "cell_type": "code",
    }
    return settings if points is None else {**settings, "points": points}
