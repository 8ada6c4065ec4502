"""nbgrader's database, written in bulk by us and read by nbgrader's own API; SQLite and PostgreSQL."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from autograder.gradebook import GradebookError
from autograder.platforms.nbgrader.database import ManualGrade, NbgraderDatabase
from autograder.platforms.nbgrader.rows import Entry, Written

MORNING, EVENING = datetime(2026, 11, 20, 8), datetime(2026, 11, 20, 20)


@pytest.fixture
def url(place: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """An nbgrader database with one assignment: two notebooks, one of them with an essay and a task of the instructor's."""
    from nbgrader import api

    # It would run a program to learn its own version, and take seconds.
    monkeypatch.setattr(api, "get_alembic_version", lambda: "167914646830")
    url = f"sqlite:///{place}" if "://" not in place else place.replace("postgresql:", "postgresql+psycopg:")
    with api.Gradebook(url, "toys") as book:
        book.add_assignment("week1", duedate=MORNING)
        for notebook in ("affine", "vowels"):
            book.add_notebook(notebook, "week1")
            book.add_solution_cell("first", notebook, "week1")
            book.add_grade_cell("first-points", notebook, "week1", max_score=6, cell_type="code")
        book.add_grade_cell("essay", "vowels", "week1", max_score=3, cell_type="markdown")
        book.add_solution_cell("essay", "vowels", "week1")
        book.add_task_cell("task", "vowels", "week1", max_score=2, cell_type="markdown")
    return url


@pytest.fixture
def database(url: str) -> Iterator[NbgraderDatabase]:
    with NbgraderDatabase(url) as opened:
        yield opened


@pytest.fixture
def theirs(url: str) -> Iterator[Any]:
    """The same database through nbgrader's own API."""
    from nbgrader.api import Gradebook

    with Gradebook(url, "toys") as book:
        yield book


def entry(student: str = "s001", score: float | None = 4.0, when: datetime | None = MORNING) -> Entry:
    scores = {("affine", "first-points"): score, ("vowels", "first-points"): 6.0}
    comments = {("affine", "first"): "* hidden test 1", ("vowels", "first"): None}
    return Entry(student, "week1", when, scores, comments)


def grade_of(theirs: Any, cell: str = "first-points", notebook: str = "affine", student: str = "s001") -> Any:
    theirs.db.expire_all()
    theirs.db.rollback()
    return theirs.find_grade(cell, notebook, "week1", student)


def test_nbgrader_reads_what_we_wrote(database: NbgraderDatabase, theirs: Any) -> None:
    assert database.assignments() == ["week1"]
    # one student, one submission, two notebooks, four grades, four comments
    assert database.write([entry()]) == Written(new=12, changed=0)
    submission = theirs.find_submission("week1", "s001")
    assert (submission.score, submission.max_score) == (10, 17)
    assert submission.timestamp == MORNING and submission.total_seconds_late == 0
    assert submission.needs_manual_grade  # the instructor's essay and task are for people
    notebook = theirs.find_submission_notebook("affine", "week1", "s001")
    assert not notebook.needs_manual_grade
    assert theirs.find_comment("first", "affine", "week1", "s001").comment == "* hidden test 1"
    assert theirs.find_comment("task", "vowels", "week1", "s001").comment is None


def test_late_submissions_are_late(database: NbgraderDatabase, theirs: Any) -> None:
    database.write([entry(when=EVENING)])
    assert theirs.find_submission("week1", "s001").total_seconds_late == 12 * 3600


def test_writing_twice_changes_nothing(database: NbgraderDatabase) -> None:
    everybody = [entry(), entry("o'brien"), entry("学生"), entry("s 004", None, None)]
    assert database.write(everybody).new == 4 * 12
    assert database.write(everybody) == Written()
    assert database.write([entry(score=5.0), *everybody[1:]]) == Written(changed=1)


def test_people_decide(database: NbgraderDatabase, theirs: Any) -> None:
    """A manual score is never written; it is marked for review when what is below it changes."""
    database.write([entry()])
    grade = grade_of(theirs)
    grade.manual_score, grade.extra_credit, grade.needs_manual_grade = 5.5, 1.0, False
    theirs.find_comment("first", "affine", "week1", "s001").manual_comment = " Well argued. "
    grade_of_essay = theirs.find_grade("essay", "vowels", "week1", "s001")
    grade_of_essay.manual_score, grade_of_essay.needs_manual_grade = 2.0, False
    theirs.db.commit()
    assert database.manual_grades(["week1"]) == [
        ManualGrade("s001", "week1", "affine", "first", 0.0, None, None, "Well argued."),
        ManualGrade("s001", "week1", "affine", "first-points", 4.0, 5.5, 1.0, ""),
        ManualGrade("s001", "week1", "vowels", "essay", 0.0, 2.0, None, ""),
    ]
    assert database.manual_grades(["week2"]) == []
    assert database.write([entry()]) == Written()
    assert not grade_of(theirs).needs_manual_grade
    database.write([entry(score=6.0)])
    found = grade_of(theirs)
    assert (found.auto_score, found.manual_score, found.extra_credit, found.score) == (6.0, 5.5, 1.0, 6.5)
    assert found.needs_manual_grade
    assert grade_of(theirs, "essay", "vowels").manual_score == 2.0
    assert not grade_of(theirs, "essay", "vowels").needs_manual_grade


