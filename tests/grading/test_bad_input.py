"""Whatever students hand in and instructors type: a message that names the file and the remedy, and nobody else suffers.

The toy course stands for any course; every class below holds an honest student beside the broken one.
"""

from __future__ import annotations

import gzip
import io
import json
import os
import socket
import sqlite3
import stat
import struct
import tarfile
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.usefixtures("shared_sandbox")

FULL = 12.0  # points of basics/affine in the toy course
HONEST = '''\
"""Wörks."""
import torch


def affine(x, scale, shift):
    return shift + scale * x


def normalise(x):
    centred = x - x.mean(-1, keepdim=True)
    return centred / centred.pow(2).mean(-1, keepdim=True).sqrt()
'''
VOWELS = "def vowels(text):\n    return len([c for c in text if c in 'aeiouAEIOU'])\n"

Row = dict[str, Any]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A class where s002 is honest; the tests add s001."""
    place = tmp_path / "class"
    (place / "s002").mkdir(parents=True)
    (place / "s002" / "affine.py").write_text(HONEST, encoding="utf-8")
    return place


@pytest.fixture
def grade(cli: Callable[..., Any], toy: Path, tmp_path: Path) -> Callable[..., Any]:
    """`grade(folder)`: what the command says."""

    def run(submissions: Path, *options: object, gradebook: object = None) -> Any:
        book = tmp_path / "grades.db" if gradebook is None else gradebook
        return cli("grade", submissions, "--course", toy, "--gradebook", book, "--json", *options)

    return run


@pytest.fixture
def rows(grade: Callable[..., Any]) -> Callable[..., dict[tuple[str, str], Row]]:
    """`rows(folder)`: (student, exercise) -> row, of a run that must succeed and leave s002 with full marks."""

    def run(submissions: Path, *options: object) -> dict[tuple[str, str], Row]:
        said = grade(submissions, *options)
        assert said.code == 0, said.err
        found = {(row["student"], row["exercise"]): row for row in json.loads(said.out)["results"]}
        assert found["s002", "basics/affine"]["score"] == FULL
        return found

    return run


def told(row: Row) -> str:
    """All that the row says in English, the name of its file first."""
    return f"{row['file']}: {row['message']['en']}"


def wrong_with(row: Row, *words: str) -> list[str]:
    """What keeps the row from being a refusal that says these words, and something in Chinese; empty if nothing does."""
    if (row["status"], row["score"]) != ("invalid", 0.0):
        return [f"{row['status']}, {row['score']} points"]
    said = [] if row["message"]["zh"] else ["nothing is said in Chinese"]
    return said + [f"{word!r} is not in {told(row)!r}" for word in words if word not in told(row)]


def refused(row: Row, *words: str) -> None:
    assert not wrong_with(row, *words)


# ------------------------------------------------------------------------------------------- the folder itself


def test_missing_folder(grade: Callable[..., Any], tmp_path: Path) -> None:
    said = grade(tmp_path / "nowhere")
    assert said.code == 2 and "Traceback" not in said.err
    assert "nowhere is not a folder" in said.err and "give the folder" in said.err


def test_a_file_for_a_folder(grade: Callable[..., Any], folder: Path) -> None:
    said = grade(folder / "s002" / "affine.py")
    assert said.code == 2 and "affine.py is not a folder" in said.err


@pytest.mark.parametrize("content", ["nothing", "loose files", "hidden"])
def test_folder_without_students(grade: Callable[..., Any], tmp_path: Path, content: str) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    if content == "loose files":
        (empty / "affine.py").write_text(HONEST, encoding="utf-8")
    elif content == "hidden":
        (empty / ".git").mkdir()
    said = grade(empty)
    assert said.code == 2 and "Traceback" not in said.err
    assert str(empty) in said.err and "holds no student" in said.err and "s001" in said.err


def test_folder_and_archive_of_one_student(rows: Callable[..., Any], folder: Path) -> None:
    """They are one hand-in: what only one of them answers counts, what both answer is for the student to say."""
    for student in ("s001", "s003"):
        hand_in(folder, "affine.py", HONEST.encode(), student)
    (folder / "s001.zip").write_bytes(zipped({"vowels.py": VOWELS}))
    (folder / "s003.zip").write_bytes(zipped({"affine.py": HONEST + "# better\n"}))
    found = rows(folder)
    assert (found["s001", "basics/affine"]["score"], found["s001", "extras/vowels"]["score"]) == (FULL, 4.0)
    refused(found["s003", "basics/affine"], "Two files", "affine.py", "s003.zip", "Keep one")


# ------------------------------------------------------------------------------------------- one student's files


def as_directory(path: Path) -> None:
    path.mkdir()


def as_pipe(path: Path) -> None:
    os.mkfifo(path)


def as_socket(path: Path) -> None:
    here = os.getcwd()
    os.chdir(path.parent)  # the path of a socket may have 107 bytes
    try:
        with closing(socket.socket(socket.AF_UNIX)) as server:
            server.bind(path.name)
    finally:
        os.chdir(here)


def as_dangling_link(path: Path) -> None:
    path.symlink_to("was_here_yesterday.py")


def as_circular_link(path: Path) -> None:
    path.symlink_to(path.name)


@pytest.mark.parametrize("make", [as_directory, as_pipe, as_socket, as_dangling_link, as_circular_link])
def test_not_a_file(rows: Callable[..., Any], folder: Path, make: Callable[[Path], None]) -> None:
    """Root reads every file, whatever its mode; these nobody can read."""
    (folder / "s001").mkdir()
    make(folder / "s001" / "affine.py")
    found = rows(folder)
    assert ("s001", "basics/affine") in found, "what was handed in left no trace"
    refused(found["s001", "basics/affine"], "s001/affine.py", "and it in again")


def hand_in(folder: Path, name: str, content: bytes, student: str = "s001") -> None:
    path = folder / student / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def notebook(*sources: str, **more: Any) -> bytes:
    cells = [
        {"cell_type": "code", "id": f"c{i}", "metadata": {}, "outputs": [], "execution_count": None, "source": source}
        for i, source in enumerate(sources)
    ]  # fmt: skip
    return json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5, **more}).encode()


CHINESE = HONEST.replace("Wörks.", "缩放，再平移。")

UNREADABLE = {
    "no bytes": ("affine.py", b"", ("empty", "hand it in again")),
    "nothing but space": ("affine.py", b" \r\n\t\n", ("empty", "hand it in again")),
    "an empty notebook": ("affine.ipynb", b"", ("empty", "hand it in again")),
    "no JSON": ("affine.ipynb", b"import torch\n", ("not JSON", "save it again")),
    "half a notebook": ("affine.ipynb", notebook(HONEST)[:200], ("not JSON", "save it again")),
    "JSON nested without end": ("affine.ipynb", b"[" * 200_000, ("not JSON", "save it again")),
    "a list": ("affine.ipynb", b"[1, 2]", ("no notebook", "save it again")),
    "an object without cells": ("affine.ipynb", b"{}", ("no notebook", "save it again")),
    "cells that are a number": ("affine.ipynb", b'{"cells": 3}', ("no notebook", "save it again")),
    "cells that are numbers": ("affine.ipynb", b'{"cells": [1]}', ("no notebook", "save it again")),
    "a source that is a number": (
        "affine.ipynb",
        b'{"cells": [{"cell_type": "code", "source": 5}]}',
        ("notebook", "save it again"),
    ),
    "GBK without a coding line": ("affine.py", CHINESE.encode("gbk"), ("utf-8", "save it as UTF-8")),
    "Latin-1 without a coding line": ("affine.py", HONEST.encode("latin-1"), ("utf-8", "save it as UTF-8")),
    "an encoding that is none": ("affine.py", b"# coding: klingon\n", ("klingon",)),
    "UTF-16": ("affine.py", HONEST.encode("utf-16"), ("save it as UTF-8",)),
    "a NUL byte": ("affine.py", HONEST.encode() + b"\0", ("null byte",)),
    "no Python": ("affine.py", b"def affine(x scale):\n", ("SyntaxError", "line 1")),
}


def test_unreadable_content(rows: Callable[..., Any], folder: Path) -> None:
    """One class, one student for each."""
    for name, (filename, content, _) in UNREADABLE.items():
        hand_in(folder, filename, content, name)
    found = rows(folder)
    problems = {
        name: wrong_with(found[name, "basics/affine"], filename, *words)
        for name, (filename, _, words) in UNREADABLE.items()
    }
    assert not {name: wrong for name, wrong in problems.items() if wrong}


READABLE = {
    "GBK with a coding line": ("affine.py", ("# -*- coding: gbk -*-\n" + CHINESE).encode("gbk")),
    "Latin-1 with a coding line": ("affine.py", ("# coding: latin-1\n" + HONEST).encode("latin-1")),
    "a byte-order mark": ("affine.py", HONEST.encode("utf-8-sig")),
    "line ends of Windows": ("affine.py", HONEST.replace("\n", "\r\n").encode()),
    "line ends of old Macs": ("affine.py", HONEST.replace("\n", "\r").encode()),
    "a notebook": ("affine.ipynb", notebook(HONEST)),
    "a notebook with a byte-order mark": ("affine.ipynb", b"\xef\xbb\xbf" + notebook(HONEST)),
    "three folders deep": ("a/b/c/affine.py", HONEST.encode()),
    "beside what Jupyter and macOS leave": ("affine.py", HONEST.encode()),
}


LEFT_BEHIND = {
    ".ipynb_checkpoints/affine.py": b"def affine(:",
    "__MACOSX/._affine.py": b"\0\5\x16\7",
    ".DS_Store": b"\0",
    "__pycache__/affine.py": b"old",
}


def test_readable_content(rows: Callable[..., Any], folder: Path) -> None:
    """Unusual, but nothing is wrong with it."""
    for name, (filename, content) in READABLE.items():
        hand_in(folder, filename, content, name)
    for filename, content in LEFT_BEHIND.items():
        hand_in(folder, filename, content, "beside what Jupyter and macOS leave")
    found = rows(folder)
    got = {name: found[name, "basics/affine"] for name in READABLE}
    assert not {name: told(row) for name, row in got.items() if row["score"] != FULL}


@pytest.mark.parametrize("target", ["another student", "outside", "the solution"])
def test_link_out_of_the_submission(rows: Callable[..., Any], folder: Path, toy: Path, target: str) -> None:
    (folder.parent / "elsewhere.py").write_text(HONEST, encoding="utf-8")
    to = {
        "another student": "../s002/affine.py",
        "outside": str(folder.parent / "elsewhere.py"),
        "the solution": str(toy / "solutions/basics/affine.py"),
    }[target]
    (folder / "s001").mkdir()
    (folder / "s001" / "affine.py").symlink_to(to)
    refused(rows(folder)["s001", "basics/affine"], "s001/affine.py", "outside", "Hand in the file itself")


def test_linked_folder_is_not_followed(rows: Callable[..., Any], folder: Path) -> None:
    """Neither a student's whole folder nor one in it leads to somebody else's work."""
    (folder / "s001").symlink_to(folder / "s002")
    (folder / "s003").mkdir()
    (folder / "s003" / "mine").symlink_to(folder / "s002")
    found = rows(folder)
    refused(found["s001", "basics/affine"], "s001", "outside")
    assert not [row for (student, _), row in found.items() if student == "s003" and row["score"]]


def test_link_within_the_submission(rows: Callable[..., Any], folder: Path) -> None:
    hand_in(folder, "final_version_2.py", HONEST.encode())
    (folder / "s001" / "affine.py").symlink_to("final_version_2.py")
    assert rows(folder)["s001", "basics/affine"]["score"] == FULL


@pytest.mark.parametrize("second", ["affine.ipynb", "old/affine.py", "more.zip"])
def test_two_candidates(rows: Callable[..., Any], folder: Path, second: str) -> None:
    """Taking either could take the wrong one."""
    hand_in(folder, "affine.py", HONEST.encode())
    content = notebook(HONEST) if second.endswith(".ipynb") else HONEST.encode()
    hand_in(folder, second, zipped({"affine.py": HONEST}) if second == "more.zip" else content)
    row = rows(folder)["s001", "basics/affine"]
    refused(row, "affine.py", "Two files", "Keep one")
    if second != "more.zip":
        assert second in told(row)


def test_large_notebook(rows: Callable[..., Any], folder: Path) -> None:
    hand_in(folder, "affine.ipynb", notebook(HONEST, metadata={"plots": "x" * (30 << 20)}))
    refused(
        rows(folder)["s001", "basics/affine"],
        "s001/affine.ipynb",
        "30 MB",
        "16 MB",
        "Clear the notebook's outputs",
    )


def test_one_bad_file_spares_the_students_others(rows: Callable[..., Any], folder: Path) -> None:
    hand_in(folder, "affine.py", b"")
    hand_in(folder, "vowels.py", VOWELS.encode())
    found = rows(folder)
    refused(found["s001", "basics/affine"], "empty")
    assert found["s001", "extras/vowels"]["score"] == 4.0


def test_folders_without_end(rows: Callable[..., Any], folder: Path) -> None:
    """Deeper than Python calls may be; once with the answer beside them, once below them."""
    for student in ("s001", "s003"):
        (folder / student / "/".join("d" * 600)).mkdir(parents=True)
    hand_in(folder, "affine.py", HONEST.encode(), "s003")
    found = rows(folder)
    assert ("s001", "basics/affine") not in found
    assert found["s003", "basics/affine"]["score"] == FULL


def test_files_without_end(rows: Callable[..., Any], folder: Path) -> None:
    """What lies beside an answer is sent with it, up to a limit; what exceeds it costs nobody a point."""
    for student, count in (("s001", 2000), ("s003", 1000)):
        hand_in(folder, "affine.py", HONEST.encode(), student)
        for number in range(count):
            (folder / student / f"{number:0230}.py").touch()
    found = rows(folder)
    assert found["s001", "basics/affine"]["score"] == FULL
    assert found["s003", "basics/affine"]["score"] == FULL, "as many as may be are sent"


# ------------------------------------------------------------------------------------------- a fault of ours


@pytest.mark.parametrize("found_first", [0, 1])
def test_a_fault_while_collecting(
    grade: Callable[..., Any],
    rows: Callable[..., Any],
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    found_first: int,
) -> None:
    """What that student handed in nobody knows; everyone else is graded."""
    from autograder.grading.scheduler import submissions_of as real

    def faulty(student: str, *arguments: Any) -> Iterator[Any]:
        found = real(student, *arguments)
        if student == "s001":
            for _ in range(found_first):
                yield next(found)
            raise RecursionError("a fault of ours")
        yield from found

    hand_in(folder, "affine.py", HONEST.encode())
    hand_in(folder, "vowels.py", VOWELS.encode())
    monkeypatch.setattr("autograder.grading.scheduler.submissions_of", faulty)
    said = grade(folder)
    assert said.code == 3
    assert "s001: collecting: RecursionError: a fault of ours" in said.err
    found = {(row["student"], row["exercise"]): row for row in json.loads(said.out)["results"]}
    assert found["s002", "basics/affine"]["score"] == FULL
    for exercise in ("basics/affine", "extras/vowels"):
        row = found["s001", exercise]
        assert (row["status"], row["score"]) == ("ungraded", None)
    monkeypatch.setattr("autograder.grading.scheduler.submissions_of", real)
    again = rows(folder)
    assert (again["s001", "basics/affine"]["score"], again["s001", "extras/vowels"]["score"]) == (FULL, 4.0)


def test_an_error_of_the_instructor_s_ends_the_run(
    grade: Callable[..., Any], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What every student would meet is said once."""
    from autograder.errors import UserError

    def broken(*arguments: Any) -> Iterator[Any]:
        raise UserError("exercises/basics/affine.py can't be read; build the course", "读不了")
        yield

    monkeypatch.setattr("autograder.grading.scheduler.submissions_of", broken)
    said = grade(folder)
    assert said.code == 2 and "build the course" in said.err and "Traceback" not in said.err


