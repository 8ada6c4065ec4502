"""Rosters: who is whom elsewhere, read from anybody's CSV and kept beside the grades."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from autograder.errors import UserError
from autograder.gradebook import Gradebook
from autograder.gradebook.roster import Person, read_roster

CANVAS = """\
Student,ID,SIS User ID,SIS Login ID,Section,Week 1 (7)
    Points Possible,,,,,10
"Doe, Jane",501,u1,s001,A,
Zhang San,502,u2,s002,B,9
"""
MOODLE = "First name;Surname;ID number;Email address\nJane;Doe;u1;jane@example.org\n"
OURS = "student,github,email\ns001,Jane-D,jane@example.org\ns002,zs,\n"


def csv(tmp_path: Path, text: str, name: str = "roster.csv") -> Path:
    path = tmp_path / name
    path.write_bytes(text.encode())
    return path


def test_rosters_of_every_platform(tmp_path: Path) -> None:
    assert read_roster(csv(tmp_path, CANVAS), "SIS Login ID") == [
        Person(student="s001", name="Doe, Jane", sis_id="u1", login="s001", section="A", lms_id="501"),
        Person(student="s002", name="Zhang San", sis_id="u2", login="s002", section="B", lms_id="502"),
    ]
    assert read_roster(csv(tmp_path, "\ufeff" + MOODLE), "ID number") == [
        Person(student="u1", name="Jane Doe", sis_id="u1", email="jane@example.org")
    ]
    assert read_roster(csv(tmp_path, OURS.replace("\n", "\r\n")))[0] == Person(
        student="s001", github="Jane-D", email="jane@example.org"
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("student,id\ns001,7\ns002,7\n", "lms_id '7' belongs to"),
        (CANVAS, "no column 'student'; name the one .* --key: 'Student', 'ID', 'SIS User ID'"),
        ("student,email\ns001,a@b\ns001,c@d\n", "row 3: 's001' is in it twice"),
        ("student,email\ns001,a@b\ns002,A@B\n", "email 'a@b' belongs to 's001' and to 's002'"),
        ("student,github\ns001,x\ns002,X\n", "github 'x' belongs to"),
        ("student\n\n", "names nobody"),
        ("", "is empty"),
        ('student\n"s001', "is not a CSV file"),
        ("student\n\xff".encode("latin-1").decode("latin-1"), None),
    ],
)
def test_what_can_t_be_a_roster(tmp_path: Path, text: str, said: str | None) -> None:
    if said is None:
        path = tmp_path / "latin.csv"
        path.write_bytes(b"student\n\xff\n")
        said = "is not UTF-8 text"
    else:
        path = csv(tmp_path, text)
    with pytest.raises(UserError, match=said):
        read_roster(path)


def test_rosters_complete_each_other(book: Gradebook, reopen: Callable[[], Gradebook]) -> None:
    assert book.import_roster([Person(student="s001", sis_id="u1"), Person(student="s002", sis_id="u2")]) == 2
    assert (
        book.import_roster([Person(student="s001", github="jane"), Person(student="s002", sis_id="u2")]) == 1
    )
    with reopen() as again:
        assert again.roster() == {
            "s001": Person(student="s001", sis_id="u1", github="jane"),
            "s002": Person(student="s002", sis_id="u2"),
        }
        assert again.students() == ["s001", "s002"]
        assert again.attempts() == {}  # a roster is no hand-in


def test_a_platform_s_number_is_kept(
    book: Gradebook, reopen: Callable[[], Gradebook], tmp_path: Path
) -> None:
    people = read_roster(csv(tmp_path, CANVAS), "SIS Login ID")
    assert (book.import_roster(people), book.import_roster(people)) == (2, 0)
    book.import_roster([Person(student="s001", lms_id="777"), Person(student="s002", github="zs")])
    with reopen() as again:
        assert {name: person.lms_id for name, person in again.roster().items()} == {
            "s001": "777",
            "s002": "502",
        }


def test_a_gradebook_from_before_there_were_rosters(book: Gradebook, reopen: Callable[[], Gradebook]) -> None:
    book.add_students(["s001"])
    with book._engine.begin() as connection:
        connection.execute(sa.text("DROP TABLE roster"))
    with reopen() as again:
        assert again.roster() == {}
        assert again.students() == ["s001"]
        again.import_roster([Person(student="s001", email="a@example.org")])
        assert again.roster()["s001"].email == "a@example.org"


def test_command(cli: Callable[..., Any], tmp_path: Path) -> None:
    place = tmp_path / "book.db"
    with Gradebook(str(place)) as book:
        book.add_students(["s001", "s009"])
    said = cli("gradebook", "roster", csv(tmp_path, OURS), "--gradebook", place)
    assert said.code == 0
    assert "2 students on the roster, 2 of them new or changed" in said.err
    assert "not on the roster: s009" in said.err
    said = cli("gradebook", "roster", csv(tmp_path, CANVAS), "--gradebook", place)
    assert said.code == 2 and "--key" in said.err
