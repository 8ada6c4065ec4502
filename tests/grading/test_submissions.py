"""Which file answers which exercise. (Hostile and broken hand-ins are tried in test_bad_input.py.)"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import BinaryIO

import nbformat
import pytest

from autograder.authoring.notebooks import notebook_of
from autograder.course import Course, Exercise
from autograder.grading.collector import Unpacker, visible
from autograder.grading.submissions import (
    Submission,
    SubmissionsError,
    students_of,
    submissions_of,
)
from autograder.remote.errors import ArchiveError
from autograder.text import Text

HandIn = Callable[..., Path]


def no_archives(archive: BinaryIO) -> dict[str, bytes]:
    raise ArchiveError("no archives in this test")


def found(
    folder: Path,
    student: str,
    course: Course,
    unpack: Unpacker = no_archives,
    exercises: Sequence[Exercise] | None = None,
) -> list[Submission]:
    entries = students_of(folder)[student]
    return list(submissions_of(student, entries, exercises or list(course), unpack))


def test_any_depth_in_course_order(hand_in: HandIn, toy_course: Course) -> None:
    folder = hand_in("s001", {"week 2/vowels.py": "v", "a/b/c/affine.py": "a", "readme.txt": "r"})
    submissions = found(folder, "s001", toy_course)
    assert [(s.exercise, s.path, s.main) for s in submissions] == [
        ("basics/affine", "s001/a/b/c/affine.py", "affine.py"),
        ("extras/vowels", "s001/week 2/vowels.py", "vowels.py"),
    ]
    assert submissions[0].files == {"affine.py": b"a"}
    assert all(s.problem is None for s in submissions)


def test_notebooks(hand_in: HandIn, toy_course: Course) -> None:
    folder = hand_in("s001", {"affine.ipynb": "{}"})
    (submission,) = found(folder, "s001", toy_course)
    assert submission.main == "affine.ipynb"


def test_files_beside(hand_in: HandIn, toy_course: Course) -> None:
    folder = hand_in(
        "s001",
        {"w/affine.py": "a", "w/helper.py": "h", "w/data.csv": "d", "w/deep/other.py": "o", "top.py": "t"},
    )
    (submission,) = found(folder, "s001", toy_course)
    assert submission.files == {"affine.py": b"a", "helper.py": b"h"}


def test_two_answers(hand_in: HandIn, toy_course: Course) -> None:
    folder = hand_in("s001", {"affine.py": "a", "old/affine.ipynb": "{}", "vowels.py": "v"})
    two, one = found(folder, "s001", toy_course)
    assert two.problem is not None
    assert "affine.py" in two.problem.en
    assert "old/affine.ipynb" in two.problem.en
    assert "Keep one" in two.problem.en
    assert "只保留一个" in two.problem.zh
    assert one.problem is None


def test_empty_file(hand_in: HandIn, toy_course: Course) -> None:
    (submission,) = found(hand_in("s001", {"affine.py": " \n"}), "s001", toy_course)
    assert submission.problem is not None
    assert "is empty" in submission.problem.en


def test_nothing_handed_in(hand_in: HandIn, toy_course: Course) -> None:
    assert found(hand_in("s001", {"notes.txt": "n"}), "s001", toy_course) == []


@pytest.mark.parametrize(
    "place",
    [".hidden/affine.py", "__MACOSX/affine.py", ".ipynb_checkpoints/affine.py", "venv/affine.py",
     "env/lib/python3.12/site-packages/affine.py"],
)  # fmt: skip
def test_folders_that_are_nobody_s_work(hand_in: HandIn, toy_course: Course, place: str) -> None:
    assert found(hand_in("s001", {place: "x"}), "s001", toy_course) == []


def test_links_do_not_lead_out(hand_in: HandIn, toy_course: Course, tmp_path: Path) -> None:
    secret = tmp_path / "secret.py"
    secret.write_text("secret")
    folder = hand_in("s001", {"kept.py": "x = 1"})
    (folder / "s001/affine.py").symlink_to(secret)
    (folder / "s001/vowels.py").symlink_to("kept.py")
    (folder / "s001/helper.py").symlink_to(secret)
    outside, inside = found(folder, "s001", toy_course)
    assert outside.problem is not None
    assert "link" in outside.problem.en
    assert b"secret" not in b"".join(outside.files.values())
    assert inside.problem is None
    assert inside.files["vowels.py"] == b"x = 1"
    assert "helper.py" not in inside.files


def test_a_linked_student(hand_in: HandIn, toy_course: Course, tmp_path: Path) -> None:
    folder = hand_in("s001", {"affine.py": "a"})
    (folder / "s002").symlink_to(folder / "s001", target_is_directory=True)
    (submission,) = found(folder, "s002", toy_course)
    assert submission.problem is not None


def test_zip_inside_and_as_a_student(hand_in: HandIn, toy_course: Course) -> None:
    folder = hand_in("s001", {"work.zip": "packed"})
    (folder / "s002.ZIP").write_bytes(b"packed")

    def unpack(archive: BinaryIO) -> dict[str, bytes]:
        assert archive.read() == b"packed"
        return {"in/affine.py": b"a", "in/helper.py": b"h", ".x/vowels.py": b"no"}

    (first,) = found(folder, "s001", toy_course, unpack)
    assert first.path == "s001/work.zip/in/affine.py"
    assert first.files == {"affine.py": b"a", "helper.py": b"h"}
    (second,) = found(folder, "s002", toy_course, unpack)
    assert (second.student, second.path) == ("s002", "s002.ZIP/in/affine.py")


def test_a_bad_zip_stands_where_something_is_missing(hand_in: HandIn, toy_course: Course) -> None:
    folder = hand_in("s001", {"extra.zip": "x", "vowels.py": "v"})
    good, bad = found(folder, "s001", toy_course)
    assert (good.exercise, good.problem) == ("extras/vowels", None)
    assert bad.exercise == "basics/affine"
    assert bad.problem is not None
    assert "no archives in this test" in bad.problem.en
    assert bad.path == "s001/extra.zip"
    folder = hand_in("s002", {"extra.zip": "x", "vowels.py": "v", "affine.py": "a"})
    assert [s.problem for s in found(folder, "s002", toy_course)] == [None, None]


def test_topics_of_the_same_name(hand_in: HandIn, toy_course: Course) -> None:
    twins = [Exercise(toy_course.root, "one", "idea"), Exercise(toy_course.root, "two", "idea")]
    for twin in twins:
        twin.public_spec_file.parent.mkdir()
        shutil.copy(toy_course.exercise("vowels").public_spec_file, twin.public_spec_file)
    folder = hand_in("s001", {"one/idea.py": "1", "two/idea.py": "2"})
    assert [s.files["idea.py"] for s in found(folder, "s001", toy_course, exercises=twins)] == [b"1", b"2"]
    folder = hand_in("s002", {"idea.py": "?"})
    assert found(folder, "s002", toy_course, exercises=twins) == []


def test_the_folder_itself(tmp_path: Path) -> None:
    with pytest.raises(
        SubmissionsError, match="is not a folder; give the folder that holds one folder for each student"
    ):
        students_of(tmp_path / "nowhere")
    with pytest.raises(SubmissionsError, match="holds no student's folder or zip file"):
        students_of(tmp_path)
    for name in ("s002", "s001", ".git"):
        (tmp_path / name).mkdir()
    (tmp_path / "notes.txt").write_text("")
    (tmp_path / "s001.zip").write_bytes(b"")
    assert students_of(tmp_path) == {
        "s001": [tmp_path / "s001", tmp_path / "s001.zip"],
        "s002": [tmp_path / "s002"],
    }


def test_a_folder_and_an_archive_of_one_student(hand_in: HandIn, toy_course: Course) -> None:
    folder = hand_in("s001", {"affine.py": "a"})
    (folder / "s001.zip").write_bytes(b"packed")
    submissions = found(folder, "s001", toy_course, lambda archive: {"vowels.py": b"v"})
    assert [(s.exercise, s.path) for s in submissions] == [
        ("basics/affine", "s001/affine.py"),
        ("extras/vowels", "s001.zip/vowels.py"),
    ]
    twice = found(folder, "s001", toy_course, lambda archive: {"affine.py": b"other"})
    assert twice[0].problem is not None


# ------------------------------------------------------------------------------------------- more than is taken


def said(problem: Text | None, *words: str) -> None:
    """The problem says all this, and something in Chinese."""
    assert problem is not None and problem.zh
    assert not [word for word in words if word not in problem.en], problem.en


def nested(place: Path, levels: int) -> Path:
    """The innermost of so many folders below `place`."""
    place = place / "/".join("d" * levels)
    place.mkdir(parents=True)
    return place


def test_at_any_depth(hand_in: HandIn, toy_course: Course) -> None:
    """Deeper than Python calls may be."""
    folder = hand_in("s001", {"vowels.py": "v"})
    (nested(folder / "s001", 600) / "affine.py").write_text("a")
    affine, vowels = found(folder, "s001", toy_course)
    assert (affine.problem, affine.files) == (None, {"affine.py": b"a"})
    assert vowels.problem is None


def test_a_name_too_long_to_look_at(hand_in: HandIn, toy_course: Course, tmp_path: Path) -> None:
    """A folder can be so long a way down that nothing in it can be named."""
    folder, here = hand_in("s001", {"vowels.py": "v"}), os.getcwd()
    try:
        os.chdir(folder / "s001")
        for _ in range(16):
            os.mkdir("d" * 255)
            os.chdir("d" * 255)
        Path("affine.py").write_text("a")
    finally:
        os.chdir(here)
    good, bad = found(folder, "s001", toy_course)
    said(bad.problem, "s001/ddd", "can't be read", "too long")
    assert good.problem is None


def test_the_nearest_is_found_among_many(
    hand_in: HandIn, toy_course: Course, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Data beside an answer cost nobody the answer, wherever they come in the alphabet."""
    monkeypatch.setattr("autograder.grading.collector.MAX_LOOKED", 20)
    many = {f"{place}/images/{number}.png": "" for place in ("data", "zoo") for number in range(50)}
    folder = hand_in("s001", {**many, "work/affine.py": "a", "work/helper.py": "h"})
    affine, vowels = found(folder, "s001", toy_course)
    assert (affine.problem, affine.files) == (None, {"affine.py": b"a", "helper.py": b"h"})
    assert vowels.path == "s001/data/images"
    said(vowels.problem, "s001/data/images", "more than 20 files and folders", "your own work only")
    folder = hand_in("s002", {**many, "work/affine.py": "a", "vowels.py": "v"})
    assert [s.problem for s in found(folder, "s002", toy_course)] == [None, None]
    folder = hand_in("s003", {**{f"{n}.csv": "" for n in range(18)}, "affine.py": "a", "vowels.py": "v"})
    assert [s.problem for s in found(folder, "s003", toy_course)] == [None, None]


