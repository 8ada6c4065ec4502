"""A score is told against the version of the exercise that it was graded with."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from autograder.course import Course
from autograder.gradebook import Gradebook
from autograder.gradebook.scores import current_scores
from autograder.grading.scheme import scheme_of

Cli = Callable[..., Any]
Edit = Callable[[Path, str, str], None]
GOOD = "def vowels(text):\n    return sum(text.lower().count(c) for c in 'aeiou')\n"
LOWER = "def vowels(text):\n    return sum(c in 'aeiou' for c in text)\n"  # loses the hidden test
AGAIN = "`autograder grade SUBMISSIONS` again"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "book.db"


@pytest.fixture
def grade(cli: Cli, toy: Path, place: Path, shared_sandbox: Any) -> Callable[[Path], Any]:
    def run(folder: Path) -> Any:
        said = cli("grade", folder, "--course", toy, "--gradebook", place, "--only", "extras")
        assert said.code == 0, said.err
        return said

    return run


@pytest.fixture
def book(cli: Cli, toy: Path, place: Path) -> Cli:
    """`book("show", ...)`: what a gradebook command says."""
    return lambda *arguments: cli("gradebook", *arguments, "--course", toy, "--gradebook", place)


def change_points(toy: Path, edited: Edit, cli: Cli, old: int, new: int) -> None:
    """Make the hidden test of `extras/vowels` worth something else."""
    edited(toy / "solutions/extras/test_vowels.py", f"points({old})", f"points({new})")
    assert cli("build", "extras/vowels", "--course", toy).code == 0


def policy_best(toy: Path) -> None:
    with (toy / "course/course.toml").open("a") as file:
        file.write('\n[policy]\nattempts = "best"\n')


def cells(shown: str) -> dict[str, list[str]]:
    """The first word of each row of a grade table -> its cells."""
    lines = [[cell.strip() for cell in line.split("│")] for line in shown.splitlines() if "│" in line]
    return {line[0]: line[1:] for line in lines}


@pytest.fixture
def changed(
    toy: Path, hand_in: Callable[..., Path], grade: Callable[[Path], Any], edited: Edit, cli: Cli
) -> Path:
    """A class of two with full marks under the policy `best`, and then the exercise is worth less; the submissions."""
    policy_best(toy)
    hand_in("s001", {"vowels.py": GOOD})
    folder = hand_in("s002", {"vowels.py": f"{GOOD}# mine\n"})
    grade(folder)
    change_points(toy, edited, cli, 3, 2)
    return folder


@pytest.mark.parametrize("policy", ["latest", "best"])
def test_a_partial_regrade(
    toy: Path,
    changed: Path,
    grade: Callable[[Path], Any],
    book: Cli,
    tmp_path: Path,
    edited: Edit,
    policy: str,
) -> None:
    edited(toy / "course/course.toml", '"best"', f'"{policy}"')
    both = book("show").out
    assert cells(both)["s001"] == cells(both)["s002"] == ["–", "4/4~", "4/16"]
    part = tmp_path / "part"
    shutil.copytree(changed / "s001", part / "s001")
    grade(part)
    shown = book("show").out
    assert "/12 " in shown and "/3 " in shown and "/15 " in shown
    assert cells(shown)["s001"] == ["–", "3", "3"]
    assert cells(shown)["s002"] == ["–", "4/4~", "4/16"]
    told = " ".join(shown.split())
    assert "~ Scores of s002 were graded with another version" in told and AGAIN in told
    assert "1 graded, 1 known already" in grade(changed).err
    assert "~" not in book("show").out and AGAIN not in book("show").out
    assert cells(book("show").out)["s002"] == ["–", "3", "3"]


def test_one_student(changed: Path, grade: Callable[[Path], Any], book: Cli, place: Path) -> None:
    with Gradebook(str(place)) as opened:
        bundle = opened.attempts()["s001", "extras/vowels"][0].result.bundle
    old = book("show", "--student", "s001").out
    assert "extras/vowels  4/4" in old and f"with version {bundle[:8]}" in old and AGAIN in old
    assert "再次运行 `autograder grade 提交目录`" in book("show", "--student", "s001", "--lang", "zh").out
    grade(changed)
    new = book("show", "--student", "s001").out
    assert "extras/vowels  3/3" in new and bundle[:8] not in new and AGAIN not in new


def test_exports(changed: Path, grade: Callable[[Path], Any], book: Cli, tmp_path: Path) -> None:
    (row, _) = json.loads(book("show", "--json").out)["results"]
    assert (row["standing"], row["standing_max_score"], row["stale"]) == (4.0, 4.0, True)
    assert row["bundle"] == row["standing_bundle"] != ""
    for per in ("student", "exercise", "test"):
        said = book("export", tmp_path / f"{per}.csv", "--per", per)
        assert AGAIN in said.err.replace("\n", " ")
        with (tmp_path / f"{per}.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        assert {row["stale"] for row in rows} == {"extras/vowels" if per == "student" else "True"}
    assert rows[0]["student"] == "s001"
    for name in ("canvas", "moodle", "junit", "ctrf"):
        said = book("export", tmp_path / name, "--format", name)
        assert AGAIN in said.err.replace("\n", " ")
    grade(changed)
    assert AGAIN not in book("export", tmp_path / "student.csv").err
    assert not any(row["stale"] for row in json.loads(book("show", "--json").out)["results"])


def test_best_compares_one_version_only(
    toy: Path, hand_in: Callable[..., Path], changed: Path, grade: Callable[[Path], Any], book: Cli
) -> None:
    """Full marks of an older version are not compared with fewer of the current one, nor forgotten."""
    hand_in("s001", {"vowels.py": LOWER})
    grade(changed)
    assert cells(book("show").out)["s001"] == ["–", "1~", "1"]
    one = " ".join(book("show", "--student", "s001").out.split())
    assert "extras/vowels 1/3" in one
    assert (
        "s001/vowels.py of 20" in one
        and "earned 4/4 with another version" in one
        and "is not compared" in one
    )
    hand_in("s001", {"vowels.py": GOOD})
    grade(changed)
    assert cells(book("show").out)["s001"] == ["–", "3", "3"]
    hand_in("s001", {"vowels.py": LOWER})
    grade(changed)
    assert cells(book("show").out)["s001"] == ["–", "3", "3"]


def test_an_unreadable_file_takes_no_older_points_away(
    toy: Path, hand_in: Callable[..., Path], changed: Path, grade: Callable[[Path], Any], book: Cli
) -> None:
    hand_in("s001", {"vowels.py": ""})
    grade(changed)
    assert cells(book("show").out)["s001"] == ["–", "4/4~", "4/16"]


def test_without_a_course(
    changed: Path, cli: Cli, place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is known to be out of date; it says with which version it was graded."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    show = ("gradebook", "show", "--gradebook", place)
    said = cli(*show)
    assert said.code == 0, said.err
    assert cells(said.out) == {"s001": ["4", "4"], "s002": ["4", "4"]}
    assert (
        "/4 " in said.out and "extras/vowels" in said.out and "4/4~" not in said.out and AGAIN not in said.out
    )
    one = cli(*show, "--student", "s001").out
    assert "extras/vowels  4/4" in one and "with version" in one and "~" not in one
    assert json.loads(cli(*show, "--json").out)["results"][0]["stale"] is False
    assert cli(*show, "--course", elsewhere).code == 2


def test_without_solutions(changed: Path, toy: Path, book: Cli) -> None:
    """What students have does not tell which version is current."""
    shutil.rmtree(toy / "solutions")
    shown = book("show").out
    assert cells(shown)["s001"] == ["–", "4/4", "4/16"] and AGAIN not in shown


def test_show_loads_no_torch(changed: Path, python: Callable[..., Any], toy: Path, place: Path) -> None:
    source = (
        "import sys; sys.argv = ['autograder', 'gradebook', 'show', '--gradebook', sys.argv[1]]\n"
        "from autograder.cli.main import run\n"
        "try:\n    run()\nexcept SystemExit:\n    pass\n"
        "print({'torch', 'numpy', 'pytest'} & set(sys.modules))"
    )
    done = python("-c", source, str(place), cwd=toy)
    assert "4/4~" in done.stdout and done.stdout.endswith("set()\n"), done.stderr


def test_a_student_s_score_knows_its_version(changed: Path, toy: Path, place: Path) -> None:
    with Gradebook(str(place)) as book:
        score = current_scores(book, scheme_of(book, Course.load(toy)))["s001", "extras/vowels"]
    assert (score.score, score.max_score, score.stale) == (4.0, 4.0, True)
