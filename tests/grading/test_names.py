"""Which names are taken for an exercise's, which are only told, and that nothing handed in goes by in silence."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from autograder.authoring.notebooks import notebook_of
from autograder.course import Course, Exercise
from autograder.gradebook import Gradebook
from autograder.platforms.plain import write as write_plain
from autograder.platforms.selection import select

pytestmark = pytest.mark.usefixtures("shared_sandbox")

FULL = 4.0  # points of extras/vowels in the toy course
VOWELS = "def vowels(text):\n    return len([c for c in text if c in 'aeiouAEIOU'])\n"
HALF = "def vowels(text):\n    return 0\n"

HandIn = Callable[..., Path]


@pytest.fixture
def graded(cli: Callable[..., Any], toy: Path, tmp_path: Path) -> Callable[..., Any]:
    """`graded(folder)`: ((student, exercise) -> row, student -> [(file, why, looks like)]) of what --json prints."""

    def run(folder: Path, *options: object) -> Any:
        said = cli("grade", folder, "--course", toy, "--gradebook", tmp_path / "g.db", "--json", *options)
        assert said.code == 0, said.err
        found = json.loads(said.out)
        rows = {(row["student"], row["exercise"]): row for row in found["results"]}
        files = {
            entry["student"]: [(f["file"], f["why"], f["looks_like"]) for f in entry["files"]]
            for entry in found["unrecognised"]
        }
        return rows, files

    return run


COPIES = [
    "vowels (1).py", "vowels(1).py", "vowels (2) (1).py", "vowels（1）.py", "VOWELS.py", "Vowels.PY", "vowels - Copy.py",
    "vowels - Copy (2).py", "vowels copy 2.py", "Copy of vowels.py", "vowels-1.py", "vowels - 副本.py", "vowels的副本.py",
    "extras_vowels.py", "deep/er/Extras_Vowels (1).py",
]  # fmt: skip


def test_names_that_mean_one_thing_only(graded: Callable[..., Any], hand_in: HandIn) -> None:
    for number, name in enumerate(COPIES):
        folder = hand_in(f"s{number:03}", {name: VOWELS})
    rows, files = graded(folder)
    scores = {name: rows[f"s{n:03}", "extras/vowels"]["score"] for n, name in enumerate(COPIES)}
    assert scores == dict.fromkeys(COPIES, FULL)
    assert files == {}


def test_a_copied_notebook(graded: Callable[..., Any], hand_in: HandIn, vowels: Exercise) -> None:
    import nbformat

    built = notebook_of(vowels, "en")
    for cell in built.cells:
        cell.source = cell.source.replace('raise NotImplementedError("vowels")', "return 0")
    folder = hand_in("s001", {"vowels-Copy1.ipynb": nbformat.writes(built)})
    rows, files = graded(folder)
    row = rows["s001", "extras/vowels"]
    assert (row["status"], row["file"], files) == ("graded", "s001/vowels-Copy1.ipynb", {})


NEAR = [
    "vowels_v2.py", "my_vowels.py", "vowels_final.py", "vowel.py", "vowesl.py", "vowels2.py", "vowels.v2.py",
    "extras-vowels.py", "hw1 vowels.ipynb",
]  # fmt: skip


def test_names_that_are_a_guess_are_told(graded: Callable[..., Any], hand_in: HandIn) -> None:
    for number, name in enumerate(NEAR):
        folder = hand_in(f"s{number:03}", {name: VOWELS})
    rows, files = graded(folder)
    assert rows == {}
    assert files == {
        f"s{n:03}": [(f"s{n:03}/{name}", "near", ["extras/vowels"])] for n, name in enumerate(NEAR)
    }


def test_accept_names(graded: Callable[..., Any], hand_in: HandIn, vowels: Exercise) -> None:
    """One guess is taken where nothing better is there; of two, none."""
    skeleton = vowels.skeleton.read_text(encoding="utf-8")
    hand_in("s001", {"vowels_v2.py": VOWELS})
    hand_in("s002", {"vowels.py": skeleton, "vowels_v2.py": VOWELS})
    hand_in("s003", {"vowels.py": HALF, "vowels_v2.py": VOWELS})
    hand_in("s004", {"vowels_v1.py": HALF, "vowels_v2.py": VOWELS})
    folder = hand_in("s005", {"vowels.py.txt": VOWELS, "ppo.py": VOWELS})
    rows, files = graded(folder, "--accept-names")
    assert rows["s001", "extras/vowels"]["score"] == FULL
    assert rows["s002", "extras/vowels"]["score"] == FULL
    assert rows["s003", "extras/vowels"]["file"] == "s003/vowels.py"
    assert files["s003"] == [("s003/vowels_v2.py", "extra", ["extras/vowels"])]
    assert rows["s004", "extras/vowels"]["status"] == "invalid"
    assert "Two files" in rows["s004", "extras/vowels"]["message"]["en"]
    assert files["s005"] == [
        ("s005/vowels.py.txt", "near", ["extras/vowels"]),
        ("s005/ppo.py", "unknown", []),
    ]


def test_of_two_files_the_very_name_counts_and_the_other_is_told(
    graded: Callable[..., Any], hand_in: HandIn, vowels: Exercise
) -> None:
    """An untouched skeleton of that name stands in nobody's way; two copies without it are for the student to decide."""
    skeleton = vowels.skeleton.read_text(encoding="utf-8")
    hand_in("s001", {"vowels.py": VOWELS, "vowels (1).py": HALF})
    hand_in("s002", {"vowels.py": skeleton, "vowels (1).py": VOWELS})
    hand_in("s003", {"vowels (1).py": VOWELS, "vowels (2).py": HALF})
    hand_in("s004", {"vowels.py": VOWELS, "vowels (1).py": skeleton})
    folder = hand_in("s005", {"vowels.py": skeleton, "vowels_v2.py": VOWELS})
    rows, files = graded(folder)
    score = {student: row["score"] for (student, _), row in rows.items()}
    assert score == {"s001": FULL, "s002": FULL, "s003": 0.0, "s004": FULL, "s005": 0.0}
    assert "Two files" in rows["s003", "extras/vowels"]["message"]["en"]
    assert rows["s005", "extras/vowels"]["status"] == "not_begun"
    assert files == {
        "s001": [("s001/vowels (1).py", "extra", ["extras/vowels"])],
        "s005": [("s005/vowels_v2.py", "near", ["extras/vowels"])],
    }