# ------------------------------------------------------------------------------------------- names of students

NAMES = {
    "a space": b"Ann Lee",
    "letters of other scripts": "Zoë Müller 王小明".encode(),
    "quotes": b'O\'Brien "Bob" `x`',
    "a newline": b"two\nlines",
    "bytes that are no UTF-8": b"caf\xe9\xff",
    "rich's markup": b"[red]s001",
    "an option": b"--help",
    "a formula": b"=1+1",
    "a terminal's escape": b"\x1b[31mred",
    "the other direction of writing": "a\u202eb".encode(),
}


def test_names_of_students(
    rows: Callable[..., Any], cli: Callable[..., Any], toy: Path, folder: Path, tmp_path: Path
) -> None:
    """Every name is graded, shown so that it can be printed, and works wherever a name can be given."""
    for raw in NAMES.values():
        home = os.path.join(os.fsencode(folder), raw)
        os.mkdir(home)
        with open(os.path.join(home, b"affine.py"), "w", encoding="utf-8") as file:
            file.write(HONEST)
    found = rows(folder)
    shown = [student for student, _ in found]
    assert len(shown) == len(NAMES) + 1
    assert all(found[student, "basics/affine"]["score"] == FULL for student in shown)
    assert all(student.isprintable() and "\ufffd" not in student for student in shown)
    for name in ("a space", "letters of other scripts", "quotes", "rich's markup", "an option", "a formula"):
        assert NAMES[name].decode() in shown
    book = tmp_path / "grades.db"
    table = cli("gradebook", "show", "--course", toy, "--gradebook", book)
    assert table.code == 0 and not [student for student in shown if student not in table.out], table.err
    for student in shown:
        one = cli("gradebook", "show", "--course", toy, "--gradebook", book, f"--student={student}", "--json")
        assert one.code == 0, one.err
        assert {row["student"] for row in json.loads(one.out)["results"]} == {student}


