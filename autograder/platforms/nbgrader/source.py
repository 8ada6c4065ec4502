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
from autograder.platforms.nbgrader.course_dir import POINTS_SUFFIX
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
CONFIG = '''\
# Configuration of nbgrader for this course. Lines of your own may follow.
from nbgrader.preprocessors import NbGraderPreprocessor

c = get_config()
c.CourseDirectory.course_id = "{course_id}"

# The released cells keep their own `raise NotImplementedError("...")`, by which a question that is not begun is known.
c.ClearSolutions.code_stub = {{"python": "# YOUR CODE HERE"}}


class GradedElsewhere(NbGraderPreprocessor):
    """Stops `nbgrader autograde`: it runs submissions with your rights, and it has no tests to run on them."""

    def preprocess(self, nb, resources):
        raise RuntimeError("this course is graded by: autograder grade --nbgrader .   See README.md")


c.Autograde.sanitize_preprocessors = [GradedElsewhere]
'''


def write(selection: Selection, out: Path) -> None:
    """Write the course directory into the empty folder `out`."""
    parts = assignments_of(selection)
    for part in parts:
        _write_source(part, out / "source" / part.assignment)
    wheel = write_package(out, "nbgrader")
    title = selection.course.title.en.lower()
    course_id = re.sub(r"[^a-z0-9]+", "_", title).strip("_")
    (out / "nbgrader_config.py").write_text(CONFIG.format(course_id=course_id), encoding="utf-8")
    readme = page("nbgrader", selection, wheel=wheel.name, parts=parts, course_id=course_id)
    (out / "README.md").write_text(readme, encoding="utf-8")


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