def test_what_is_handed_in_beside_exercises(graded: Callable[..., Any], hand_in: HandIn) -> None:
    """What a submission imports, data, pages and empty files are in order; documents, archives and strange code are told."""
    work = "import 工具\nfrom tools import count\n\n\ndef vowels(text):\n    return count(text)\n"
    silent = {
        "vowels.py": work,
        "tools.py": "import more\n\n\ndef count(text):\n    return more.count(text)\n",
        "more-1.py": "def count(text):\n    return len([c for c in text if c in 'aeiouAEIOU'])\n",
        "工具.py": "x = 1", "README.md": "r", "README": "r", "settings.toml": "t", "vowels.csv": "1", "plot.png": "p", "notes.txt": "n",
        "pkg/__init__.py": "", "empty.py": "\n", "test_vowels.py": "t", ".vscode/x.py": "x", "__pycache__/y.py": "y",
    }  # fmt: skip
    told = {
        "report.pdf": "unknown", "old/tools.py": "unknown", "scratch.ipynb": "unknown", "work.rar": "unknown",
        "Vowels.docx": "near", "vowels.txt": "near",
    }  # fmt: skip
    folder = hand_in("s001", {**silent, **dict.fromkeys(told, "x = 1")})
    rows, files = graded(folder)
    assert rows["s001", "extras/vowels"]["score"] == FULL  # more-1.py is what a platform made of more.py
    got = {file.removeprefix("s001/"): why for file, why, _ in files["s001"]}
    assert got == {name: "extra" if why == "near" else why for name, why in told.items()}


def test_an_archive_that_cannot_be_opened_is_told(graded: Callable[..., Any], hand_in: HandIn) -> None:
    """The first stands on an exercise that is missing; the others, and all where none is missing, are told."""
    hand_in("s001", {"vowels.py": VOWELS, "1.zip": "no zip", "2.zip": "no zip"})
    folder = hand_in("s002", {"vowels.py": VOWELS, "affine.py": "x = 1", "1.zip": "no zip"})
    rows, files = graded(folder)
    assert rows["s001", "basics/affine"]["file"] == "s001/1.zip"
    assert files == {"s001": [("s001/2.zip", "closed", [])], "s002": [("s002/1.zip", "closed", [])]}


def test_a_part_of_the_course_is_graded(graded: Callable[..., Any], hand_in: HandIn) -> None:
    """What answers another exercise is no strange file."""
    folder = hand_in("s001", {"vowels.py": VOWELS, "affine.py": "x = 1", "Affine (1).py": "x = 1"})
    _, files = graded(folder, "--only", "extras/vowels")
    assert files == {}


def test_units_that_share_a_topic(
    cli: Callable[..., Any], toy: Path, quiz: Exercise, hand_in: HandIn, graded: Callable[..., Any],
    edited: Callable[..., None],
) -> None:  # fmt: skip
    """Where two units have one, `quiz.py` alone says nothing: it is told, with what to call it."""
    twin = toy / "exercises/extras"
    for path in ("exercises", "solutions"):
        for file in (toy / path / "basics").glob("*quiz*"):
            (toy / path / "extras" / file.name).write_bytes(file.read_bytes())
    assert twin.is_dir()
    edited(toy / "course/extras/unit.toml", '["vowels"]', '["vowels", "quiz"]')
    answer = (toy / "solutions/basics/quiz.py").read_text(encoding="utf-8")
    hand_in("s001", {"quiz.py": answer})
    folder = hand_in("s002", {"basics_quiz.py": answer})
    said = cli(
        "grade", folder, "--course", toy, "--gradebook", "sqlite://", "--only", "basics", "--only", "extras"
    )
    assert said.code == 0, said.err
    assert "basics/quiz" in said.out and "extras/quiz" in said.out
    assert "put it into a folder basics or extras, or name it basics_quiz.py or extras_quiz.py" in said.out
    rows, files = graded(folder)
    assert [place for place in rows if place[1].endswith("quiz")] == [("s002", "basics/quiz")]
    assert files == {"s001": [("s001/quiz.py", "near", ["basics/quiz", "extras/quiz"])]}


