"""A run that has nothing new to grade is a look into the gradebook: it loads, starts and asks nothing more."""

from __future__ import annotations

import platform
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

HandIn = Callable[..., Path]
VOWELS = "def vowels(text):\n    return sum(c in 'aeiou' for c in text)\n"
AFFINE = "def affine(x, scale, shift):\n    return x * scale + shift\n"

WATCHED = """
import atexit, subprocess, sys

class Watched(subprocess.Popen):
    def __init__(self, *arguments, **options):
        sys.exit("a process was started")

subprocess.Popen = Watched
heavy = {"torch", "numpy", "pandas", "pytest", "_pytest", "distributed"}
atexit.register(lambda: print("LOADED", *sorted(heavy & sys.modules.keys())))
from autograder.cli.main import run
run()
"""


@pytest.fixture
def command(toy: Path, hand_in: HandIn, tmp_path: Path) -> tuple[Any, ...]:
    """`grade` for the work of three students, one of whom handed in what can't be read."""
    for number in range(1, 3):
        hand_in(f"s{number:03}", {"vowels.py": f"# {number}\n{VOWELS}", "affine.py": f"# {number}\n{AFFINE}"})
    folder = hand_in("s003", {"vowels.py": "", "affine.py": AFFINE})
    return ("grade", folder, "--course", toy, "--gradebook", tmp_path / "book.db")


def test_it_loads_and_starts_nothing(
    cli: Callable[..., Any], python: Callable[..., Any], command: tuple[Any, ...], shared_sandbox: Any
) -> None:
    assert "5 graded, 0 known already, 1 could not be read" in cli(*command).err
    again = python("-c", WATCHED, *map(str, command))
    assert again.returncode == 0, again.stderr
    assert "0 graded, 5 known already, 1 could not be read" in again.stderr
    assert again.stdout.splitlines()[-1] == "LOADED"


def test_a_machine_without_isolation_may_look(
    cli: Callable[..., Any],
    command: tuple[Any, ...],
    hand_in: HandIn,
    shared_sandbox: Any,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """It is refused when something new must be graded, and before any of that is."""
    from autograder.gradebook import Gradebook

    assert cli(*command).code == 0
    monkeypatch.undo()  # a sandbox of its own
    monkeypatch.setattr(platform, "system", lambda: "Darwin")
    assert cli(*command).code == 0
    hand_in("s004", {"vowels.py": f"# 4\n{VOWELS}"})
    refused = cli(*command)
    assert refused.code == 2 and "run the grader on Linux" in refused.err
    with Gradebook(str(tmp_path / "book.db")) as book:
        assert ("s004", "extras/vowels") not in book.attempts()


def test_it_asks_once_for_all(
    cli: Callable[..., Any],
    command: tuple[Any, ...],
    hand_in: HandIn,
    statements: Callable[[], AbstractContextManager[list[str]]],
    shared_sandbox: Any,
) -> None:
    """As many questions to the gradebook for nine submissions as for five."""
    asked = []
    for _ in range(2):
        assert cli(*command).code == 0
        with statements() as seen:
            assert cli(*command).code == 0
        asked.append(len(seen))
        for number in range(5, 7):
            hand_in(f"s{number:03}", {"vowels.py": f"# {number}\n{VOWELS}", "affine.py": f"# {number}\n"})
    assert asked[0] == asked[1]


def test_work_that_is_handed_in_again_counts_again(
    cli: Callable[..., Any], command: tuple[Any, ...], hand_in: HandIn, shared_sandbox: Any, tmp_path: Path
) -> None:
    """What is known is not graded again; that it was handed in last is recorded."""
    from autograder.gradebook import Gradebook

    for source in (VOWELS, VOWELS.upper(), VOWELS):
        hand_in("s001", {"vowels.py": source})
        done = cli(*command, "--only", "vowels")
        assert done.code == 0
    assert "0 graded, 2 known already" in done.err
    with Gradebook(str(tmp_path / "book.db")) as book:
        history = book.attempts()["s001", "extras/vowels"]
    assert len(history) == 3
    assert history[0].result.key == history[2].result.key != history[1].result.key
