"""What the tests of every room share: a toy course, the command line in process, one sandbox for the whole session."""

from __future__ import annotations

import io
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import pytest

import autograder
from autograder.authoring.build import build, build_exercise
from autograder.course import Course, Exercise

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = Path(autograder.__file__).resolve().parent
TOY = ROOT / "tests/data/toy"

collect_ignore = ["data"]  # the toy course's own tests are for its submissions

# ------------------------------------------------------------------------------------------- a toy course


@pytest.fixture(scope="session")
def _toy_master(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The toy course with its skeletons built, and everything that an audit of basics/affine asks for."""
    root = Path(shutil.copytree(TOY, tmp_path_factory.mktemp("master") / "toy"))
    build(Course.load(root, authoring=True))
    return root


@pytest.fixture
def toy(_toy_master: Path, tmp_path: Path) -> Path:
    """The root of a toy course of two exercises that the test may change."""
    return Path(shutil.copytree(_toy_master, tmp_path / "toy"))


@pytest.fixture
def toy_course(toy: Path) -> Course:
    return Course.load(toy)


@pytest.fixture
def affine(toy_course: Course) -> Exercise:
    return toy_course.exercise("basics/affine")


@pytest.fixture
def vowels(toy_course: Course) -> Exercise:
    return toy_course.exercise("extras/vowels")


@pytest.fixture
def quiz(toy: Path) -> Exercise:
    """`basics/quiz`, a quiz of eight questions of every kind, in the toy course, built."""
    shutil.copytree(ROOT / "tests/data/quiz", toy, dirs_exist_ok=True)
    edited(toy / "course/basics/unit.toml", '["affine"]', '["affine", "quiz"]')
    exercise = Course.load(toy, authoring=True).exercise("basics/quiz")
    build_exercise(exercise)
    return exercise


def edited(path: Path, old: str, new: str) -> None:
    """Replace the one place where `old` stands in a file."""
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in {path.name}"
    path.write_text(text.replace(old, new), encoding="utf-8")


@pytest.fixture(name="edited")
def _edited() -> Callable[[Path, str, str], None]:
    """`edited(path, old, new)`: replace the one place where `old` stands."""
    return edited


@pytest.fixture
def hand_in(tmp_path: Path) -> Callable[..., Path]:
    """`hand_in("s001", {"affine.py": source})` writes one student's files; returns the submissions folder."""
    folder = tmp_path / "submissions"

    def put(student: str, files: dict[str, str]) -> Path:
        for name, source in files.items():
            file = folder / student / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(source, encoding="utf-8")
        return folder

    return put


# ------------------------------------------------------------------------------------------- running things


@pytest.fixture
def environment() -> dict[str, str]:
    """For a process of its own that must import this very package, from any folder."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("PYTEST_", "AUTOGRADER_"))}
    return {**kept, "PYTHONPATH": str(PACKAGE.parent), "LC_ALL": "C.UTF-8", "COLUMNS": "200", "NO_COLOR": "1"}


@pytest.fixture
def python(environment: dict[str, str], tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """`python("-c", source)` in a process of its own, in an empty folder by default."""

    def run(*arguments: str, cwd: Path | None = None, **more: Any) -> subprocess.CompletedProcess[str]:
        more.setdefault("timeout", 120)
        variables = {**environment, **more.pop("env", {})}
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=cwd or tmp_path, env=variables, capture_output=True, encoding="utf-8", **more,
        )  # fmt: skip

    return run


@dataclass
class Said:
    """What a command left behind."""

    code: int
    out: str
    err: str


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Callable[..., Said]:
    """`cli("build", "--course", folder)`: the console script, in this process."""
    from autograder.cli.main import run

    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("AUTOGRADER_LANG", "en")

    def call(*arguments: object) -> Said:
        monkeypatch.setattr(sys, "argv", ["autograder", *map(str, arguments)])
        monkeypatch.setattr(sys, "stdin", io.StringIO())
        capfd.readouterr()
        code = 0
        try:
            run()
        except SystemExit as ending:
            code = ending.code if isinstance(ending.code, int) else int(ending.code is not None)
        out, err = capfd.readouterr()
        return Said(code, out, err)

    return call


@pytest.fixture
def statements() -> Callable[[], AbstractContextManager[list[str]]]:
    """`with statements() as seen`: every SELECT that any gradebook sends meanwhile."""
    import sqlalchemy

    @contextmanager
    def listening() -> Iterator[list[str]]:
        seen: list[str] = []

        def note(connection: Any, cursor: Any, statement: str, *more: Any) -> None:
            if statement.lstrip().upper().startswith("SELECT"):
                seen.append(statement)

        sqlalchemy.event.listen(sqlalchemy.Engine, "before_cursor_execute", note)
        try:
            yield seen
        finally:
            sqlalchemy.event.remove(sqlalchemy.Engine, "before_cursor_execute", note)

    return listening


# ------------------------------------------------------------------------------------------- one sandbox for all


THINNER = "AUTOGRADER_TESTS_UNCONFINED"


@pytest.fixture(scope="session")
def unavailable() -> Callable[[object], NoReturn]:
    """`unavailable(reason)` where this machine gives less isolation than a test needs.

    A skip would let a whole suite pass that tried nothing of what it is for, so on Linux that is a failure, unless
    whoever runs it says that it is known.
    """

    def stop(reason: object) -> NoReturn:
        if platform.system() != "Linux" or os.environ.get(THINNER):
            pytest.skip(str(reason))
        pytest.fail(
            f"this test needs isolation that this machine doesn't give: {reason}\n"
            f"Mend that (`autograder doctor` shows each layer), or set {THINNER}=1 to skip such tests.",
            pytrace=False,
        )

    return stop


@pytest.fixture(scope="session")
def sandbox(unavailable: Callable[[object], NoReturn]) -> Iterator[Any]:
    """The best sandbox of this machine, started once."""
    from autograder.remote.module_sandbox import ModuleSandbox
    from autograder.sandbox.errors import SandboxUnavailable

    try:
        started = ModuleSandbox()
        _ = started.level
    except SandboxUnavailable as reason:
        unavailable(reason)
    with started:
        yield started


class Borrowed:
    """A sandbox that its borrower can't close."""

    def __init__(self, lender: Any) -> None:
        self._lender = lender

    def __getattr__(self, name: str) -> Any:
        return getattr(self._lender, name)

    def close(self) -> None:
        pass


@pytest.fixture(scope="session")
def borrowed(sandbox: Any) -> Callable[..., Any]:
    """What can stand for the class `ModuleSandbox`: it gives the session's sandbox, whatever is asked for."""
    return lambda **options: Borrowed(sandbox)


@pytest.fixture
def shared_sandbox(sandbox: Any, borrowed: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Every worker of this test, an audit's too, uses the session's sandbox in place of one of its own."""
    monkeypatch.setattr("autograder.grading.worker.ModuleSandbox", borrowed)
    return sandbox