def test_a_new_hand_in_is_reviewed(database: NbgraderDatabase, theirs: Any) -> None:
    """Even where the automatic score happens to stay the same."""
    database.write([entry()])
    grade = grade_of(theirs)
    grade.manual_score, grade.needs_manual_grade = 5.5, False
    theirs.db.commit()
    database.write([entry(when=EVENING)])
    assert grade_of(theirs).needs_manual_grade
    assert not grade_of(theirs, notebook="vowels").needs_manual_grade


def test_unknown_scores_are_no_zeros(database: NbgraderDatabase, theirs: Any) -> None:
    database.write([entry(score=None)])
    found = grade_of(theirs)
    assert found.auto_score is None and found.needs_manual_grade
    database.write([entry(score=3.0)])
    found = grade_of(theirs)
    assert (found.auto_score, found.needs_manual_grade) == (3.0, False)


def test_all_or_nothing(database: NbgraderDatabase, theirs: Any) -> None:
    """A failure in the middle leaves the database as it was."""

    def broken() -> Iterator[Entry]:
        yield entry()
        yield Entry("s002", "nowhere", None, {}, {})

    with pytest.raises(KeyError):
        database.write(broken())
    assert theirs.db.scalar(sa.text("SELECT count(*) FROM grade")) == 0


def test_somebody_elses_database(place: str, reopen: Callable[[], Any]) -> None:
    with reopen():
        pass
    url = f"sqlite:///{place}" if "://" not in place else place.replace("postgresql:", "postgresql+psycopg:")
    with pytest.raises(GradebookError, match="no database of nbgrader's; run `nbgrader generate_assignment"):
        NbgraderDatabase(url)


def test_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(GradebookError, match=r"gradebook\.db: .*; run `nbgrader generate_assignment NAME`"):
        NbgraderDatabase(f"sqlite:///{tmp_path / 'gradebook.db'}")
    assert not list(tmp_path.iterdir())


def test_a_course_on_postgresql(
    toy: Path,
    postgresql: str,
    shared_sandbox: Any,
    cli: Callable[..., Any],
    tmp_path: Path,
    environment: dict[str, str],
) -> None:
    """From nbgrader's generate_assignment to its export, with a score by hand in between, on PostgreSQL alone."""
    import psycopg

    with psycopg.connect(postgresql, autocommit=True) as connection:
        connection.execute("CREATE DATABASE theirs")
        connection.execute("CREATE DATABASE ours")
    theirs = postgresql.replace("/postgres?", "/theirs?")
    url = theirs.replace("postgresql:", "postgresql+psycopg:")
    out = tmp_path / "out"
    assert cli("release", out, "--to", "nbgrader", "--course", toy).code == 0
    with (out / "nbgrader_config.py").open("a", encoding="utf-8") as config:
        config.write(f"c.CourseDirectory.db_url = {url!r}\n")

    def nbgrader(*arguments: str) -> None:
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"  # it runs alembic by name
        command = [sys.executable, "-m", "nbgrader", *arguments]
        done = subprocess.run(
            command, cwd=out, env={**environment, "PATH": path}, capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, done.stderr

    nbgrader("generate_assignment", "week1")
    shutil.copytree(out / "release" / "week1", out / "submitted" / "s001" / "week1")
    ours = postgresql.replace("/postgres?", "/ours?")
    options = ("--nbgrader", out, "--course", toy, "--gradebook", ours)
    for expected in (
        "10 rows written",
        "0 rows written, 0 changed, 0 notebooks in autograded/; 0 adjustments",
    ):
        said = cli("grade", *options)
        assert said.code == 0 and expected in said.err, said.err
    with psycopg.connect(theirs, autocommit=True) as connection:
        connection.execute(
            "UPDATE grade SET manual_score = 2.5 WHERE cell_id IN (SELECT id FROM base_cell WHERE name LIKE 'aff%')"
        )
    said = cli("gradebook", "sync", *options)
    assert "1 adjustments" in said.err
    nbgrader("generate_feedback", "week1")
    nbgrader("export")
    assert "s001,,,,2.5,0.0,2.5,16.0" in (out / "grades.csv").read_text(encoding="utf-8")
    assert len(list((out / "feedback").rglob("*.html"))) == 2
    assert not list(out.glob("*.db"))
