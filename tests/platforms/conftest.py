"""What the tests of several release targets share: a real browser, and the real nbgrader."""

from __future__ import annotations

import json
import os
import runpy
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from autograder.course import Course
from autograder.errors import UserError
from autograder.platforms.publish import release
from autograder.platforms.selection import select

Nbgrader = Callable[..., str]
START_SECONDS = 120  # for a Jupyter server to answer
BROWSERS = runpy.run_path(str(Path(__file__).parents[1] / "get_browser.py"))["NAMES"]
QUIET = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
NO_BROWSER = (
    "no Chromium for the tests that click through pages: run `python tests/get_browser.py`, or install the system's "
    "chromium package; AUTOGRADER_TESTS_NO_BROWSER=1 skips these tests"
)


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """A real Chromium, driven by playwright: the system's, else playwright's own."""
    from playwright.sync_api import Error, sync_playwright

    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    with sync_playwright() as playwright:
        try:
            started = playwright.chromium.launch(executable_path=found, args=list(QUIET))
        except Error as error:
            if os.environ.get("AUTOGRADER_TESTS_NO_BROWSER"):
                pytest.skip(NO_BROWSER)
            pytest.fail(f"{NO_BROWSER} ({str(error).splitlines()[0]})")
        yield started
        started.close()


