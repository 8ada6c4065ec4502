"""What is the instructor's own in an nbgrader course that holds ours: notebooks, assignments, cells, lines, penalties."""

from __future__ import annotations

import html
import json
import re
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from autograder.course import Course
from autograder.gradebook import Gradebook
from autograder.platforms.publish import release
from autograder.platforms.selection import select

Autograder = Callable[..., tuple[int, str]]
Nbgrader = Callable[..., str]

DUE = 'exercises = ["basics/affine", "extras"]\ndue = 2031-05-01T23:59:00+08:00'
LATE = "2031-05-02 15:59:00.000000 UTC"  # a day
EARLY = "2031-05-01 15:58:59.000000 UTC"
PLUGIN = """
from nbgrader.plugins import BasePlugin


class TenPercentADay(BasePlugin):
    def late_submission_penalty(self, student_id, score, total_seconds_late):
        return score * 0.1 * total_seconds_late / 86400


c.AssignLatePenalties.plugin_class = TenPercentADay
"""
RIGHT = """\
def affine(x, scale, shift):
    open("{ran}", "w").close()
    return x * scale + shift"""
SCORES = """
    SELECT student_id, assignment.name, notebook.name, late_submission_penalty, SUM(auto_score) FROM submitted_notebook
    JOIN notebook ON notebook.id = submitted_notebook.notebook_id
    JOIN submitted_assignment ON submitted_assignment.id = submitted_notebook.assignment_id
    JOIN assignment ON assignment.id = submitted_assignment.assignment_id
    JOIN grade ON grade.notebook_id = submitted_notebook.id GROUP BY submitted_notebook.id
"""


def settings(grade_id: str, *, points: int | None = None) -> dict[str, Any]:
    graded = points is not None
    kind = {"grade": graded, "solution": not graded, "locked": graded, "task": False}
    worth = {"points": points} if graded else {}
    return {"nbgrader": {"schema_version": 3, "grade_id": grade_id, "cell_type": "code", **kind, **worth}}


