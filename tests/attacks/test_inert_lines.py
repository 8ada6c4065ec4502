"""No line that `grade` prints is a command to GitHub's runner, and no name floods the terminal."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from autograder.cli.common import Speaker, console
from autograder.cli.progress_bar import GradingProgress
from autograder.sandbox.errors import SandboxUnavailable

COMMAND = re.compile(r"^\W*::|##\[", re.MULTILINE)


@pytest.mark.parametrize("width", [30, 47, 80])
def test_grade(
    cli: Callable[..., Any],
    toy: Path,
    tmp_path: Path,
    shared_sandbox: Any,
    monkeypatch: pytest.MonkeyPatch,
    width: int,
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    work = tmp_path / "work"
    for student in ("::error::s1", "##[error]s2", "s3 " + "::add-mask::x " * 12):
        deep = work / student / Path(*["::stop-commands::x " * 10] * 12)
        deep.mkdir(parents=True)
        (deep / "vowels.py").write_text("")
        (deep / "my_affine.py").write_text("x = 1")
        (work / student / "big ::error::x.zip").write_text("no zip")
    where = ("--gradebook", tmp_path / "book.db", "--course", toy)
    for arguments in (("grade", work, *where), ("gradebook", "show", *where)):
        said = cli(*arguments)
        assert said.code == 0, said.err
        assert "error" in said.out
        for stream in (said.out, said.err):
            marked = re.findall(r"^│ \W*::.*$", stream, re.MULTILINE)
            rest = "\n".join(line for line in stream.splitlines() if line not in marked)
            assert not COMMAND.search(rest), rest
    assert "is empty. Save your work" in " ".join(cli("grade", work, *where).err.split())
    assert len(cli("grade", work, *where).err) < 3000  # the three paths alone have 7,000


@pytest.mark.parametrize("said", ["::add-mask::x", "a path\n::error::x", "##[error]x", "\x1b[2J::x::"])
def test_no_sandbox(
    cli: Callable[..., Any],
    toy: Path,
    hand_in: Callable[..., Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    said: str,
) -> None:
    """Why there is none may quote a path."""

    def refuse(**options: object) -> Any:
        raise SandboxUnavailable(said, said)

    monkeypatch.setattr("autograder.grading.worker.ModuleSandbox", refuse)
    folder = hand_in("s001", {"vowels.py": "def vowels(text): return 3"})
    ended = cli("grade", folder, "--course", toy, "--gradebook", tmp_path / "book.db")
    assert ended.code == 2 and "doctor" in ended.err
    assert not COMMAND.search(re.sub(r"^│ .*", "", ended.err, flags=re.MULTILINE))
    assert "\x1b" not in ended.err


def test_a_name_that_is_markup() -> None:
    """The progress bar shows it; it used to end the run."""
    screen = console(stderr=True)
    with screen.capture() as shown, GradingProgress(screen, 1, Speaker(None)) as progress:
        progress._bars.update(progress._new, description="[/b]  vowels")
        screen.print(progress._bars.get_renderable())
    assert "[/b]  vowels" in shown.get()
