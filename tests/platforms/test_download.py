"""What Canvas and Moodle give for download, one zip of a class, and whose each file is. Nobody hands in for another."""

from __future__ import annotations

import io
import json
import stat
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.usefixtures("shared_sandbox")

FULL = 4.0  # points of extras/vowels in the toy course
VOWELS = "def vowels(text):\n    return len([c for c in text if c in 'aeiouAEIOU'])\n"
WITH_HELPER = "from tools import count\n\n\ndef vowels(text):\n    return count(text)\n"
HELPER = "def count(text):\n    return len([c for c in text if c in 'aeiouAEIOU'])\n"
CANVAS = """\
Student,ID,SIS User ID,SIS Login ID,Section
    Points Possible,,,,
"Doe, Jane",501,u1,s001,A
"Müller-Zhang, San",502,u2,s002,A
"Lee, Bob",503,u3,s003,B
"Lee, Bob",504,u4,s004,B
"""
MOODLE = "student,First name,Surname\ns001,Jane,Doe\ns002,San,Müller-Zhang\ns003,Bob,Lee\ns004,Bob,Lee\n"


def zipped(files: Mapping[str, str | bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


class Class:
    """A class's hand-ins, and what grading them says."""

    def __init__(self, cli: Callable[..., Any], toy: Path, place: Path) -> None:
        self.cli, self.toy, self.place = cli, toy, place
        self.folder = place / "download"
        self.where = ("--course", toy, "--gradebook", place / "g.db")

    def roster(self, text: str, *options: str) -> None:
        (self.place / "roster.csv").write_text(text, encoding="utf-8")
        said = self.cli("gradebook", "roster", self.place / "roster.csv", *options, *self.where[2:])
        assert said.code == 0, said.err

    def put(self, files: Mapping[str, str | bytes]) -> None:
        for name, content in files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())

    def grade(
        self, place: Path | None = None, *options: object
    ) -> tuple[dict[str, Any], dict[str, Any], str]:
        """(student -> row of vowels, student -> [(file, why)], remarks)."""
        said = self.cli("grade", place or self.folder, *self.where, "--json", *options)
        assert said.code == 0, said.err
        found = json.loads(said.out)
        rows = {row["student"]: row for row in found["results"] if row["exercise"] == "extras/vowels"}
        told = {
            entry["student"]: [(file["file"], file["why"]) for file in entry["files"]]
            for entry in found["unrecognised"]
        }
        return rows, told, said.err.replace("\n", " ")


@pytest.fixture
def course(cli: Callable[..., Any], toy: Path, tmp_path: Path) -> Class:
    return Class(cli, toy, tmp_path)


def scores(rows: Mapping[str, Any]) -> dict[str, float]:
    return {student: row["score"] for student, row in rows.items()}


# ------------------------------------------------------------------------------------------- Canvas

CANVAS_FILES: dict[str, str | bytes] = {
    "doejane_501_9001_vowels.py": WITH_HELPER,
    "doejane_501_9002_tools-1.py": HELPER,
    "doejane_501_9003_report.pdf": "%PDF",
    "müllerzhangsan_LATE_502_9004_Vowels-2.py": VOWELS,
    "leebob_503_9005_my work.zip": zipped({"hw/vowels.py": VOWELS}),
    "leebob_504_9006_vowels_v2.py": VOWELS,
    "leebob_504_text.html": "<p>",
}


@pytest.mark.parametrize("packed", [False, True])
def test_canvas_with_a_roster(course: Class, packed: bool) -> None:
    """Two students share a name; Canvas's ID tells them apart."""
    course.roster(CANVAS, "--key", "SIS Login ID")
    course.put(CANVAS_FILES)
    place = course.place / "submissions.zip"
    place.write_bytes(zipped(CANVAS_FILES))
    rows, told, remarks = course.grade(place if packed else None)
    assert scores(rows) == {"s001": FULL, "s002": FULL, "s003": FULL}
    assert rows["s002"]["file"] == "müllerzhangsan_LATE_502_9004_Vowels-2.py"
    assert told == {
        "": [("leebob_504_text.html", "loose")],
        "s001": [("doejane_501_9003_report.pdf", "unknown")],
        "s004": [("leebob_504_9006_vowels_v2.py", "near")],
    }
    assert "on a roster" not in remarks
    rows, told, _ = course.grade(place if packed else None, "--accept-names")
    assert scores(rows)["s004"] == FULL and "s004" not in told


def test_canvas_without_a_roster(course: Class) -> None:
    course.put(CANVAS_FILES)
    rows, _, remarks = course.grade()
    assert scores(rows) == {"doejane": FULL, "müllerzhangsan": FULL, "leebob_503": FULL}
    assert "not on a roster, so called as Canvas calls them: doejane (501)" in remarks
    assert "autograder gradebook roster FILE" in remarks


def test_a_roster_of_names_only(course: Class) -> None:
    """Whoever shares a name is nobody's guess."""
    course.roster(MOODLE)
    course.put(CANVAS_FILES)
    rows, _, remarks = course.grade()
    assert scores(rows) == {"s001": FULL, "s002": FULL, "leebob_503": FULL}
    assert "leebob (503), leebob (504)" in remarks


def test_a_canvas_name_that_can_be_read_in_two_ways(course: Class) -> None:
    """Somebody called bob_502 would send bob_502_999_7_vowels.py: that is not for us to decide."""
    course.roster(CANVAS, "--key", "SIS Login ID")
    course.put({
        "bob_502_999_7_vowels.py": VOWELS, "doejane_501_9001_2024_work.zip": zipped({"vowels.py": VOWELS}),
        "s003/vowels.py": VOWELS,
    })  # fmt: skip
    rows, told, _ = course.grade()
    assert scores(rows) == {"s003": FULL}
    assert told == {"": [("bob_502_999_7_vowels.py", "loose"), ("doejane_501_9001_2024_work.zip", "loose")]}


# ------------------------------------------------------------------------------------------- Moodle

MOODLE_FILES: dict[str, str | bytes] = {
    "Jane Doe_71_assignsubmission_file_/week 1/vowels.py": WITH_HELPER,
    "Jane Doe_71_assignsubmission_file_/week 1/tools.py": HELPER,
    "Jane Doe_71_assignsubmission_onlinetext_/onlinetext.html": "<p>",
    "San Müller-Zhang_72_assignsubmission_file_vowels (1).py": VOWELS,
    "Bob Lee_73_assignsubmission_file/work.zip": zipped({"VOWELS.py": VOWELS}),
    "Zoe Roe_74_assignsubmission_file_hw.zip": zipped({"vowels.py": VOWELS}),
}


@pytest.mark.parametrize("packed", [False, True])
def test_moodle(course: Class, packed: bool) -> None:
    course.roster(MOODLE)
    course.put(MOODLE_FILES)
    place = course.place / "CS-Week 1-4711.zip"
    place.write_bytes(zipped(MOODLE_FILES))
    rows, told, remarks = course.grade(place if packed else None)
    assert scores(rows) == {"s001": FULL, "s002": FULL, "Bob Lee": FULL, "Zoe Roe": FULL}
    assert told == {"s001": [("Jane Doe_71_assignsubmission_onlinetext_/onlinetext.html", "unknown")]}
    assert (
        "as Moodle calls them: Bob Lee (73), Zoe Roe (74)" in remarks
    )  # two on the roster are called Bob Lee


# ------------------------------------------------------------------------------------------- one zip of a class

FOLDERS = {
    "s001/vowels.py": VOWELS,
    "s002/week1/Vowels (1).py": VOWELS,
    "s003.zip": zipped({"vowels.py": VOWELS}),
}


@pytest.mark.parametrize("inside", ["", "class/"])
def test_one_zip_of_a_class(course: Class, inside: str) -> None:
    """Students' folders and zip files, or a folder of them packed as it was."""
    place = course.place / "class.zip"
    others = {f".git/{n}": b"x" for n in range(3000)} | {"notes.pdf": b"%PDF"}
    place.write_bytes(zipped({f"{inside}{name}": content for name, content in (FOLDERS | others).items()}))
    rows, told, _ = course.grade(place)
    assert scores(rows) == {"s001": FULL, "s002": FULL, "s003": FULL}
    assert told == {"": [("notes.pdf", "loose")]}


def linked() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        entry = zipfile.ZipInfo("s001/vowels.py")
        entry.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(entry, "../s002/vowels.py")
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: zipped({"../s001/vowels.py": VOWELS}), "plain relative path"),
        (lambda: zipped({"s001/vowels.py": bytes(200 << 20)}), "unpacked size"),
        (lambda: zipped({"s001": "x", "s001/vowels.py": VOWELS}), "s001"),
        (linked, "link"),
        (lambda: b"no zip", "not a readable zip"),
        (lambda: zipped({"README.md": "r"}), "holds no student's folder"),
    ],
    ids=["up", "bomb", "file and folder", "link", "no zip", "nobody"],
)
def test_a_class_s_zip_that_can_t_be_used(
    course: Class, make: Callable[[], bytes], words: str, tmp_path: Path
) -> None:
    place = tmp_path / "class.zip"
    place.write_bytes(make())
    said = course.cli("grade", place, *course.where)
    assert said.code == 2 and "Traceback" not in said.err
    assert words in said.err and "class" in said.err


