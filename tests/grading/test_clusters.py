"""Failures that no misconception explains: grouped in the report, and drafts of misconceptions of them."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from autograder.audit.form import hint_problems
from autograder.course import Course

Cli = Callable[..., Any]

Y_COUNTS = 'def vowels(text):\n    return sum(letter in "aeiouy" for letter in text.lower())\n'
# The same mistake, otherwise written, and by two students alike.
Y_COUNTS_TOO = 'def vowels(text):\n    n = 0\n    for letter in text.lower():\n        n += letter in "yuoiea"\n    return n\n'
NO_U = 'def vowels(text):\n    return sum(map(text.lower().count, "aeio"))\n'  # another one, once
# A third one, by two. The reference imports no `re`, so that no edit of its lines alone does the same.
W_COUNTS = 'import re\ndef vowels(text):\n    return len(re.findall("[aeiouwyln]", text.lower()))\n'
KNOWN = 'def vowels(text):\n    return sum(letter in "aeiou" for letter in text)\n'
RIGHT = 'def vowels(text):\n    return sum(map(text.lower().count, "aeiou"))\n'
BROKEN = "def vowels(text:\n"


@pytest.fixture
def submissions(hand_in: Callable[..., Path], sandbox: Any) -> Path:
    answers = (Y_COUNTS, Y_COUNTS_TOO, Y_COUNTS_TOO, W_COUNTS, W_COUNTS, NO_U, KNOWN, RIGHT, BROKEN)
    for number, source in enumerate(answers):
        folder = hand_in(f"s{number}", {"vowels.py": source})
    return folder


def test_a_draft_for_each_group(cli: Cli, toy: Path, submissions: Path, tmp_path: Path) -> None:
    out = tmp_path / "drafts"
    learn = ("audit", "extras/vowels", "--learn", submissions, "--out", out, "--course", toy)
    said = cli(*learn)
    assert said.code == 0, said.err
    (path,) = out.glob("*.toml")
    text = path.read_text(encoding="utf-8")
    assert [line for line in text.splitlines() if " fail " in line] == [
        "# 3 submissions fail test_vowels.",
        "# 2 submissions fail test_word, test_vowels.",
    ]
    draft, other = tomllib.loads(text)["misconception"]
    assert (draft["caught"], draft["name"]) == ("test_vowels", "unnamed_1")
    spec = toy / "solutions/extras/vowels.toml"
    solution = (toy / "solutions/extras/vowels.py").read_text(encoding="utf-8")
    assert (
        "aeiouy" in solution.replace(draft["replace"], draft["with"])
        and solution.count(draft["replace"]) == 1
    )
    # An edit that does not behave as they do is none; the difference is told.
    assert other["replace"] == "TO BE WRITTEN" and "#   +    return len(re.findall(" in text
    # The course is as it was; with the draft in it, the audit refuses it until its blanks are filled.
    before = spec.read_text(encoding="utf-8")
    assert "unnamed" not in before
    text = text[: text.index("# 2 submissions")]
    spec.write_text(f"{before}\n{text}", encoding="utf-8")
    (problem,) = hint_problems(Course.load(toy).exercise("extras/vowels").spec)
    assert "unnamed_1" in problem and "draft" in problem
    filled = text.replace("unnamed_1", "y_counts").replace("TO BE WRITTEN", "Y is none here.")
    spec.write_text(f"{before}\n{filled}", encoding="utf-8")
    assert not hint_problems(Course.load(toy).exercise("extras/vowels").spec)
    # Now that it is known, it is no proposal any more.
    said = cli(*learn[:-3], tmp_path / "again", *learn[-2:])
    assert said.code == 0, said.err
    (path,) = (tmp_path / "again").glob("*.toml")
    assert (
        "y_counts" not in path.read_text(encoding="utf-8")
        and path.read_text(encoding="utf-8").count("unnamed_") == 1
    )


def test_no_draft_lands_in_the_course(cli: Cli, toy: Path, submissions: Path) -> None:
    said = cli("audit", "extras", "--learn", submissions, "--out", toy / "solutions/extras", "--course", toy)
    assert said.code == 2 and "solutions" in said.err
    said = cli("audit", "extras", "--learn", submissions, "--course", toy)
    assert said.code == 2 and "--out" in said.err


def test_groups_in_the_report(cli: Cli, toy: Path, submissions: Path, tmp_path: Path) -> None:
    book, out = tmp_path / "book.db", tmp_path / "out"
    assert cli("grade", submissions, "--course", toy, "--gradebook", book).code == 0
    said = cli("report", out, "--gradebook", book, "--course", toy, "--cluster", submissions)
    assert said.code == 0, said.err
    page = (out / "assignment-week1.html").read_text(encoding="utf-8")
    assert "Group 1, submissions: 3" in page and "Group 3, submissions: 1" in page and "Group 4" not in page
    assert "aeiouy" in page and "solutions/extras/vowels.py" in page
    assert (out / "clusters.csv").read_text(encoding="utf-8").count("extras/vowels") >= 2
