"""No line that `grade` prints is a command to GitHub's runner, and no name floods the terminal."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from autograder.cli.common import Speaker, console
from autograder.cli.progress_bar import GradingProgress

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


def test_a_name_that_is_markup() -> None:
    """The progress bar shows it; it used to end the run."""
    screen = console(stderr=True)
    with screen.capture() as shown, GradingProgress(screen, 1, Speaker(None)) as progress:
        progress._bars.update(progress._new, description="[/b]  vowels")
        screen.print(progress._bars.get_renderable())
    assert "[/b]  vowels" in shown.get()


# What a terminal obeys: colours, a window's title, the clipboard, C1 controls, a line written over; and what turns text around.
OBEYED = "\x1b[2J\x1b]0;owned\x07\x1b]52;c;b3duZWQ=\x07\x9b31m\x08\x7f\r\u202eeurt\u2066\u200b\u2028"
BAD = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b\u2028\u2029\u202a-\u202e\u2066-\u2069]")
SPOKEN = {
    "an exception's text": "def vowels(text):\n    raise ValueError(SAID)\n",
    "an exception's class": "def vowels(text):\n    raise type('E' + SAID, (ValueError,), {'__qualname__': SAID})(SAID)\n",
    "a docstring and a name": f'def vowels(text):\n    """{OBEYED}"""\n    return type(SAID, (), {{}})()\nvowels.__name__ = vowels.__doc__ = SAID\n'.replace("\r", ""),
    "an answer": "def vowels(text):\n    return SAID\n",
    "output": "import os\nprint(SAID)\nos.write(2, SAID.encode())\ndef vowels(text):\n    print(SAID)\n    return 0\n",
    "a file that does not load": f"raise ValueError(SAID)  # {OBEYED}\n".replace("\r", "").replace("\u2028", ""),
    "a missing module": "raise ModuleNotFoundError(f\"No module named '{SAID}'\")\n",
    "no Python": f"def vowels(text: {OBEYED}\n".replace("\r", ""),
}  # fmt: skip


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_no_terminal_obeys_a_student(
    cli: Callable[..., Any], toy: Path, tmp_path: Path, shared_sandbox: Any, lang: str
) -> None:
    """Nothing that a student chose reaches it but as plain characters: what their code says, and what their files are called."""
    work = tmp_path / "work"
    for number, (name, source) in enumerate(SPOKEN.items()):
        folder = work / f"{number}{name if number % 2 else OBEYED}"
        folder.mkdir(parents=True)
        (folder / "vowels.py").write_text(f"SAID = {OBEYED!r}\n{source}", encoding="utf-8")
        (folder / f"my_affine{OBEYED}\nx.py").write_text("x = 1")
        (folder / f"{OBEYED}.ipynb").write_text("{}")
    where = ("--gradebook", tmp_path / "book.db", "--course", toy, "--lang", lang)
    said = [cli("grade", work, *where), cli("grade", work, *where), cli("gradebook", "show", *where)]
    students = [folder.name for folder in work.iterdir()]
    said += [cli("gradebook", "show", "--student", student, *where) for student in students]
    assert "vowels" in said[0].out + said[0].err
    for one in said:
        found = BAD.findall(one.out + one.err)
        assert found == [], repr((one.out + one.err)[:3000])