def test_names_that_look_alike_stay_apart(rows: Callable[..., Any], folder: Path) -> None:
    """A name that only spells the escape of another student's name must not take that student's place."""
    for raw in (b"x\ny", b"x\\x0ay"):
        home = os.path.join(os.fsencode(folder), raw)
        os.mkdir(home)
        with open(os.path.join(home, b"affine.py"), "w", encoding="utf-8") as file:
            file.write(HONEST)
    assert len({student for student, _ in rows(folder)}) == 3


# ------------------------------------------------------------------------------------------- archives


def zipped(files: dict[str, str | bytes], *, link: str = "") -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
        if link:
            entry = zipfile.ZipInfo("affine.py")
            entry.create_system, entry.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
            archive.writestr(entry, link)
    return buffer.getvalue()


def bomb(claimed: int | None = None) -> bytes:
    """A zip of 3.2 GB of zeros. It is put together from one compressed block: compressing all of it takes a minute."""
    block, blocks = 32 << 20, 100
    compressor = zlib.compressobj(9, zlib.DEFLATED, -15)
    piece = compressor.compress(bytes(block)) + compressor.flush(zlib.Z_FULL_FLUSH)
    data = piece * blocks + b"\x03\x00"
    name, size = b"affine.py", block * blocks if claimed is None else claimed
    common = struct.pack("<HHHHHIIIHH", 20, 0, 8, 0, 0x21, 0, len(data), size, len(name), 0)
    local = b"PK\3\4" + common + name
    central = b"PK\1\2" + struct.pack("<H", 20) + common + struct.pack("<HHHII", 0, 0, 0, 0, 0) + name
    end = b"PK\5\6" + struct.pack("<HHHHIIH", 0, 0, 1, 1, len(central), len(local) + len(data), 0)
    return local + data + central + end


