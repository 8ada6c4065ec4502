"""Points by hand: with or without a submission, listed, undone; and everybody on the roster is in every table."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from autograder.gradebook import Gradebook, GradebookError
from autograder.gradebook.roster import Person
from autograder.results import ExerciseResult, Isolation, Status

Cli = Callable[..., Any]
ROSTER = [
    Person(student="s001", name="Jane Doe", email="jane@example.org"),
    Person(student="s002", name="Li Lei", sis_id="u2"),
]


def record(book: Gradebook, student: str = "s001", score: float = 3.0) -> None:
    book.record(
        ExerciseResult(
            student=student, exercise="extras/vowels", status=Status.GRADED, score=score, max_score=4.0,
            isolation=Isolation.FULL,
        )
    )  # fmt: skip


@pytest.fixture
def class_db(tmp_path: Path) -> Path:
    """s001 has handed in something; s002 is on the roster alone."""
    path = tmp_path / "class.db"
    with Gradebook(str(path)) as book:
        book.import_roster(ROSTER)
        record(book)
    return path


@pytest.fixture
def command(cli: Cli, toy: Path, class_db: Path, tmp_path: Path) -> Cli:
    """`command("show")`: a gradebook command on that class."""

    def run(name: str, *arguments: object) -> Any:
        course = () if name == "adjustments" else ("--course", toy)
        return cli("gradebook", name, *arguments, *course, "--gradebook", class_db)

    return run


def adjust(command: Cli, student: str, points: str, *more: str) -> Any:
    return command("adjust", student, "vowels", points, "--reason", "an oral", "--who", "ann", *more)


# ------------------------------------------------------------------------------------------ without a submission


def test_points_without_a_submission(command: Cli, tmp_path: Path) -> None:
    said = adjust(command, "s002", "2.5")
    assert (said.code, said.out, said.err) == (0, "s002, extras/vowels: 0 -> 2.5 of 4\n", "")
    row = next(line for line in command("show").out.splitlines() if line.startswith(" s002"))
    assert [cell.strip() for cell in row.split("│")] == ["s002", "–", "2.5*", "2.5"]
    one = command("show", "--student", "s002").out
    assert "extras/vowels  2.5/4  not handed in; points given by hand" in one and '"an oral"' in one
    assert command("export", tmp_path / "canvas.csv", "--format", "canvas", "--only", "vowels").code == 0
    assert "Li Lei,,u2,s002,,2.5" in (tmp_path / "canvas.csv").read_text()


def test_what_is_handed_in_later_counts_beside_them(command: Cli, class_db: Path) -> None:
    adjust(command, "s002", "0.5")
    with Gradebook(str(class_db)) as book:
        record(book, "s002", 2.0)
    assert "extras/vowels  2.5/4  graded" in command("show", "--student", "s002").out


@pytest.mark.parametrize(
    ("name", "meant"),
    [("s02", "did you mean 's002'"), ("S002", "did you mean 's002'?"), ("jane@example.org", "did you mean 's001'?"),
     ("li lei", "did you mean 's002'?"), ("bob", "`autograder gradebook show` lists them")],
)  # fmt: skip
def test_a_name_that_is_nobody_s(command: Cli, class_db: Path, name: str, meant: str) -> None:
    said = adjust(command, name, "1")
    assert (said.code, said.out) == (2, "")
    assert f"has no student {name!r}; " in said.err and meant in said.err
    assert "--new-student" in said.err and str(class_db) in said.err
    with Gradebook(str(class_db)) as book:
        assert book.students() == ["s001", "s002"] and not book.adjustments()
    assert meant in command("show", "--student", name).err
    assert meant in command("adjustments", "--student", name).err


def test_a_new_student(command: Cli, class_db: Path) -> None:
    assert adjust(command, "s009", "inf", "--new-student").code == 2
    assert adjust(command, "s009", "1", "--new-student").out == "s009, extras/vowels: 0 -> 1 of 4\n"
    with Gradebook(str(class_db)) as book:
        assert book.students() == ["s001", "s002", "s009"]


# ------------------------------------------------------------------------------------------ the class


def test_the_whole_roster_is_in_every_table(command: Cli, tmp_path: Path) -> None:
    assert " s002 " in command("show").out
    assert command("show", "--student", "s002").out == "s002 has handed in nothing.\n"
    rows = json.loads(command("show", "--json").out)
    assert [(row["student"], row["status"], row["standing"]) for row in rows["results"]] == [
        ("s001", "graded", 3.0), ("s002", "missing", None),
    ]  # fmt: skip
    assert (rows["summary"]["students"], rows["summary"]["missing"]) == (2, 1)
    (own,) = json.loads(command("show", "--json", "--student", "s002").out)["results"]
    assert own["status"] == "missing"
    for per in ("student", "exercise", "test"):
        assert command("export", tmp_path / f"{per}.csv", "--per", per).code == 0
        with (tmp_path / f"{per}.csv").open(newline="") as file:
            assert [row["student"] for row in csv.DictReader(file)] == ["s001", "s002"]
    for name, called in (("canvas", "Li Lei"), ("moodle", "Li Lei"), ("junit", "s002"), ("ctrf", "s002")):
        assert command("export", tmp_path / name, "--format", name).code == 0
        assert called in (tmp_path / name).read_text()


def test_a_roster_alone(cli: Cli, toy: Path, tmp_path: Path) -> None:
    class_db = tmp_path / "new.db"
    with Gradebook(str(class_db)) as book:
        book.import_roster(ROSTER)
    options = ("--course", toy, "--gradebook", class_db)
    for name, count in (("csv", 2), ("junit", 4), ("ctrf", 4)):
        assert cli("gradebook", "export", tmp_path / name, "--format", name, *options).code == 0
        assert len(re.findall("s001|s002", (tmp_path / name).read_text())) >= count
    assert len(json.loads(cli("gradebook", "show", "--json", *options).out)["results"]) == 4


def test_grading_ends_with_the_whole_class(
    cli: Cli, toy: Path, class_db: Path, hand_in: Callable[..., Path], shared_sandbox: Any
) -> None:
    folder = hand_in("s001", {"vowels.py": "def vowels(text):\n    return 3\n"})
    said = cli("grade", folder, "--course", toy, "--gradebook", class_db, "--only", "extras")
    assert re.search(r"^ s002 +│ +– │ +0 *$", said.out, re.MULTILINE), said.out


# ------------------------------------------------------------------------------------------ the list, and undoing


def test_the_list(command: Cli) -> None:
    assert command("adjustments").out == "Nobody's points were adjusted.\n"
    adjust(command, "s002", "2")
    adjust(command, "s001", "-0.5")
    assert command("undo", "1", "--reason", "the wrong student", "--who", "bob").code == 0
    rows = [
        [cell.strip() for cell in line.split("│")[1:-1]]
        for line in command("adjustments").out.splitlines()
        if "│" in line
    ]
    day = rows[0][5]
    assert rows == [
        ["1", "s002", "extras/vowels", "+2", "ann", day, "an oral (undone by 3)"],
        ["2", "s001", "extras/vowels", "-0.5", "ann", day, "an oral"],
        ["3", "s002", "extras/vowels", "-2", "bob", day, "undoes 1: the wrong student"],
    ]
    assert "s002" not in command("adjustments", "--student", "s001").out
    listed = json.loads(command("adjustments", "--json").out)["adjustments"]
    assert [(one["number"], one["student"], one["undoes"], one["undone_by"]) for one in listed] == [
        (1, "s002", None, 3), (2, "s001", None, None), (3, "s002", 1, None),
    ]  # fmt: skip


def test_undoing(command: Cli, class_db: Path) -> None:
    adjust(command, "s001", "1")
    adjust(command, "s002", "2")
    assert command("undo", "1").out == "s001, extras/vowels: 4 -> 3 of 4\n"
    assert command("undo", "2").out == "s002, extras/vowels: 2 -> 0 of 4\n"
    shown = command("show").out
    assert "*" not in "".join(line for line in shown.splitlines() if line.startswith(" s0"))
    with Gradebook(str(class_db)) as book:
        given = book.adjustments()["s001", "extras/vowels"]
    assert [(one.points, one.reason) for one in given] == [(1.0, "an oral"), (-1.0, "undoes 1: an oral")]


@pytest.mark.parametrize(
    ("number", "said"),
    [
        ("1", "adjustment 1 was undone already, by 2;"),
        ("2", "adjustment 2 itself undoes 1;"),
        ("9", "has no adjustment 9;"),
    ],
)
def test_what_can_t_be_undone(command: Cli, number: str, said: str) -> None:
    adjust(command, "s001", "1")
    command("undo", "1")
    done = command("undo", number)
    assert (done.code, done.out) == (2, "") and said in done.err and "autograder gradebook" in done.err
    assert len(json.loads(command("adjustments", "--json").out)["adjustments"]) == 2


def test_undoing_on_any_database(book: Gradebook, reopen: Callable[[], Gradebook]) -> None:
    """Also in a gradebook from before anything could be undone."""
    record(book)
    book.adjust("s001", "extras/vowels", 1.0, reason="late", who="ann")
    with book._engine.begin() as connection:
        connection.execute(sa.text("DROP TABLE counter_entries"))
    with reopen() as again:
        assert again.undo(1, who="bob").points == 1.0
        with pytest.raises(GradebookError, match="undone already, by 2"):
            again.undo(1, who="bob")
        assert [(a.number, a.undoes, a.undone_by) for a in again.adjustments()["s001", "extras/vowels"]] == [
            (1, None, 2), (2, 1, None),
        ]  # fmt: skip