def test_the_whole_released_folder(
    graded: Callable[..., Any], toy_course: Course, tmp_path: Path, vowels: Exercise
) -> None:
    """As a folder and as a zip, with what was installed in it: nothing in it is strange but what the student wrote."""
    folder = tmp_path / "class"
    for student in ("s001", "s002"):
        write_plain(select(toy_course, None, "en"), folder / student)
        (folder / student / "exercises/extras/vowels.py").write_text(VOWELS, encoding="utf-8")
    packed = folder / "s002.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        for path in sorted((folder / "s002").rglob("*")):
            archive.write(path, f"course-work/{path.relative_to(folder / 's002')}")
        for place in (
            ".venv",
            "venv",
            ".git",
            "__pycache__",
            ".ipynb_checkpoints",
            "node_modules",
            "__MACOSX",
        ):
            for number in range(400):
                archive.writestr(f"course-work/{place}/{number}/vowels.py", "x")
        archive.writestr(".DS_Store", "x")
    import shutil

    shutil.rmtree(folder / "s002")
    rows, files = graded(folder)
    scores = {student: rows[student, "extras/vowels"]["score"] for student in ("s001", "s002")}
    assert scores == {"s001": FULL, "s002": FULL}
    assert files == {}


def test_the_table_and_the_gradebook(
    cli: Callable[..., Any], toy: Path, hand_in: HandIn, tmp_path: Path
) -> None:
    """A few rows each after a run, more in `show`, and none once it is mended: the last run over a folder counts."""
    many = {f"draft{n}.py": "x = 1" for n in range(30)}
    hand_in("s001", {"vowels_v2.py": VOWELS, **many})
    folder = hand_in("s002", {"vowels.py": VOWELS})
    (folder / "vowels.py").write_text(VOWELS)
    where = ("--course", toy, "--gradebook", tmp_path / "g.db")
    said = cli("grade", folder, *where)
    assert said.code == 0 and "Not recognised, and not graded" in said.out
    assert "rename it to vowels.py, or pass --accept-names" in said.out
    assert "it lies beside the students' folders" in said.out
    assert "and 28 more files of s001" in said.out
    assert said.out.count("draft") == 2
    shown = cli("gradebook", "show", "--student", "s001", *where)
    assert "s001 has handed in nothing." in shown.out
    assert "Not recognised, and not graded  (submissions)" in shown.out
    assert shown.out.count("draft") == 19 and "and 11 more" in shown.out
    in_chinese = cli("gradebook", "show", "--student", "s001", "--lang", "zh", *where)
    assert "请改名为 vowels.py" in in_chinese.out
    data = json.loads(cli("gradebook", "show", "--json", *where).out)["unrecognised"]
    assert [(entry["student"], len(entry["files"]), entry["more"]) for entry in data] == [("s001", 20, 11)]
    assert "Not recognised" not in cli("gradebook", "show", "--student", "s002", *where).out
    for name in many:
        (folder / "s001" / name).unlink()
    (folder / "s001/vowels_v2.py").rename(folder / "s001/vowels.py")
    again = cli("grade", folder, *where)
    assert "lies beside" in again.out and "vowels_v2" not in again.out
    assert "Not recognised" not in cli("gradebook", "show", "--student", "s001", *where).out


def test_an_older_gradebook_gets_the_new_tables(tmp_path: Path) -> None:
    """And rows are added only where something changed."""
    import sqlite3
    from contextlib import closing

    from autograder.results import Unrecognised, Why

    place = tmp_path / "old.db"
    with Gradebook(str(place)) as book:
        book.add_students(["s001"])
    with closing(sqlite3.connect(place)) as raw:
        for table in ("unrecognised", "lms_ids"):
            raw.execute(f"DROP TABLE {table}")
        raw.commit()
    file = Unrecognised("s001/dpo_v2.py", Why.NEAR, ("alignment/dpo",))
    with Gradebook(str(place)) as book:
        for _ in range(2):
            book.note_unrecognised("week1", {"s001": [file]})
        book.note_unrecognised("week2", {"s001": []})
        (noted,) = book.unrecognised()["s001"]
        assert (noted.source, noted.files, noted.more) == ("week1", (file,), 0)
        book.note_unrecognised("week1", {"s001": []})
        assert book.unrecognised("s001") == {}
    with closing(sqlite3.connect(place)) as raw:
        assert raw.execute("SELECT count(*) FROM unrecognised").fetchone() == (2,)


def test_strange_files_without_end_take_no_time(graded: Callable[..., Any], hand_in: HandIn) -> None:
    folder = hand_in("s001", {"vowels.py": VOWELS, **{f"vowelz{n}.py": "x" for n in range(3000)}})
    rows, files = graded(folder)
    assert rows["s001", "extras/vowels"]["score"] == FULL
    assert len(files["s001"]) == 20