def tar_of_folders(count: int) -> bytes:
    """Gzipped, it is a few bytes for each."""
    header = tarfile.TarInfo("d")
    header.type = tarfile.DIRTYPE
    return gzip.compress(header.tobuf() * count + bytes(1024), compresslevel=1)


@pytest.mark.parametrize("place", ["s001.zip", "s001.ZIP", "s001/homework.zip", "s001/week1/my files.zip"])
def test_archive_that_works(rows: Callable[..., Any], folder: Path, place: str) -> None:
    """A zip file for a student, or in a student's folder; with folders and a helper inside."""
    files = {
        "my work/affine.py": HONEST.replace("import torch\n", "import torch\nfrom tools import twice\n"),
        "my work/tools.py": "def twice(x):\n    return 2 * x\n",
        "__MACOSX/my work/._affine.py": "\0",
        "my work/notes.pdf": "%PDF",
    }
    path = folder / place
    path.parent.mkdir(exist_ok=True, parents=True)
    path.write_bytes(zipped(files))
    row = rows(folder)["s001", "basics/affine"]
    assert (row["status"], row["score"]) == ("graded", FULL), told(row)
    assert "affine.py" in row["file"]


ARCHIVES: dict[str, tuple[Callable[[], bytes], str]] = {
    "gigabytes of zeros": (bomb, "affine.py"),
    "gigabytes of zeros that claim to be ten bytes": (lambda: bomb(10), ""),
    "a name with ..": (lambda: zipped({"../s002/affine.py": "boom"}), "../s002/affine.py"),
    "an absolute name": (lambda: zipped({"/tmp/affine.py": "boom"}), "/tmp/affine.py"),
    "a name of Windows": (lambda: zipped({"C:\\affine.py": "boom"}), "affine.py"),
    "a link": (lambda: zipped({}, link="/etc/passwd"), "link"),
    "no zip at all": (lambda: b"this is my homework", "not a readable zip"),
    "no bytes": (lambda: b"", ""),
    "half a zip": (lambda: zipped({"affine.py": HONEST * 50})[:300], "not a readable zip"),
    "a wrong checksum": (lambda: zipped({"affine.py": HONEST}).replace(b"PK\1\2", b"PK\1\3"), ""),
    "nothing inside": (lambda: zipped({}), "no files"),
    "a tar of folders": (lambda: tar_of_folders(20_000), "2000 files and folders"),
    "ten thousand files": (lambda: zipped({f"f{i}.py": "" for i in range(10_000)}), "2000 files"),
    "the same name twice": (
        lambda: zipped({"affine.py": HONEST, "affinX.py": HONEST}).replace(b"affinX.py", b"affine.py"),
        "twice",
    ),
}


