"""A gradebook that can't be written to: what is said, what is left, and that two graders at once get on with each other."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from autograder.gradebook import Gradebook, GradebookError
from autograder.gradebook import database as opened
from autograder.results import ExerciseResult, Isolation, Status

Cli = Callable[..., Any]
KILLED = Path(__file__).resolve().parents[2] / "benchmarks/killed.py"
VOWELS = "def vowels(text):\n    return sum(text.lower().count(c) for c in 'aeiou')\n"


def result(student: str = "s001", **more: Any) -> ExerciseResult:
    values: dict[str, Any] = {
        "exercise": "extras/vowels", "status": Status.GRADED, "score": 4.0, "max_score": 4.0, "isolation": Isolation.FULL,
        "key": f"bundle-{student}",
    }  # fmt: skip
    return ExerciseResult(student=student, **{**values, **more})


# ------------------------------------------------------------------------------------------- locked


class Waits:
    """How often a program has waited in vain for a lock."""

    def __init__(self) -> None:
        self.count = 0

    def note(self, context: Any) -> None:
        self.count += opened.is_held(context.sqlalchemy_exception)


@pytest.fixture
def waits() -> Any:
    seen = Waits()
    sa.event.listen(sa.Engine, "handle_error", seen.note)
    yield seen
    sa.event.remove(sa.Engine, "handle_error", seen.note)


def test_a_lock_is_waited_for_ten_seconds() -> None:
    assert opened.BUSY_SECONDS == 10


@pytest.mark.parametrize("mode", ["WAL", "DELETE"])
def test_a_locked_gradebook_is_waited_for_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, waits: Waits, mode: str
) -> None:
    """Opening it tries twice where another program makes the same new gradebook; not where one holds it."""
    monkeypatch.setattr(opened, "BUSY_SECONDS", 0.1)
    path = str(tmp_path / "book.db")
    with Gradebook(path):
        pass
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute(f"PRAGMA journal_mode={mode}")
    holder.execute("BEGIN EXCLUSIVE")
    with pytest.raises(GradebookError, match=r"book.db: database is locked; another program holds it; close"):
        Gradebook(path)
    assert waits.count == 1
    holder.close()


def test_a_locked_table_on_a_server(postgresql: str, monkeypatch: pytest.MonkeyPatch, waits: Waits) -> None:
    """Without a limit PostgreSQL waits for ever."""
    import psycopg

    monkeypatch.setattr(opened, "BUSY_SECONDS", 0.1)
    with psycopg.connect(postgresql, autocommit=True) as server:
        server.execute("CREATE DATABASE held")
    place = postgresql.replace("/postgres?", "/held?")
    with Gradebook(place) as book, psycopg.connect(place) as holder:
        holder.execute("LOCK TABLE attempts")
        with pytest.raises(
            GradebookError, match=r"lock timeout; another program holds it; close that program"
        ):
            book.record(result())
        holder.rollback()
        book.record(result())
        assert len(book.attempts()) == waits.count == 1


# ------------------------------------------------------------------------------------------- full and read-only


@pytest.fixture
def small_disk(python: Callable[..., Any], tmp_path: Path) -> Callable[..., Any]:
    """`small_disk(source)`: a Python program, in an empty folder on a disk of one MiB that it has for itself."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = f"mount -t tmpfs -o size=1m none {disk} && cd {disk} && "
    tried = subprocess.run(["unshare", "-rm", "sh", "-c", f"{mount}true"], capture_output=True, text=True)
    if tried.returncode:
        pytest.skip(f"a file system can't be mounted here: {tried.stderr}")

    def run(source: str, environment: dict[str, str]) -> Any:
        command = ["unshare", "-rm", "sh", "-c", f'{mount}"$@"', "sh", sys.executable, "-c", source]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)

    return run


FILLED = """
from pathlib import Path
from autograder.gradebook import Gradebook, GradebookError
from autograder.results import ExerciseResult, Isolation, Status
def result(n):
    return ExerciseResult(student=f"s{n:04}", exercise="extras/vowels", status=Status.GRADED, score=4.0, max_score=4.0,
                          isolation=Isolation.FULL, key=f"k{n}", output="x" * 3000)
recorded = 0
try:
    with Gradebook("book.db") as book:
        while True:
            book.record(result(recorded))
            recorded += 1
except GradebookError as error:
    print(error)
with Gradebook("book.db") as book:  # it is whole
    assert len(book.attempts()) == recorded > 10
Path("book.db-wal").unlink(missing_ok=True)
Path("book.db").unlink()
try:
    Path("all of it").write_bytes(bytes(1 << 21))
except OSError:
    pass
try:
    Gradebook("book.db")
except GradebookError as error:
    print(error)
"""


def test_a_full_disk_is_called_one(small_disk: Callable[..., Any], environment: dict[str, str]) -> None:
    done = small_disk(FILLED, environment)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == 2
    for line in lines:
        assert line.startswith("book.db: ") and "the disk that it is on is full. Make room there" in line
        assert "database is running" not in line and "choose another" not in line


READ_ONLY = """
import os, sqlite3, subprocess
from autograder.gradebook import Gradebook, GradebookError
with Gradebook("book.db"):
    pass
old = sqlite3.connect("old.db")
old.execute("CREATE TABLE gradebook (name TEXT)")
old.close()
subprocess.run(["mount", "-o", "remount,ro", os.getcwd()], check=True)
for name in ("book.db", "new.db", "old.db"):
    try:
        Gradebook(name)
    except GradebookError as error:
        print(error)
"""


