"""Windows and macOS: what learners use works there, and grading says what it needs.

A stand-in for those systems: a process in which the Unix-only modules can't be imported and `sys.platform` is another.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Python = Callable[..., subprocess.CompletedProcess[str]]

ELSEWHERE = """
import sys

BLOCKED = {"resource", "fcntl", "pwd", "grp", "termios", "tty", "pty"} | {
    f"autograder.sandbox.{name}"
    for name in ("linux", "seccomp", "landlock", "namespaces", "confine", "zygote")
}


class Absent:
    def find_spec(self, name, path=None, target=None):
        if name in BLOCKED:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return None


import platform, os, subprocess, threading, asyncio, multiprocessing, tempfile, shutil  # the library's own choices stay
sys.meta_path.insert(0, Absent())
for name in BLOCKED:
    sys.modules.pop(name, None)
SYSTEM = {"win32": "Windows", "darwin": "Darwin"}[PLATFORM]
"""
PATCH = """
sys.platform = PLATFORM
platform.system = lambda: SYSTEM
import io
io._WindowsConsoleIO = type("WindowsConsoleIO", (), {})  # pytest looks for it on win32
"""


def elsewhere(platform: str, body: str) -> str:
    """Libraries are imported as they are for this system; the package under test is imported as if on another."""
    libraries = (
        "import torch, numpy, msgspec, pytest, typer, rich.console, jupytext, nbformat, sqlalchemy, pandas\n"
    )
    return f"PLATFORM = {platform!r}\n{ELSEWHERE}{libraries}{PATCH}{body}"


@pytest.fixture(params=["win32", "darwin"])
def there(
    request: pytest.FixtureRequest, python: Python, toy: Path
) -> Callable[..., subprocess.CompletedProcess[str]]:
    def run(body: str) -> subprocess.CompletedProcess[str]:
        return python(
            "-c",
            elsewhere(request.param, body),
            cwd=toy,
            env={"AUTOGRADER_LANG": "en", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        )

    return run


EVERYTHING = """
for name in BLOCKED:  # or the stand-in stands for nothing
    try:
        __import__(name)
    except ImportError:
        continue
    raise SystemExit(f"{name} can be imported")

import autograder
from autograder import check
assert callable(check)

import autograder.learn.pytest_plugin
from pathlib import Path
from autograder.course import Course
from autograder.learn.check import check_file
from autograder.learn.hidden import check_hidden

skeleton = Path("exercises/basics/affine.py")
text = skeleton.read_text(encoding="utf-8")
skeleton.write_text(text.replace('raise NotImplementedError("affine")', "return x * scale + shift"), encoding="utf-8")
exercise = Course.load(Path.cwd()).exercise("affine")
assert check_file(exercise, "en").score == 2, check_file(exercise, "en")
report = check_hidden(exercise, "en")
assert report.score == 6, report

import contextlib, io
from autograder.cli.main import run

def cli(*arguments):
    sys.argv = ["autograder", *arguments]
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2))
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            run()
            code = 0
        except SystemExit as ending:
            code = ending.code or 0
    texts = []
    for stream in (out, err):
        stream.flush()
        texts.append(stream.buffer.getvalue().decode())
    return code, *texts

code, out, err = cli("--help")
assert code == 0 and "learn" in out, (code, out, err)
code, out, err = cli("build", "extras")
assert code == 0 and "3 unchanged" in out, (code, out, err)
code, out, err = cli("notebooks", "extras")
assert code == 0 and Path("notebooks/extras/vowels.ipynb").is_file(), (code, out, err)
code, out, err = cli("check", "affine")
assert code == 1 and "2 of 4 points" in out, (code, out, err)
code, out, err = cli("list")
assert code == 0 and "begun, 6/12" in out, (code, out, err)
code, out, err = cli("hint")
assert code == 0 and "Hint 1 of 1, normalise" in out, (code, out, err)
code, out, err = cli("solution", "affine", "--give-up")
assert code == 0 and "return x * scale + shift" in out, (code, out, err)

from autograder.learn.warm import Checker

checker = Checker()
(answer,) = checker.run(exercise, "en")
assert "2 of 4 points" in answer.text and not answer.complete, answer
checker.close()

code, out, err = cli("reset", "affine")
assert code == 0 and len(list(Path(".autograder/kept/basics").iterdir())) == 1, (code, out, err)
skeleton.write_bytes(next(Path(".autograder/kept/basics").iterdir()).read_bytes())

Path("submissions/s001").mkdir(parents=True)
Path("submissions/s001/vowels.py").write_text("def vowels(text): return 3")
code, out, err = cli("grade", "submissions", "--only", "vowels")
assert code == 2, (code, out, err)
assert SYSTEM in err and "WSL2" in err and "Docker" in err and "--unsafe" in err, err
assert "Traceback" not in err
assert not out
code, out, err = cli("grade", "submissions", "--only", "vowels", "--unsafe", "--json")
assert code == 0 and '"isolation": "unsafe"' in out, (code, out, err)
Path("submissions/s001/vowels.py").write_text("def vowels(text): return 4")
code, out, err = cli("grade", "submissions", "--only", "vowels", "--unsafe", "--workers", "2")
assert code == 2 and "more than one worker needs Linux" in err and "Traceback" not in err, (code, out, err)
code, out, err = cli("doctor")
assert code == 1 and "WSL2" in out and "Traceback" not in err, (code, out, err)
code, out, err = cli("audit", "vowels")
assert code == 2 and "WSL2" in err, (code, out, err)

pytest.main(["-q", "-p", "autograder.learn.pytest_plugin", "--import-mode=importlib", "-p", "no:cacheprovider", "exercises"])
print("ALL DONE")
"""


def test_everything_a_learner_uses(there: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    done = there(EVERYTHING)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "ALL DONE" in done.stdout
    assert "basics/affine" in done.stdout
    assert "2/4" in done.stdout.replace(" ", "")


def test_text_files_are_read_as_utf_8() -> None:
    """On Windows the locale's encoding is another: every text file is opened with one named."""
    import ast

    import autograder

    package = Path(autograder.__file__).parent
    nameless = []
    for path in package.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
                continue
            named = "encoding" in {keyword.arg for keyword in node.keywords}
            # With an argument, read_text is importlib.metadata's, which is always UTF-8.
            own = node.func.attr == "write_text" or (node.func.attr == "read_text" and not node.args)
            if own and not named:
                nameless.append(f"{path.relative_to(package)}:{node.lineno}")
    nameless = [place for place in nameless if not place.startswith("sandbox/")]  # Linux only
    assert nameless in (
        [],
        [place for place in nameless if place.startswith("runner/in_process.py")],
    )  # /proc, Linux only