@pytest.mark.parametrize("inside", [False, True], ids=["for a student", "in a folder"])
def test_archive_refused(rows: Callable[..., Any], folder: Path, inside: bool) -> None:
    """One class, one student for each; nothing is written anywhere."""
    for name, (make, _) in ARCHIVES.items():
        path = folder / (f"{name}/homework.zip" if inside else f"{name}.zip")
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(make())
    before = set(folder.rglob("*"))
    began = time.process_time()
    found = rows(folder)
    assert time.process_time() - began < 30
    problems = {}
    for name, (_, words) in ARCHIVES.items():
        shown = "homework.zip" if inside else f"{name}.zip"
        problems[name] = wrong_with(
            found[name, "basics/affine"], shown, "can't be unpacked", words, "plain zip file"
        )
    assert not {name: wrong for name, wrong in problems.items() if wrong}
    assert set(folder.rglob("*")) == before
    assert not Path("/tmp/affine.py").exists()


def test_archive_refused_beside_other_work(rows: Callable[..., Any], folder: Path) -> None:
    """The student sees why one exercise is missing, although another one could be graded."""
    hand_in(folder, "vowels.py", VOWELS.encode())
    hand_in(folder, "week1.zip", b"this is my homework")
    found = rows(folder)
    assert found["s001", "extras/vowels"]["score"] == 4.0
    assert any("week1.zip" in told(row) for (student, _), row in found.items() if student == "s001")