@dataclass(frozen=True)
class Jupyter:
    """A running Jupyter server."""

    url: str
    token: str

    def request(self, method: str, route: str, body: Any = None) -> Any:
        """The JSON that a route answers with."""
        return json.loads(self.page(route, method, body))

    def page(self, route: str, method: str = "GET", body: Any = None) -> str:
        """The text that a route answers with."""
        request = urllib.request.Request(
            f"{self.url}/{route}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"token {self.token}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            return str(answer.read(), "utf-8")


@pytest.fixture(scope="session")
def jupyter(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., AbstractContextManager[Jupyter]]:
    """`with jupyter(folder, {"jupyterlab": True}, "api/status") as server`: a server in a folder, with these
    extensions only (the others just take time to start), once the route answers."""

    @contextmanager
    def start(folder: Path, extensions: dict[str, bool], ready: str) -> Iterator[Jupyter]:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        home = tmp_path_factory.mktemp("home")
        config = home / "jupyter" / "jupyter_server_config.json"
        config.parent.mkdir()
        wanted = dict.fromkeys(("jupyterlab", "notebook", "jupytext", "jupyter_lsp"), False) | extensions
        config.write_text(json.dumps({"ServerApp": {"jpserver_extensions": wanted}}), encoding="utf-8")
        kept = {
            k: v for k, v in os.environ.items() if not k.startswith(("PYTEST_", "JUPYTER_", "AUTOGRADER_"))
        }
        environment = {
            **kept, "HOME": str(home), "JUPYTER_CONFIG_DIR": str(config.parent), "LC_ALL": "C.UTF-8",
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{kept.get('PATH', '')}",
        }  # fmt: skip
        server = Jupyter(f"http://127.0.0.1:{port}", "tests")
        with (home / "server.log").open("w+", encoding="utf-8") as log:
            process = subprocess.Popen(
                [
                    sys.executable, "-m", "jupyter", "server", "--no-browser", "--allow-root",
                    "--ip=127.0.0.1", f"--port={port}", f"--IdentityProvider.token={server.token}",
                    "--ServerApp.disable_check_xsrf=True",
                ],
                cwd=folder, env=environment, stdout=log, stderr=subprocess.STDOUT,
            )  # fmt: skip
            try:
                deadline = time.monotonic() + START_SECONDS
                while True:
                    try:
                        server.request("GET", ready)
                        break
                    except (urllib.error.URLError, ConnectionError):
                        log.seek(0)
                        assert process.poll() is None and time.monotonic() < deadline, log.read()
                        time.sleep(0.2)
                yield server
            finally:
                process.terminate()
                process.wait(60)

    return start


# Importing nbgrader takes seconds; each command then runs in a process of its own, forked after the import.
RUNNER = """
import json, os, sys
from nbgrader.apps.nbgraderapp import main
for folder, arguments in json.load(sys.stdin):
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        os.chdir(folder)
        sys.argv = ["nbgrader", *arguments]
        code = 1
        try:
            main()
            code = 0
        except SystemExit as ending:
            code = int(ending.code or 0)
        finally:
            sys.stdout.flush()
            os._exit(code)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if status:
        print(f"FAILED: nbgrader {' '.join(arguments)}")
        sys.exit(status)
"""


@pytest.fixture(scope="session")
def nbgrader(tmp_path_factory: pytest.TempPathFactory) -> Nbgrader:
    """`nbgrader((folder, "collect week1"), ...)`: nbgrader's own commands in order; stops at one that fails."""
    home = tmp_path_factory.mktemp("home")
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("PYTEST_", "AUTOGRADER_"))}
    programs = (
        f"{Path(sys.executable).parent}{os.pathsep}{kept.get('PATH', '')}"  # nbgrader runs alembic by name
    )
    environment = {**kept, "HOME": str(home), "NO_COLOR": "1", "PATH": programs}

    def run(*commands: tuple[Path, str], fails: bool = False) -> str:
        given = json.dumps([(str(folder), command.split(" ")) for folder, command in commands])
        done = subprocess.run(
            [sys.executable, "-c", RUNNER],
            input=given, env=environment, cwd=home, text=True, timeout=300,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        assert (done.returncode != 0) == fails, done.stdout
        return done.stdout

    return run


@pytest.fixture(scope="session")
def autograder(borrowed: Any) -> Callable[..., tuple[int, str]]:
    """`autograder("grade", ...)`: the command line in this process, on the session's sandbox; exit status and output."""

    def call(*arguments: object) -> tuple[int, str]:
        from typer.testing import CliRunner

        from autograder.cli.main import app

        with pytest.MonkeyPatch.context() as patch:  # other tests of this session have a sandbox of their own
            patch.setattr("autograder.grading.worker.ModuleSandbox", borrowed)
            environment = {"COLUMNS": "200", "AUTOGRADER_LANG": "en"}
            result = CliRunner().invoke(app, list(map(str, arguments)), env=environment)
        if isinstance(result.exception, UserError):
            return 2, str(result.exception)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result.exit_code, result.output

    return call


# ------------------------------------------------------------------------------------------- a class on nbgrader

NORMALISE = """\
    middle = x - x.mean(-1, keepdim=True)
    return middle / middle.square().mean(-1, keepdim=True).sqrt()"""
VOWELS = '    return sum(text.lower().count(vowel) for vowel in "aeiou")'
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


def answer(path: Path, question: str, body: str) -> None:
    """Write a body in place of `# YOUR CODE HERE` and the line below it."""
    notebook = json.loads(path.read_text(encoding="utf-8"))
    cell = next(c for c in notebook["cells"] if c["metadata"].get("nbgrader", {}).get("grade_id") == question)
    source = "".join(cell["source"])
    cell["source"] = source[: source.index("    # YOUR CODE HERE")] + body
    path.write_text(json.dumps(notebook), encoding="utf-8")


def disorder(path: Path) -> None:
    """What students do to notebooks: cells of their own, outputs, a grade cell doubled, one deleted."""
    notebook = json.loads(path.read_text(encoding="utf-8"))
    cells = {c["metadata"].get("nbgrader", {}).get("grade_id"): c for c in notebook["cells"]}
    doubled = json.loads(json.dumps(cells["affine-points"]))
    doubled["id"], doubled["source"] = "doubled", "print('full marks for me')"
    notebook["cells"].remove(cells["normalise-points"])
    outputs = [
        {"output_type": "stream", "name": "stdout", "text": ["my own ", "print"]},
        {"output_type": "display_data", "metadata": {}, "data": {"image/png": PIXEL, "text/plain": "a plot"}},
        {"output_type": "display_data", "metadata": {}, "data": {"text/html": "<script>evil()</script>"}},
    ]
    own = {
        "cell_type": "code",
        "execution_count": 3,
        "metadata": {},
        "source": "print(6 * 7)",
        "outputs": outputs,
    }
    source = "My notes. <img src=x onerror='window.evil = 1'>"
    trap = {"cell_type": "markdown", "metadata": {}, "source": source}
    notebook["cells"] += [doubled, own, trap]
    path.write_text(json.dumps(notebook), encoding="utf-8")


@dataclass(frozen=True)
class Class:
    """Folders of one class: the course, nbgrader's course directory, the exchange, and our gradebook."""

    root: Path

    @property
    def course(self) -> Path:
        return self.root / "toy"

    @property
    def nbgrader(self) -> Path:
        return self.root / "nbgrader"

    @property
    def book(self) -> Path:
        return self.root / "book.db"

    @property
    def options(self) -> tuple[object, ...]:
        return ("--nbgrader", self.nbgrader, "--course", self.course, "--gradebook", self.book)

    def copied(self, root: Path) -> Class:
        """The same class elsewhere, to be changed."""
        shutil.copytree(self.root, root, symlinks=True)
        other = Class(root)
        config = other.nbgrader / "nbgrader_config.py"
        text = config.read_text(encoding="utf-8").replace(str(self.root), str(root))
        config.write_text(text, encoding="utf-8")
        return other


@pytest.fixture(scope="session")
def handed_in(_toy_master: Path, nbgrader: Nbgrader, tmp_path_factory: pytest.TempPathFactory) -> Class:
    """A class that has fetched, worked and submitted, with nbgrader's own commands; everything is collected.

    s001 is right; s002 forgets the shift and hands in half a file; s003 has begun nothing and hands in one notebook;
    s004 has all right, in a notebook in disorder; o'brien has an odd name.
    """
    made = Class(tmp_path_factory.mktemp("class"))
    shutil.copytree(_toy_master, made.course)
    release(select(Course.load(made.course), None, "en"), "nbgrader", made.nbgrader)
    exchange = made.root / "exchange"
    exchange.mkdir()
    exchange.chmod(0o777)
    with (made.nbgrader / "nbgrader_config.py").open("a", encoding="utf-8") as config:
        config.write(f"c.Exchange.root = {str(exchange)!r}\n")
    students = ("s001", "s002", "s003", "s004", "o'brien")
    homes = {student: made.root / "homes" / student for student in students}
    for home in homes.values():
        home.mkdir(parents=True)
        shutil.copy(made.nbgrader / "nbgrader_config.py", home)
    nbgrader(
        (made.nbgrader, "generate_assignment week1"),
        (made.nbgrader, "release_assignment week1"),
        *((home, "fetch_assignment week1") for home in homes.values()),
    )
    for student in ("s001", "s004", "o'brien"):
        answer(homes[student] / "week1/affine.ipynb", "affine", "    return x * scale + shift")
        answer(homes[student] / "week1/affine.ipynb", "normalise", NORMALISE)
        answer(homes[student] / "week1/vowels.ipynb", "vowels", VOWELS)
    disorder(homes["s004"] / "week1/affine.ipynb")
    answer(homes["s002"] / "week1/affine.ipynb", "affine", "    return x * scale")
    (homes["s002"] / "week1/vowels.ipynb").write_text('{"cells": [', encoding="utf-8")
    (homes["s003"] / "week1/vowels.ipynb").unlink()
    nbgrader(
        *((home, f"submit week1 --student={student}") for student, home in homes.items()),
        (made.nbgrader, "collect week1"),
    )
    return made


@pytest.fixture(scope="session")
def _graded(
    handed_in: Class, autograder: Callable[..., tuple[int, str]], tmp_path_factory: pytest.TempPathFactory
) -> Class:
    made = handed_in.copied(tmp_path_factory.mktemp("graded") / "class")
    code, said = autograder("grade", *made.options)
    assert code == 0, said
    return made


@pytest.fixture
def graded(_graded: Class, tmp_path: Path) -> Class:
    """The same class, graded once. The test may change it."""
    return _graded.copied(tmp_path / "class")