@pytest.mark.parametrize("place", [".git", "node_modules", "venv", "env/lib/site-packages"])
def test_folders_of_others_are_not_counted(
    hand_in: HandIn, toy_course: Course, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    monkeypatch.setattr("autograder.grading.collector.MAX_LOOKED", 20)
    folder = hand_in("s001", {**{f"{place}/{n}.py": "" for n in range(50)}, "work/affine.py": "a"})
    assert [(s.exercise, s.problem) for s in found(folder, "s001", toy_course)] == [("basics/affine", None)]


def test_many_files_beside(hand_in: HandIn, toy_course: Course, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("autograder.grading.submissions.MAX_BESIDE_FILES", 20)
    helpers = {f"h{number}.py": "" for number in range(20)}
    folder = hand_in("s001", {**helpers, "affine.py": "a", "data.csv": "", "vowels.ipynb": "{}"})
    affine, _ = found(folder, "s001", toy_course)
    assert affine.problem is None and len(affine.files) == 21
    folder = hand_in("s002", {**helpers, "one_more.py": "", "affine.py": "a", "sub/vowels.py": "v"})
    affine, _ = found(folder, "s002", toy_course)
    assert affine.problem is None and len(affine.files) == 21


def test_many_bytes_beside(hand_in: HandIn, toy_course: Course, monkeypatch: pytest.MonkeyPatch) -> None:
    """Names are sent, too."""
    monkeypatch.setattr("autograder.grading.submissions.MAX_BESIDE", 1 << 20)
    folder = hand_in("s001", {"affine.py": "a", "helper.py": "h" * ((1 << 20) - len("helper.py"))})
    assert [s.problem for s in found(folder, "s001", toy_course)] == [None]
    (whole,) = found(folder, "s001", toy_course)
    assert set(whole.files) == {"affine.py", "helper.py"}
    folder = hand_in(
        "s002", {"a.py": "h" * (1 << 20), "affine.py": "a", "helper.py": "h", "z.py": "h" * 2000}
    )
    (submission,) = found(folder, "s002", toy_course)
    assert submission.problem is None
    assert set(submission.files) == {"affine.py", "helper.py", "z.py"}  # the small ones


def test_as_many_archives_as_one_student_may_hand_in(
    hand_in: HandIn, toy_course: Course, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("autograder.grading.collector.MAX_ARCHIVES", 2)
    opened: list[bytes] = []

    def unpack(archive: BinaryIO) -> dict[str, bytes]:
        opened.append(archive.read())
        return {f"{opened[-1].decode()}.py": b"x"}

    hand_in("s001", {"1.zip": "affine", "2.zip": "helper", "3.zip": "vowels"})
    folder = hand_in("s002", {"9.zip": "affine"})
    affine, vowels = found(folder, "s001", toy_course, unpack)
    assert (affine.path, affine.problem, opened) == ("s001/1.zip/affine.py", None, [b"affine", b"helper"])
    assert vowels.path == "s001/3.zip"
    said(vowels.problem, "s001/3.zip was not unpacked", "2 archives", "one plain zip file")
    assert [s.problem for s in found(folder, "s002", toy_course, unpack)] == [None]


@pytest.mark.parametrize("limit", ["MAX_UNPACKED", "UNPACK_SECONDS"])
def test_archives_share_their_limits(
    hand_in: HandIn, toy_course: Course, monkeypatch: pytest.MonkeyPatch, limit: str
) -> None:
    """The one that passes them is still taken: one archive has limits of its own."""
    low = {"MAX_UNPACKED": 100, "UNPACK_SECONDS": 0.05}[limit]
    monkeypatch.setattr(f"autograder.grading.collector.{limit}", low)

    def unpack(archive: BinaryIO) -> dict[str, bytes]:
        time.sleep(0.1 if limit == "UNPACK_SECONDS" else 0)
        return {f"{archive.read().decode()}.py": b"x" * 101}

    folder = hand_in("s001", {"1.zip": "affine", "2.zip": "vowels"})
    affine, vowels = found(folder, "s001", toy_course, unpack)
    assert affine.problem is None
    said(vowels.problem, "s001/2.zip was not unpacked")


def test_copies_without_end_are_not_read(
    hand_in: HandIn, toy_course: Course, vowels: Exercise, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("autograder.grading.hand_in.MAX_COPIES", 3)
    released = script(vowels)
    folder = hand_in("s001", {f"{number}/vowels.py": released for number in range(4)})
    (submission,) = found(folder, "s001", toy_course)
    said(submission.problem, "Two files answer this exercise")


@pytest.mark.skipif(os.name != "posix", reason="names of any bytes")
def test_names_that_are_no_text(tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"caf\xe9")
    path.mkdir()
    assert list(students_of(tmp_path)) == ["caf\\xe9"]
    assert visible("a\nb\x1b[2J") == "a\\x0ab\\x1b[2J"
    assert visible("caf\\xe9") != visible(os.fsdecode(b"caf\xe9"))
    assert visible("张三") == "张三"


# ------------------------------------------------------------------------------- one exercise in two forms


def notebook(exercise: Exercise, lang: str = "en", work: bool = False, saved: bool = False) -> str:
    """The released notebook; `saved` as Jupyter saves it again, `work` with one answer in it."""
    built = notebook_of(exercise, lang)
    if saved:
        built.metadata["language_info"]["version"] = "3.12"
        for number, cell in enumerate(cell for cell in built.cells if cell.cell_type == "code"):
            cell.execution_count = number + 1
    if work:
        for cell in built.cells:
            cell.source = cell.source.replace('raise NotImplementedError("vowels")', "return 3")
    return str(nbformat.writes(built))


def script(exercise: Exercise, work: bool = False) -> str:
    text = exercise.skeleton.read_text(encoding="utf-8")
    return text.replace('raise NotImplementedError("vowels")', "return 3") if work else text


@pytest.mark.parametrize("first", ["exercises", "z"])  # the notebook is found after the script, or before it
@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("worked_in", [".py", ".ipynb", "neither"])
def test_the_form_that_nobody_worked_in_does_not_count(
    hand_in: HandIn, toy_course: Course, vowels: Exercise, first: str, lang: str, newline: str, worked_in: str
) -> None:
    folder = hand_in("s001", {})
    for name, text in (
        (f"{first}/vowels.py", script(vowels, worked_in == ".py")),
        ("notebooks/vowels.ipynb", notebook(vowels, lang, worked_in == ".ipynb")),
    ):
        path = folder / "s001" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.replace("\n", newline).encode())
    (submission,) = found(folder, "s001", toy_course)
    assert submission.problem is None
    assert Path(submission.main).suffix == (worked_in if worked_in != "neither" else ".py")


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_a_notebook_that_was_only_looked_at(
    hand_in: HandIn, toy_course: Course, vowels: Exercise, lang: str
) -> None:
    """Saved again by Jupyter it has other bytes; its cells tell."""
    saved, worked = notebook(vowels, lang, saved=True), notebook(vowels, lang, work=True, saved=True)
    folder = hand_in("s001", {"vowels.py": script(vowels, work=True), "n/vowels.ipynb": saved})
    (submission,) = found(folder, "s001", toy_course)
    assert (submission.main, submission.problem) == ("vowels.py", None)
    folder = hand_in("s002", {"vowels.py": script(vowels, work=True), "n/vowels.ipynb": worked})
    (submission,) = found(folder, "s002", toy_course)
    assert submission.problem is not None and "Two files" in submission.problem.en
    folder = hand_in("s003", {"vowels.py": script(vowels), "n/vowels.ipynb": worked})
    (submission,) = found(folder, "s003", toy_course)
    assert (submission.main, submission.problem) == ("vowels.ipynb", None)


@pytest.mark.parametrize(
    ("added", "work"),
    [
        ("", False),
        ("# my thoughts", False),
        ('check("vowels")', False),
        ("# autograder: skip\nprint(1)", False),
        ("helper = 1", True),
        ('check("vowels")\nhelper = 1', True),
    ],
)
def test_cells_of_the_student_s_own(
    hand_in: HandIn, toy_course: Course, vowels: Exercise, added: str, work: bool
) -> None:
    """A comment, a check, and what the grader skips answer nothing; everything else does."""
    built = nbformat.reads(notebook(vowels), as_version=4)
    built.cells.append(nbformat.v4.new_code_cell(added))
    folder = hand_in(
        "s001", {"vowels.py": script(vowels, work=True), "n/vowels.ipynb": nbformat.writes(built)}
    )
    (submission,) = found(folder, "s001", toy_course)
    assert (submission.problem is not None) == work


def test_jupytext_s_comments_are_no_work(hand_in: HandIn, toy_course: Course, vowels: Exercise) -> None:
    paired = script(vowels).replace("# ---\n# jupyter:", "# ---\n# jupyter:\n#   jupytext_version: 1.19.1", 1)
    folder = hand_in("s001", {"vowels.py": paired, "n/vowels.ipynb": notebook(vowels, work=True)})
    (submission,) = found(folder, "s001", toy_course)
    assert submission.main == "vowels.ipynb"


def test_an_instructor_s_own_answer_is_no_released_form(
    hand_in: HandIn, toy_course: Course, vowels: Exercise
) -> None:
    """exercises/ may hold somebody's work: a student with the same answer has not left anything untouched."""
    answer, fresh = script(vowels, work=True), script(vowels)
    vowels.skeleton.write_text(answer, encoding="utf-8")
    folder = hand_in("s001", {"a/vowels.py": answer, "b/vowels.py": fresh})
    (submission,) = found(folder, "s001", toy_course)
    assert submission.path == "s001/a/vowels.py"