def test_no_archive_is_opened_unconfined(course: Class) -> None:
    place = course.place / "class.zip"
    place.write_bytes(zipped(FOLDERS))
    said = course.cli("grade", place, *course.where, "--unsafe")
    assert said.code == 2 and "in the sandbox only" in said.err and "give the folder" in said.err


# ------------------------------------------------------------------------------------------- in another's name

HOSTILE_NAMES = [
    "s001_501_9001_vowels.py",
    "doejane_501_9001_vowels.py",
    "Jane Doe_71_assignsubmission_file_vowels.py",
    "Jane Doe_71_assignsubmission_file_/vowels_v2.py",
    "s001/my_vowels.py",
    "s001.zip",
]


@pytest.mark.parametrize("name", HOSTILE_NAMES)
@pytest.mark.parametrize(
    "own", ["s002/", "müllerzhangsan_502_9_work.zip", "San Müller-Zhang_72_assignsubmission_file_/"]
)
def test_nobody_hands_in_for_another(course: Class, name: str, own: str) -> None:
    """What a student calls a file of their own, at whatever depth, names nobody."""
    course.roster(CANVAS, "--key", "SIS Login ID")
    content = zipped({name: VOWELS}) if name.endswith(".zip") else VOWELS.encode()
    course.put({own: zipped({name: content})} if own.endswith(".zip") else {f"{own}{name}": content})
    rows, told, _ = course.grade(None, "--accept-names")
    assert set(rows) <= {"s002"} and set(told) <= {"s002"} and {*rows, *told} == {"s002"}