def own_notebook() -> Any:
    """A notebook as nbgrader's own users write them."""
    answer = "def double(x):\n    ### BEGIN SOLUTION\n    return 2 * x\n    ### END SOLUTION"
    return new_notebook(
        cells=[
            new_code_cell(answer, metadata=settings("double")),
            new_code_cell("assert double(2) == 4", metadata=settings("double-test", points=3)),
        ],
        metadata={"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}},
    )


def fill(path: Path, grade_id: str, source: str) -> None:
    notebook = nbformat.read(path, as_version=4)
    next(
        c for c in notebook.cells if c.metadata.get("nbgrader", {}).get("grade_id") == grade_id
    ).source = source
    # What a student may try: a notebook that no longer says whose it is.
    notebook.metadata.pop("autograder", None)
    nbformat.write(notebook, path)


def scores(course: Path) -> dict[tuple[str, str, str], tuple[float | None, float | None]]:
    """(student, assignment, notebook) -> late penalty, automatic score."""
    with sqlite3.connect(course / "gradebook.db") as connection:
        return {(row[0], row[1], row[2]): (row[3], row[4]) for row in connection.execute(SCORES)}


@pytest.fixture(scope="module")
def mixed(_toy_master: Path, nbgrader: Nbgrader, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder: `toy`, the course; `ran`, made by submissions that run; `course`, nbgrader's, where week1 holds a
    notebook of the instructor's beside ours, and `essay` nothing else. s001 is early, s002 a day late, both right."""
    root = tmp_path_factory.mktemp("mixed")
    toy = Path(shutil.copytree(_toy_master, root / "toy"))
    text = (toy / "course/course.toml").read_text(encoding="utf-8")
    (toy / "course/course.toml").write_text(text.replace(DUE.partition("\n")[0], DUE), encoding="utf-8")
    course = root / "course"
    release(select(Course.load(toy), None, "en"), "nbgrader", course)
    with (course / "nbgrader_config.py").open("a", encoding="utf-8") as config:
        config.write(PLUGIN)
    (course / "source/essay").mkdir()
    for assignment in ("week1", "essay"):
        nbformat.write(own_notebook(), course / "source" / assignment / "own.ipynb")
    nbgrader((course, "generate_assignment week1"), (course, "generate_assignment essay"))
    for student, stamp in (("s001", EARLY), ("s002", LATE)):
        for assignment in ("week1", "essay"):
            folder = course / "submitted" / student / assignment
            shutil.copytree(course / "release" / assignment, folder)
            fill(folder / "own.ipynb", "double", "def double(x):\n    return x + x")
            (folder / "timestamp.txt").write_text(stamp, encoding="utf-8")
        ran = RIGHT.format(ran=root / "ran")
        fill(course / "submitted" / student / "week1/affine.ipynb", "affine", ran)
    return root


@pytest.fixture
def place(mixed: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(mixed, tmp_path / "mixed"))


def options(place: Path) -> tuple[object, ...]:
    return ("--nbgrader", place / "course", "--course", place / "toy", "--gradebook", place / "book.db")


def test_both_graders_in_one_course(
    place: Path, mixed: Path, nbgrader: Nbgrader, autograder: Autograder
) -> None:
    """nbgrader grades what is the instructor's and runs nothing of ours; we leave its scores alone; feedback is made."""
    course = place / "course"
    said = nbgrader((course, "autograde week1"), (course, "autograde essay"))
    assert "affine.ipynb is not run here: it is graded by `autograder grade --nbgrader .`" in said
    assert not (mixed / "ran").exists()
    found = scores(course)
    for student in ("s001", "s002"):
        assert found[student, "week1", "own"][1] == found[student, "essay", "own"][1] == 3.0
        assert found[student, "week1", "affine"][1] is None
    code, said = autograder("grade", *options(place))
    assert code == 0, said
    assert "left alone: essay" in said
    again = scores(course)
    assert again["s001", "week1", "own"] == found["s001", "week1", "own"]
    assert again["s002", "essay", "own"] == found["s002", "essay", "own"]
    assert again["s001", "week1", "affine"][1] == 0.0  # it writes a file, which the sandbox forbids
    nbgrader((course, "generate_feedback week1"), (course, "generate_feedback essay"))
    made = {path.relative_to(course / "feedback") for path in course.glob("feedback/*/*/*.html")}
    assert len(made) == 2 * (3 + 1)


def test_the_formgrader_opens_both(
    place: Path, nbgrader: Nbgrader, autograder: Autograder, jupyter: Callable[..., Any]
) -> None:
    course = place / "course"
    nbgrader((course, "autograde week1"), (course, "autograde essay"))
    assert autograder("grade", *options(place))[0] == 0
    extensions = {"nbgrader.server_extensions.formgrader": True}
    with jupyter(course, extensions, "formgrader/api/assignments") as server:
        for assignment, notebook, shown in (
            ("week1", "own", "return x + x"),
            ("week1", "affine", "autograder-check"),
            ("essay", "own", "return x + x"),
        ):
            found = server.request("GET", f"formgrader/api/submitted_notebooks/{assignment}/{notebook}")
            number = next(row["id"] for row in found if row["student"] == "s002")
            page = server.page(f"formgrader/submissions/{number}/")
            assert shown in html.unescape(re.sub(r"<[^>]*span[^>]*>", "", page))


def test_nbgrader_takes_nothing_of_ours_back(place: Path, nbgrader: Nbgrader, autograder: Autograder) -> None:
    """The formgrader's button grades a whole assignment again: our scores stay, and our notebooks come back."""
    course = place / "course"
    for student in ("s001", "s002"):
        fill(
            course / "submitted" / student / "week1/affine.ipynb",
            "affine",
            RIGHT.replace("    open", "    # open"),
        )
    nbgrader((course, "autograde week1"))
    assert autograder("grade", *options(place))[0] == 0
    before = scores(course)
    assert before["s001", "week1", "affine"][1] == 6.0
    nbgrader((course, "autograde week1 --force"))
    assert scores(course) == before
    code, said = autograder("gradebook", "sync", *options(place))
    assert code == 0 and "4 notebooks in autograded/" in said
    assert "6 of 6 points" in (course / "autograded/s001/week1/affine.ipynb").read_text(encoding="utf-8")


def test_the_due_date_and_the_late_penalty(place: Path, nbgrader: Nbgrader, autograder: Autograder) -> None:
    """The course's due date arrives; the instructor's plugin takes as much from our notebooks as from theirs."""
    course = place / "course"
    for student in ("s001", "s002"):
        fill(
            course / "submitted" / student / "week1/affine.ipynb",
            "affine",
            RIGHT.replace("    open", "    # open"),
        )
    with sqlite3.connect(course / "gradebook.db") as connection:
        due = dict(connection.execute("SELECT name, duedate FROM assignment"))
    assert due == {"week1": "2031-05-01 15:59:00.000000", "essay": None}
    assert autograder("grade", *options(place))[0] == 0
    nbgrader((course, "autograde week1 --notebook=own"))
    found = scores(course)
    assert found["s001", "week1", "affine"] == (None, 6.0)
    assert found["s002", "week1", "affine"] == (pytest.approx(0.6), 6.0)
    assert found["s002", "week1", "own"] == (pytest.approx(0.3), 3.0)

    # A later date, set in the formgrader, holds, and takes the penalty back.
    with sqlite3.connect(course / "gradebook.db") as connection:
        connection.execute(
            "UPDATE assignment SET duedate = '2031-06-01 00:00:00.000000' WHERE name = 'week1'"
        )
    nbgrader((course, "generate_assignment week1 --force"))
    assert autograder("gradebook", "sync", *options(place))[0] == 0
    assert scores(course)["s002", "week1", "affine"] == (None, 6.0)
    with sqlite3.connect(course / "gradebook.db") as connection:
        assert (
            connection.execute("SELECT duedate FROM assignment WHERE name = 'week1'").fetchone()[0]
            > "2031-05-30"
        )


def test_a_penalty_plugin_that_fails(place: Path, autograder: Autograder) -> None:
    with (place / "course/nbgrader_config.py").open("a", encoding="utf-8") as config:
        config.write("TenPercentADay.late_submission_penalty = lambda *a: 1 / 0\n")
    code, said = autograder("grade", *options(place))
    assert code == 2
    assert "plugin TenPercentADay of nbgrader_config.py fails (ZeroDivisionError: division by zero)" in said
    assert not any(score for _, score in scores(place / "course").values())


def test_names_arrive(place: Path, autograder: Autograder, tmp_path: Path) -> None:
    """From the roster into nbgrader's list of students, where nobody entered any; those without work, too."""
    roster = tmp_path / "roster.csv"
    roster.write_text(
        "student,name,email\ns001,Ada Lovelace,ada@example.org\ns002,王小明,\ns003,Emmy Noether,\n",
        encoding="utf-8",
    )
    book = ("--gradebook", place / "book.db")
    with Gradebook(str(place / "book.db")):
        pass
    assert autograder("gradebook", "roster", roster, *book)[0] == 0
    assert autograder("grade", *options(place))[0] == 0

    def names() -> list[tuple[Any, ...]]:
        with sqlite3.connect(place / "course/gradebook.db") as connection:
            query = "SELECT id, first_name, last_name, email FROM student ORDER BY id"
            return connection.execute(query).fetchall()

    assert names() == [
        ("s001", None, "Ada Lovelace", "ada@example.org"),
        ("s002", None, "王小明", None),
        ("s003", None, "Emmy Noether", None),
    ]
    with sqlite3.connect(place / "course/gradebook.db") as connection:
        connection.execute("UPDATE student SET first_name = 'Emmy', last_name = 'Noether' WHERE id = 's003'")
    assert autograder("gradebook", "sync", *options(place))[0] == 0
    assert names()[2] == ("s003", "Emmy", "Noether", None)


def test_lines_and_cells_of_their_own_stay(place: Path, edited: Any) -> None:
    """`release --force` after the course changed: our part is new, theirs stands where it stood."""
    course, toy = place / "course", place / "toy"
    source = course / "source/week1/affine.ipynb"
    notebook = nbformat.read(source, as_version=4)
    notebook.cells.insert(0, new_markdown_cell("Read chapter 3 first."))
    notebook.cells.insert(5, new_code_cell("my_example = 1"))
    notebook.cells.append(new_markdown_cell("Well done."))
    behind = notebook.cells[4].source
    nbformat.write(notebook, source)
    config = course / "nbgrader_config.py"
    config.write_text("# my first line\n" + config.read_text(encoding="utf-8"), encoding="utf-8")
    edited(toy / "solutions/basics/affine.py", "Two maps that stand", "Two linear maps that stand")
    from autograder.authoring.build import build

    build(Course.load(toy, authoring=True))
    release(select(Course.load(toy), None, "en"), "nbgrader", course, force=True)
    fresh = nbformat.read(source, as_version=4)
    nbformat.validate(fresh)
    sources = [cell.source for cell in fresh.cells]
    assert sources[0] == "Read chapter 3 first." and sources[-1] == "Well done."
    assert sources[sources.index("my_example = 1") - 1] == behind
    assert len(sources) == len(notebook.cells)
    assert "Two linear maps" in json.dumps(sources)
    text = config.read_text(encoding="utf-8")
    assert text.startswith("# my first line\n") and text.endswith(PLUGIN)
    assert text.count("# BEGIN autograder") == 1
    # Again, with nothing new: nothing to replace.
    assert release(select(Course.load(toy), None, "en"), "nbgrader", course) == []
    assert (course / "source/week1/own.ipynb").is_file()
