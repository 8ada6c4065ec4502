"""`autograder serve`: who can read its pages, what they show, and that they follow a run."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest

from autograder.gradebook import Gradebook
from autograder.results import ExerciseResult, Isolation, Outcome, Status, TestResult, Visibility
from autograder.text import Text

HOSTILE = '<script>alert(1)</script>&"'


def result(student: str, score: float, name: str = "test_vowels") -> ExerciseResult:
    test = TestResult(
        name=name, visibility=Visibility.PUBLIC, outcome=Outcome.FAILED, score=score, max_score=20.0,
        message=Text(f"It {HOSTILE} fails."),
    )  # fmt: skip
    return ExerciseResult(
        student=student, exercise="extras/vowels", status=Status.GRADED, score=score, max_score=20.0,
        isolation=Isolation.FULL, key=f"{student}{score}", tests=(test,),
    )  # fmt: skip


class Served:
    """The command in a process of its own."""

    def __init__(self, place: Path, toy: Path) -> None:
        command = [
            sys.executable,
            "-m",
            "autograder",
            "serve",
            "--gradebook",
            str(place),
            "--course",
            str(toy),
            "--lang",
            "en",
        ]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.url = self.process.stdout.readline().strip()
        assert self.url, self.process.communicate()[1]
        self.port = urlsplit(self.url).port or 0
        self.path = urlsplit(self.url).path

    def ask(self, path: str, method: str = "GET", **headers: str) -> tuple[int, dict[str, str], str]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.request(method, path, headers=headers)
        answer = connection.getresponse()
        said = answer.read().decode()
        connection.close()
        return answer.status, dict(answer.getheaders()), said

    def page(self, path: str) -> str:
        status, _, said = self.ask(self.path + path)
        assert status == 200, path
        return said


@pytest.fixture
def place(tmp_path: Path) -> Path:
    with Gradebook(str(tmp_path / "book.db")) as book:
        book.record(result("s001", 12.25))
        book.record(result(HOSTILE.replace("/", ""), 5.0, HOSTILE))
    return tmp_path / "book.db"


@pytest.fixture
def served(place: Path, toy: Path) -> Iterator[Served]:
    opened = Served(place, toy)
    yield opened
    if opened.process.poll() is None:
        opened.process.kill()
    opened.process.communicate()


def test_only_who_has_the_address_may_read(served: Served) -> None:
    status, headers, page = served.ask(served.path)
    assert status == 200 and "s001" in page
    assert headers["Cache-Control"] == "no-store" and headers["Referrer-Policy"] == "no-referrer"
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert served.ask(served.path, "HEAD")[::2] == (200, "")
    for path in ("/", "/state", f"/{'x' * 43}/", served.path[:-2] + "/", served.path.upper()):
        assert served.ask(path)[0] == 404, path
    for method in ("POST", "PUT", "DELETE", "OPTIONS", "TRACE"):
        status, headers, said = served.ask(served.path, method)
        assert (status, headers["Allow"]) == (405, "GET, HEAD") and "s001" not in said
    for host in ("evil.example", f"evil.example:{served.port}", "127.0.0.1", ""):
        assert served.ask(served.path, Host=host)[0] == 421, host
    assert served.ask(served.path, Host=f"localhost:{served.port}")[0] == 200


def test_other_machines_find_nothing_there(served: Served) -> None:
    """The whole of 127.0.0.0/8 is this machine: a socket that listens everywhere would answer at another of its addresses."""
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.2", served.port), timeout=5)


def test_names_and_messages_are_escaped(served: Served) -> None:
    student = quote(HOSTILE.replace("/", ""), safe="")
    for path in (
        "",
        "unit/extras",
        f"student/{student}",
        f"student/{student}/index.html",
        "report/index.html",
    ):
        page = served.page(path)
        assert "alert(1)" in page or path == "report/index.html"
        assert "<script>alert" not in page, path
    told = served.page("student/s001")
    assert "test_vowels" in told and "12.25/20" in told and "It &lt;script&gt;" in told
    for path in (
        "student/nobody",
        "unit/none",
        "assignment/none",
        "report/../../book.db",
        "report/students.csv",
        "x/y",
    ):
        assert served.ask(served.path + path)[0] == 404, path


def test_pages_follow_a_run_that_writes(served: Served, place: Path) -> None:
    state = served.page("state")
    stop = threading.Event()

    def write() -> None:
        with Gradebook(str(place)) as book:
            for number in range(1000):
                if stop.is_set():
                    return
                book.record(result(f"t{number:03}", float(number % 20)))

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(10):
            assert "s001" in served.page("unit/extras")
    finally:
        stop.set()
        writer.join()
    assert served.page("state") != state
    assert "t000" in served.page("")


def test_ctrl_c_ends_it(served: Served) -> None:
    os.kill(served.process.pid, signal.SIGINT)
    _, err = served.process.communicate(timeout=60)
    assert served.process.returncode == 0 and "Stopped." in err and "Traceback" not in err


def test_a_gradebook_that_is_not_there_is_not_made(cli: object, tmp_path: Path) -> None:
    said = cli("serve", "--gradebook", tmp_path / "none.db")  # type: ignore[operator]
    assert said.code == 2 and "does not exist" in said.err
    assert not (tmp_path / "none.db").exists()