def test_a_name_of_one_s_own_is_no_proof(course: Class) -> None:
    """Somebody who calls themselves Jane Doe on Canvas is not the Jane Doe whose number the roster has."""
    course.roster(CANVAS, "--key", "SIS Login ID")
    course.put({"doejane_999_1_vowels.py": VOWELS, "s001_998_2_vowels.py": VOWELS})
    rows, _, remarks = course.grade()
    assert scores(rows) == {"doejane": FULL, "s001_998": FULL}
    assert "doejane (999), s001 (998)" in remarks


def test_two_people_who_could_be_one_student(course: Class) -> None:
    course.roster("student,name\ns001,Jane Doe\n")
    course.put({"doejane_501_1_vowels.py": VOWELS, "janedoe_502_2_vowels.py": "x = 1"})
    rows, _, remarks = course.grade()
    assert "s001" not in rows and set(rows) == {"doejane", "janedoe"}
    assert "would be s001 (doejane (501), janedoe (502)), so none of them is" in remarks


def test_a_link_beside_the_folders_is_not_followed(course: Class) -> None:
    course.put({"s002/vowels.py": VOWELS})
    (course.folder / "doejane_501_1_vowels.py").symlink_to(course.folder / "s002/vowels.py")
    rows, _, _ = course.grade()
    assert rows["doejane"]["status"] == "invalid" and "is a link" in rows["doejane"]["message"]["en"]
