"""No command writes over a gradebook, a submission or a course file; what else exists is replaced when told so."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from autograder.gradebook import Gradebook
from autograder.results import ExerciseResult, Isolation, Status

Cli = Callable[..., Any]
FORMATS = [
    *(("--per", per) for per in ("student", "exercise", "test")),
    *(("--format", name) for name in ("canvas", "moodle", "junit", "ctrf")),
]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A gradebook with one result."""
    path = tmp_path / "book.db"
    with Gradebook(str(path)) as book:
        book.record(
            ExerciseResult(
                student="s001", exercise="extras/vowels", status=Status.GRADED, score=3.0, max_score=4.0,
                isolation=Isolation.FULL,
            )
        )  # fmt: skip
    return path


@pytest.fixture
def export(cli: Cli, toy: Path, place: Path) -> Cli:
    return lambda path, *more: cli("gradebook", "export", path, "--gradebook", place, "--course", toy, *more)


def refused(said: Any, *words: str) -> None:
    assert (said.code, said.out) == (2, ""), said.err
    assert said.err.startswith("autograder: ") and "Traceback" not in said.err
    for word in words:
        assert word in said.err.replace("\n", " ")


@pytest.mark.parametrize("force", [(), ("--force",)])
@pytest.mark.parametrize("options", FORMATS)
def test_the_gradebook_that_is_exported(
    export: Cli, place: Path, options: tuple[str, ...], force: tuple[str, ...]
) -> None:
    before = place.read_bytes()
    refused(export(place, *options, *force), str(place), "database", "choose another name")
    assert place.read_bytes() == before


@pytest.mark.parametrize("how", ["link", "hard link", "another's", "beside an open one"])
def test_a_gradebook_by_any_name(export: Cli, place: Path, tmp_path: Path, how: str) -> None:
    """By its content: the name says nothing."""
    target = tmp_path / "grades.csv"
    holder = sqlite3.connect(place)
    if how == "link":
        target.symlink_to(place)
    elif how == "hard link":
        os.link(place, target)
    elif how == "another's":
        Gradebook(str(target)).__exit__()
    else:
        holder.execute("SELECT * FROM students").fetchall()  # SQLite's own files stay while it is open
        target = tmp_path / "book.db-wal"
        assert target.exists()
    before = target.read_bytes()
    refused(export(target, "--force"), str(target), "database")
    assert target.read_bytes() == before and target.is_symlink() == (how == "link")
    holder.close()


@pytest.mark.parametrize(
    "name",
    [
        "course/course.toml",
        "exercises/basics/affine.py",
        "exercises/grades.csv",
        "solutions/basics/affine.toml",
    ],
)
def test_a_course_s_files(export: Cli, toy: Path, name: str) -> None:
    """A new file among them is refused, too: it would be given out, or belong to no exercise."""
    target = toy / name
    before = target.read_bytes() if target.exists() else None
    refused(export(target, "--force"), str(target), "course", "choose a place outside")
    assert (target.read_bytes() if target.exists() else None) == before


@pytest.mark.parametrize("name", ["affine.py", "affine.ipynb", "s001.zip", "AFFINE.PY"])
def test_a_submission(export: Cli, hand_in: Callable[..., Path], name: str) -> None:
    target = hand_in("s001", {name: "work"}) / "s001" / name
    refused(export(target, "--force"), str(target), "somebody's work", "choose another name")
    assert target.read_text() == "work"


@pytest.mark.parametrize("options", FORMATS)
def test_a_previous_export_is_replaced_and_nothing_else(
    export: Cli, tmp_path: Path, options: tuple[str, ...]
) -> None:
    target = tmp_path / "grades.txt"
    assert export(target, *options).code == 0
    ours = target.read_bytes()
    assert export(target, *options).code == 0
    for other in [choice for choice in FORMATS if choice != options]:
        refused(export(target, *other), str(target), "something else", "--force")
    assert target.read_bytes() == ours
    target.write_text("student,email\ns001,a@example.org\n")
    refused(export(target, *options), "--force")
    assert export(target, *options, "--force").code == 0
    assert target.read_bytes() == ours
    target.write_text("")  # nothing is lost
    assert export(target, *options).code == 0