def test_archive_too_large(rows: Callable[..., Any], folder: Path) -> None:
    with open(folder / "s001.zip", "wb") as file:
        file.truncate(2049 << 20)  # sparse
    refused(rows(folder)["s001", "basics/affine"], "s001.zip", "2049 MB", "2048 MB")


# ------------------------------------------------------------------------------------------- options


@pytest.mark.parametrize("wrong", ["basics/afine", "affinity", "week9", ""])
def test_unknown_exercise(grade: Callable[..., Any], folder: Path, tmp_path: Path, wrong: str) -> None:
    said = grade(folder, "--only", wrong)
    assert said.code == 2 and "Traceback" not in said.err
    assert f"no exercise {wrong!r}" in said.err
    assert "did you mean" in said.err or "the course has basics/affine, extras/vowels" in said.err
    assert not (tmp_path / "grades.db").exists()


# ------------------------------------------------------------------------------------------- gradebooks


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("autograder.gradebook.database.BUSY_SECONDS", 0.2)


@pytest.fixture
def lock(tmp_path: Path, impatient: None) -> Iterator[Callable[[], None]]:
    """`lock()`: from now on another program is writing to grades.db."""
    held: list[sqlite3.Connection] = []

    def take() -> None:
        other = sqlite3.connect(tmp_path / "grades.db", isolation_level=None)
        held.append(other)
        other.execute("BEGIN EXCLUSIVE")

    yield take
    for other in held:
        other.close()