def test_a_read_only_gradebook(small_disk: Callable[..., Any], environment: dict[str, str]) -> None:
    """One that is there, a folder in which none can be made, and a file without SQLite's write-ahead log."""
    done = small_disk(READ_ONLY, environment)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    problems = (
        "unable to open database file",
        "unable to open database file",
        "attempt to write a readonly database",
    )
    assert len(lines) == len(problems)
    for line, name, problem in zip(lines, ("book.db", "new.db", "old.db"), problems, strict=True):
        assert line.startswith(
            f"{name}: {problem}; check that its folder exists, and that both the folder and the file may"
        )
        assert line.endswith("or name another one with --gradebook")


def test_no_room_for_what_waits(
    cli: Cli, toy: Path, hand_in: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folder of temporary files is full: that is nobody's ungraded submission."""
    from autograder.grading.spool import Path as real

    def full(self: Path, content: bytes) -> int:
        raise OSError(28, os.strerror(28), str(self))

    folder = hand_in("s001", {"vowels.py": VOWELS})
    monkeypatch.setattr(real, "write_bytes", full)
    said = cli("grade", folder, "--course", toy, "--gradebook", tmp_path / "b.db")
    assert said.code == 2
    assert "No space left on device. Submissions that wait to be graded are kept there" in said.err
    assert "TMPDIR" in said.err and not (tmp_path / "b.db").exists()


# ------------------------------------------------------------------------------------------- in the middle of a run


@pytest.mark.parametrize("workers", [1, 2])
def test_a_gradebook_that_fails_in_the_middle(
    cli: Cli, toy: Path, hand_in: Callable[..., Path], shared_sandbox: Any, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, workers: int,
) -> None:  # fmt: skip
    """What could not be recorded is told, costs nothing, and is graded by the next run."""
    real, recorded = Gradebook._record, []

    def fails(self: Gradebook, given: ExerciseResult) -> None:
        if len(recorded) == 2:
            raise sa.exc.OperationalError("", {}, sqlite3.OperationalError("database or disk is full"))
        real(self, given)
        recorded.append(given.student)

    for number in range(1, 6):
        folder = hand_in(f"s{number:03}", {"vowels.py": f"# {number}\n{VOWELS}"})
    command = ("grade", folder, "--course", toy, "--gradebook", tmp_path / "b.db", "--only", "extras")
    monkeypatch.setattr(Gradebook, "_record", fails)
    said = cli(*command, "--workers", workers)
    assert (said.code, said.out) == (3, "")
    assert "the disk that it is on is full" in said.err and "Traceback" not in said.err
    assert "2 submissions are settled; at least 3 are NOT graded" in said.err
    monkeypatch.setattr(Gradebook, "_record", real)
    with Gradebook(str(tmp_path / "b.db")) as book:
        assert sorted(student for student, _ in book.attempts()) == sorted(recorded)
    again = cli(*command, "--workers", workers)
    assert again.code == 0 and "3 graded, 2 known already" in again.err


# ------------------------------------------------------------------------------------------- killed


@pytest.mark.usefixtures("sandbox")  # says so where there can be none
def test_killed_again_and_again(python: Callable[..., Any], place: str, tmp_path: Path) -> None:
    """Driver, worker and zygote in turn, spread over the run: the gradebook ends as an undisturbed one."""
    small = ("--submissions", "60", "--kills", "5", "--gradebooks", str(tmp_path / "calm.db"), place)
    done = python(str(KILLED), *small, timeout=850)
    assert done.returncode == 0, done.stdout + done.stderr


# ------------------------------------------------------------------------------------------- two at once


@pytest.mark.usefixtures("sandbox")  # says so where there can be none
def test_two_grade_at_once(
    toy: Path, hand_in: Callable[..., Path], environment: dict[str, str], place: str
) -> None:
    """Both end well, and everything is recorded once; the gradebook is new to both."""
    count = 12
    for number in range(1, count + 1):
        folder = hand_in(
            f"s{number:03}", {"vowels.py": f"# {number}\n{VOWELS}", "affine.py": "import nothing_such"}
        )
    command = [
        sys.executable,
        "-m",
        "autograder",
        "grade",
        str(folder),
        "--course",
        str(toy),
        "--gradebook",
        place,
    ]
    both = [
        subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    for grader in both:
        _, said = grader.communicate(timeout=600)
        assert grader.returncode == 0, said
    with Gradebook(place) as book:
        assert [len(history) for history in book.attempts().values()] == [1] * 2 * count
        assert len(book.students()) == count


@pytest.mark.parametrize("key", ["bundle-content", ""])
def test_two_record_the_same(place: str, key: str) -> None:
    """The attempt is there once, whether its content is known already or can't be read, though both looked before."""
    with Gradebook(place) as book:
        book.record(result("s000", key="bundle-content"))  # somebody else's, with the same content
        book.add_students(["s001"])
        looked = threading.Barrier(2)

        def wait(_connection: Any, _cursor: Any, statement: str, *_more: Any) -> None:
            if statement.startswith("INSERT INTO attempts"):
                with suppress(threading.BrokenBarrierError):  # the other one has to wait for this one
                    looked.wait(2)

        sa.event.listen(book._engine, "before_cursor_execute", wait)
        threads = [threading.Thread(target=book.record, args=[result(key=key)]) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [len(history) for history in book.attempts().values()] == [1, 1]


def test_two_add_the_same_class(place: str) -> None:
    names = [f"s{number:03}" for number in range(300)]
    failed: list[BaseException] = []
    with Gradebook(place) as book:
        start = threading.Barrier(4)

        def add() -> None:
            start.wait()
            try:
                book.add_students(names)
            except BaseException as error:
                failed.append(error)

        threads = [threading.Thread(target=add) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failed == [] and book.students() == names
