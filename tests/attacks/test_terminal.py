"""Terminal: colours, titles, the clipboard or text that runs backwards, from a file's name or from what code says of itself."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

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