@pytest.mark.parametrize("new", [True, False], ids=["a new file", "a gradebook in use"])
def test_locked_gradebook(
    grade: Callable[..., Any], rows: Callable[..., Any], folder: Path, lock: Callable[[], None], new: bool
) -> None:
    if not new:
        rows(folder)
    hand_in(folder, "affine.py", HONEST.encode() + b"# mine\n")
    lock()
    said = grade(folder)
    assert said.code == 2 and "Traceback" not in said.err
    assert "grades.db" in said.err and "locked" in said.err and "close that program or wait" in said.err


def test_gradebook_locked_while_grading(
    grade: Callable[..., Any],
    rows: Callable[..., Any],
    folder: Path,
    tmp_path: Path,
    impatient: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What was recorded stays, the message says what to do, and the next run grades the rest."""
    from autograder.gradebook import Gradebook

    hand_in(folder, "affine.py", HONEST.encode() + b"# mine\n")
    recorded, real = [], Gradebook.record
    other = sqlite3.connect(tmp_path / "grades.db", isolation_level=None)

    def record(book: Gradebook, result: Any) -> None:
        real(book, result)
        recorded.append(result.student)
        other.execute("BEGIN IMMEDIATE")

    monkeypatch.setattr(Gradebook, "record", record)
    said = grade(folder)
    assert recorded == ["s001"]
    assert said.code == 3 and "Traceback" not in said.err
    assert "grades.db" in said.err and "locked" in said.err and "run the same command again" in said.err
    other.close()
    monkeypatch.setattr(Gradebook, "record", real)
    again = grade(folder)
    assert again.code == 0 and "1 known already" in again.err
    assert {row["student"] for row in json.loads(again.out)["results"]} == {"s001", "s002"}


def test_gradebook_is_another_programs_database(
    grade: Callable[..., Any], folder: Path, tmp_path: Path
) -> None:
    """It is left as it is, to the last byte."""
    path = tmp_path / "music.db"
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE songs (title TEXT)")
        other.execute("INSERT INTO songs VALUES ('Attention')")
        other.commit()
    before = path.read_bytes()
    said = grade(folder, gradebook=path)
    assert said.code == 2 and "Traceback" not in said.err
    assert "music.db" in said.err and "songs" in said.err and "choose another file" in said.err
    assert path.read_bytes() == before, "another program's database was changed"


def test_gradebook_is_a_text_file(grade: Callable[..., Any], folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "grades.csv"
    path.write_text("student,score\ns001,12\n" * 200, encoding="utf-8")
    before = path.read_bytes()
    said = grade(folder, gradebook=path)
    assert said.code == 2 and "Traceback" not in said.err
    assert "grades.csv" in said.err and "not a database" in said.err and "choose another file" in said.err
    assert path.read_bytes() == before


@pytest.mark.parametrize("place", ["no/such/folder/grades.db", "class", ""])
def test_gradebook_in_no_place(grade: Callable[..., Any], folder: Path, tmp_path: Path, place: str) -> None:
    said = grade(folder, gradebook=tmp_path / place)
    assert said.code == 2 and "Traceback" not in said.err
    assert str(tmp_path / place) in said.err and "folder" in said.err


@pytest.mark.parametrize("url", ["nonsense://x/y", "postgresql://[", "://"])
def test_gradebook_url_is_none(grade: Callable[..., Any], folder: Path, url: str) -> None:
    said = grade(folder, gradebook=url)
    assert said.code == 2 and "Traceback" not in said.err
    assert "file name" in said.err or "that the URL is right" in said.err