def test_the_template_is_the_platform_s(export: Cli, tmp_path: Path) -> None:
    template = tmp_path / "canvas.csv"
    template.write_text("Student,ID,SIS User ID,SIS Login ID,Section,First week (12)\nOne,1,,s001,A,1\n")
    options = ("--format", "canvas", "--template", template)
    before = template.read_text()
    refused(export(template, *options), str(template), "--force")
    assert template.read_text() == before
    for _ in range(2):
        assert export(tmp_path / "filled.csv", *options).code == 0
    assert export(template, *options, "--force").code == 0
    assert "s001,A,3" in template.read_text()


def test_a_folder_and_a_place_that_is_not_there(export: Cli, tmp_path: Path) -> None:
    refused(export(tmp_path, "--force"), "is a folder")
    refused(export(tmp_path / "no" / "such.csv"), "can't be written", "choose another place")


def test_a_failed_write_leaves_the_old_file_whole(
    export: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "out" / "grades.csv"
    target.parent.mkdir()
    assert export(target).code == 0
    target.chmod(0o640)
    before = target.read_bytes()

    def full(*_arguments: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", full)
        refused(export(target), "No space left on device")
    assert target.read_bytes() == before
    assert [path.name for path in target.parent.iterdir()] == ["grades.csv"]
    assert export(target).code == 0
    assert target.stat().st_mode & 0o777 == 0o640


def test_standard_output(python: Callable[..., Any], toy: Path, place: Path) -> None:
    export = ("-m", "autograder", "gradebook", "export", "/dev/stdout", "--gradebook", place)
    done = python(*map(str, export), cwd=toy)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("student,")
    assert Path("/dev/stdout").is_symlink()


# ------------------------------------------------------------------------------------------ other commands


def test_grades_csv_is_checked_before_anything_is_graded(
    cli: Cli, toy: Path, place: Path, tmp_path: Path
) -> None:
    clones = tmp_path / "clones"
    clones.mkdir()
    other = tmp_path / "notes.csv"
    other.write_text("mine")
    grade = ("grade", "--github", clones, "--course", toy, "--gradebook", tmp_path / "new.db", "--grades-csv")
    refused(cli(*grade, place), "database")
    refused(cli(*grade, other), str(other), "move it away first")
    refused(cli(*grade, clones / "grades.csv"), "among the submissions")
    assert other.read_text() == "mine" and not list(clones.iterdir())
    assert not (tmp_path / "new.db").exists()


def test_classroom50(cli: Cli, toy: Path, place: Path, tmp_path: Path) -> None:
    report = ("ci-report", "vowels", "--course", toy, "--classroom50")
    before = place.read_bytes()
    refused(cli(*report, place), "database")
    refused(cli(*report, toy / "course" / "course.toml"), "course")
    assert place.read_bytes() == before
    for _ in range(2):
        assert cli(*report, tmp_path / "result.json").code == 1
    (tmp_path / "result.json").write_text("{}")
    refused(cli(*report, tmp_path / "result.json"), "something else")


@pytest.mark.parametrize("content", ["", "x", "def vowels(text):\n"])
def test_a_gradebook_s_name_that_is_a_submission_s(
    cli: Cli, toy: Path, hand_in: Callable[..., Path], content: str
) -> None:
    """SQLite would make a database of an empty file."""
    folder = hand_in("s001", {"vowels.py": content})
    target = folder / "s001" / "vowels.py"
    refused(cli("grade", folder, "--course", toy, "--gradebook", target), str(target))
    roster = folder.parent / "roster.csv"
    roster.write_text("student\ns001\n")
    refused(cli("gradebook", "roster", roster, "--gradebook", target), str(target))
    refused(cli("gradebook", "roster", roster, "--gradebook", roster), str(roster))
    notes = folder.parent / "notes"
    notes.write_text(content or "n")
    refused(cli("gradebook", "roster", roster, "--gradebook", notes), str(notes), "choose another")
    assert notes.read_text() == (content or "n")
    assert target.read_text() == content and roster.read_text() == "student\ns001\n"


@pytest.fixture
def released(cli: Cli, toy: Path, tmp_path: Path) -> Path:
    """A plain release of the toy course."""
    assert cli("release", tmp_path / "out", "--to", "plain", "--course", toy).code == 0
    return tmp_path / "out"


@pytest.mark.parametrize("name", ["exercises/basics/affine.py", "notebooks/basics/affine.ipynb"])
def test_a_release_leaves_a_student_s_work(cli: Cli, toy: Path, released: Path, name: str) -> None:
    """Whoever releases into a folder that a student works in, by mistake."""
    work, readme = released / name, released / "README.md"
    text = work.read_text()
    work.write_text(text.replace('raise NotImplementedError(\\"affine\\")', "return x").replace(
        'raise NotImplementedError("affine")', "return x"
    ))  # fmt: skip
    readme.write_text("changed")
    before = work.read_bytes()
    assert before.decode() != text
    release = ("release", released, "--to", "plain", "--course", toy)
    refused(cli(*release, "--force"), str(work), "somebody's work", "choose another folder")
    assert work.read_bytes() == before and readme.read_text() == "changed"
    work.unlink()
    assert cli(*release, "--force").code == 0
    assert readme.read_text() != "changed"


def test_a_release_leaves_a_gradebook(cli: Cli, toy: Path, released: Path, place: Path) -> None:
    target = released / "README.md"
    target.write_bytes(place.read_bytes())
    refused(cli("release", released, "--to", "plain", "--course", toy, "--force"), str(target), "database")
    assert target.read_bytes() == place.read_bytes()


def test_a_release_into_another_instructor_s_course(cli: Cli, toy: Path, tmp_path: Path) -> None:
    assert cli("init", tmp_path / "mine").code == 0
    for out in (tmp_path / "mine", tmp_path / "mine" / "exercises"):
        before = sorted(path.read_bytes() for path in (tmp_path / "mine").rglob("*") if path.is_file())
        said = cli("release", out, "--to", "plain", "--course", toy, "--force")
        refused(said, str(out), "a folder of its own")
        assert before == sorted(
            path.read_bytes() for path in (tmp_path / "mine").rglob("*") if path.is_file()
        )


def test_a_release_to_what_is_no_folder(cli: Cli, toy: Path, released: Path, place: Path) -> None:
    release = ("--to", "plain", "--course", toy, "--force")
    refused(cli("release", place, *release), str(place), "is a file")
    (released / "README.md").unlink()
    (released / "README.md").mkdir()
    refused(cli("release", released, *release), "README.md", "is a folder")


def test_notebooks_leave_a_course_s_files(cli: Cli, toy: Path, place: Path) -> None:
    own = toy / "exercises" / "basics" / "affine.ipynb"
    own.write_text("mine")
    refused(cli("notebooks", "--out", toy / "exercises", "--force", "--course", toy), str(own), "course")
    assert own.read_text() == "mine"
    other = toy / "notebooks" / "basics" / "affine.ipynb"
    other.parent.mkdir(parents=True)
    other.write_bytes(place.read_bytes())
    refused(cli("notebooks", "--out", toy / "notebooks", "--force", "--course", toy), str(other), "database")
    assert other.read_bytes() == place.read_bytes()


def test_notebooks_to_what_is_no_folder(cli: Cli, toy: Path, place: Path) -> None:
    before = place.read_bytes()
    refused(cli("notebooks", "--out", place, "--course", toy), str(place), "choose another place")
    assert place.read_bytes() == before
