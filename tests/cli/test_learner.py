"""What a learner types: list, check without a name, hint, reset, solution; and the memory that these share."""

from __future__ import annotations

import json
import os
import re
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from autograder.course import Course, Exercise
from autograder.learn.states import where_to_begin
from autograder.platforms.publish import release
from autograder.platforms.selection import select

Cli = Callable[..., Any]
Edit = Callable[[Path, str, str], None]
AFFINE = ('raise NotImplementedError("affine")', "return x * scale + shift")
NORMALISE = (
    'raise NotImplementedError("normalise")',
    "return (x - x.mean(-1, True)) / x.std(-1, keepdim=True, correction=0)",
)
VOWELS = ('raise NotImplementedError("vowels")', "return 3")


@pytest.fixture(autouse=True)
def in_the_course(toy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(toy)


@pytest.fixture
def two_hints(toy: Path, edited: Edit) -> None:
    """A second step of help on `affine`."""
    fresh = '[[hint]]\nquestion = "affine"\nen = "Multiply first."\nzh = "先乘。"\n\n[[points]]\nquestion = "affine"'
    edited(toy / "exercises/basics/affine.toml", '[[points]]\nquestion = "affine"', fresh)


# ------------------------------------------------------------------------------------------- list


def rows(out: str) -> dict[str, list[str]]:
    """First word -> the cells of each row of a table."""
    cells = [re.split(r"\s{2,}", line.strip()) for line in out.splitlines() if line.strip("─ ")]
    return {row[0]: row[1:] for row in cells}


def test_list(cli: Cli, affine: Exercise, edited: Edit, shared_sandbox: Any) -> None:
    listed = rows(cli("list").out)
    assert listed["exercise"] == ["state", "minutes", "tier", "requires", "title"]
    assert listed["basics/affine"] == ["not begun", "20", "standard", "Affine maps"]
    edited(affine.skeleton, *AFFINE)
    assert rows(cli("list").out)["basics/affine"][0] == "begun"
    assert cli("check", "affine").out.endswith("A hint: autograder hint basics/affine\n")
    assert rows(cli("list").out)["basics/affine"][0] == "begun, 2/4"
    edited(affine.skeleton, *NORMALISE)
    assert rows(cli("list").out)["basics/affine"][0] == "begun, changed since the last test"
    cli("check", "affine")
    assert rows(cli("list", "--lang", "zh").out)["basics/affine"][0] == "公开测试通过，4/4"
    cli("check", "affine", "--hidden")
    assert rows(cli("list").out)["basics/affine"][0] == "complete"
    assert list(rows(cli("list", "extras").out)) == list(rows(cli("list", "--unit", "extras").out))
    assert "basics/affine" not in cli("list", "--unit", "extras").out
    (row, other) = json.loads(cli("list", "--json").out)["exercises"]
    assert (row["exercise"], row["state"], row["score"], row["max_score"]) == (
        "basics/affine",
        "complete",
        12,
        12,
    )
    assert (row["minutes"], row["tier"], row["requires"], row["changed"]) == (20, "standard", [], False)
    assert other["state"] == "not_begun" and other["score"] is None


def test_a_quiz_in_the_list(cli: Cli, quiz: Exercise) -> None:
    answered = quiz.skeleton.read_text(encoding="utf-8").replace("comes_first = ...", 'comes_first = "z"')
    quiz.skeleton.write_text(answered, encoding="utf-8")
    cli("check", "basics/quiz")
    assert rows(cli("list").out)["basics/quiz"][0] == "begun"
    assert "There are no more hints on comes_first." in cli("hint").out
    quiz.skeleton.write_text(quiz.solution.read_text(encoding="utf-8"), encoding="utf-8")
    cli("check", "basics/quiz")
    assert rows(cli("list").out)["basics/quiz"][0] == "public tests pass"


def test_a_large_course_is_listed_by_unit(
    cli: Cli, affine: Exercise, edited: Edit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("autograder.cli.learner.BY_EXERCISE", 1)
    edited(affine.skeleton, *AFFINE)
    out = cli("list").out
    assert rows(out)["basics"] == ["Basics", "0/1", "1", "20", "affine"]
    assert "One unit's exercises: autograder list basics" in out
    assert "basics/affine" in cli("list", "basics").out


def test_progress_may_be_lost_or_damaged(cli: Cli, toy: Path, affine: Exercise, edited: Edit) -> None:
    edited(affine.skeleton, *AFFINE)
    cli("check", "affine")
    file = toy / ".autograder/progress.json"
    for damaged in (b"{", b"\xff\xfe", b'{"exercises": 3}', b""):
        file.write_bytes(damaged)
        assert rows(cli("list").out)["basics/affine"][0] == "begun"
    assert cli("check", "affine").code == 1
    assert rows(cli("list").out)["basics/affine"][0] == "begun, 2/4"
    shutil.rmtree(toy / ".autograder")
    assert rows(cli("list").out)["basics/affine"][0] == "begun"
    (toy / ".autograder").write_text("in the way")  # and where it can't be written
    assert "2 of 4 points" in cli("check", "affine").out


def test_progress_is_no_part_of_the_repository(cli: Cli, toy: Path) -> None:
    cli("check", "affine")
    assert (toy / ".autograder/.gitignore").read_text() == "*\n"


# ------------------------------------------------------------------------------------------- the last worked on


def saved(exercise: Exercise, seconds: float) -> None:
    """As if the file had been saved so many seconds from now."""
    at = time.time() + seconds
    os.utime(exercise.skeleton, (at, at))


def test_check_without_a_name(cli: Cli, affine: Exercise, vowels: Exercise, edited: Edit) -> None:
    said = cli("check")
    assert said.code == 2
    assert "no exercise was worked on yet; name one: basics/affine" in said.err
    edited(vowels.skeleton, *VOWELS)
    saved(vowels, -100)
    saved(affine, -1)  # later, but as it was given out
    assert cli("check").out.startswith("extras/vowels  1 of 1")
    edited(affine.skeleton, *AFFINE)
    saved(affine, 10)
    assert cli("check").out.startswith("basics/affine  2 of 4")
    saved(affine, -50)
    cli("check", "vowels")
    assert cli("check").out.startswith("extras/vowels")


def test_learn_begins_where_the_learner_left_off(
    cli: Cli, toy_course: Course, affine: Exercise, vowels: Exercise, edited: Edit, shared_sandbox: Any
) -> None:
    assert where_to_begin(toy_course) == affine
    edited(affine.skeleton, *AFFINE)
    edited(affine.skeleton, *NORMALISE)
    cli("check", "affine")
    assert where_to_begin(toy_course) == affine  # hidden tests decide
    cli("check", "affine", "--hidden")
    assert where_to_begin(toy_course) == vowels


# ------------------------------------------------------------------------------------------- what public tests mean


def test_public_tests_are_only_a_part(
    cli: Cli, toy: Path, vowels: Exercise, edited: Edit, shared_sandbox: Any
) -> None:
    edited(vowels.skeleton, *VOWELS)
    said = cli("check", "vowels")
    assert said.code == 0
    assert "All public tests pass. Hidden tests decide: autograder check extras/vowels --hidden" in said.out
    assert "omplete" not in said.out
    hidden = cli("check", "vowels", "--hidden")
    assert hidden.code == 1 and "omplete" not in hidden.out
    vowels.skeleton.write_bytes((toy / "solutions/extras/vowels.py").read_bytes())
    assert "Complete: all tests pass, the hidden ones, too." in cli("check", "vowels", "--hidden").out
    shutil.rmtree(toy / "solutions")
    assert "They are only a part: hidden tests decide." in cli("check", "vowels").out
    assert "最终由隐藏测试决定" in cli("check", "vowels", "--lang", "zh").out


# ------------------------------------------------------------------------------------------- hint


@pytest.mark.usefixtures("two_hints")
def test_hints_follow_what_fails_one_step_after_each_changed_attempt(
    cli: Cli, affine: Exercise, edited: Edit
) -> None:
    first, second = (
        "Hint 1 of 2, affine: Which of the two comes first?",
        "Hint 2 of 2, affine: Multiply first.",
    )
    again = "The next hint comes after an attempt that differs from this one."
    assert cli("hint", "affine").out == f"{first}\n"
    assert cli("hint").out == f"{first}\n{again}\n"
    edited(affine.skeleton, AFFINE[0], "return x  # a comment changes nothing")
    assert cli("hint").out == f"{first}\n{second}\n"
    assert cli("hint").out == f"{first}\n{second}\n"
    edited(affine.skeleton, "return x  # a comment changes nothing", "return x + 1")
    said = cli("hint", "--lang", "zh").out
    assert "affine 没有更多提示了，可以看看讲义：course/basics/affine.zh.md" in said
    edited(affine.skeleton, "return x + 1", AFFINE[1])
    assert cli("hint").out == "Hint 1 of 1, normalise: What does a row's mean become when you subtract it?\n"


def test_what_was_begun_comes_first(cli: Cli, affine: Exercise, edited: Edit) -> None:
    edited(affine.skeleton, NORMALISE[0], "return x")
    assert cli("hint", "affine").out.startswith("Hint 1 of 1, normalise")


def test_hints_on_what_hidden_tests_find(
    cli: Cli, vowels: Exercise, edited: Edit, shared_sandbox: Any
) -> None:
    edited(vowels.skeleton, *VOWELS)
    assert cli("hint").out == "Hint 1 of 1, vowels: Look at the upper case.\n"


def test_no_hint_where_nothing_fails_or_loads(
    cli: Cli, toy: Path, affine: Exercise, vowels: Exercise, edited: Edit, shared_sandbox: Any
) -> None:
    vowels.skeleton.write_bytes((toy / "solutions/extras/vowels.py").read_bytes())
    assert cli("hint", "vowels").out == "Nothing fails, so there is no hint to give.\n"
    edited(affine.skeleton, AFFINE[0], "return x *")
    assert cli("hint", "affine").out.startswith("Your file can't be loaded.")


# ------------------------------------------------------------------------------------------- reset


def test_reset_keeps_what_was_there(cli: Cli, toy: Path, affine: Exercise, edited: Edit) -> None:
    given = affine.skeleton.read_bytes()
    assert "as it was given out; nothing was done" in cli("reset", "affine").out
    kept = []
    for work in ("return x", "return x + 1"):
        edited(affine.skeleton, AFFINE[0], work)
        mine = affine.skeleton.read_bytes()
        said = cli("reset", "affine")
        copy = toy / re.search(r"is kept in (\S+)", said.out)[1]  # type: ignore[index]
        assert re.fullmatch(r"affine\.\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d(_2)?\.py", copy.name)
        assert copy.read_bytes() == mine
        assert affine.skeleton.read_bytes() == given
        kept.append(copy)
    assert len(set(kept)) == 2 and all(copy.is_file() for copy in kept)
    affine.skeleton.unlink()
    assert "is there again" in cli("reset", "affine").out
    assert affine.skeleton.read_bytes() == given


def test_reset_in_a_released_tree(
    cli: Cli, toy_course: Course, tmp_path: Path, edited: Edit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There are no solutions to make the skeleton from; the notebook is given back, too, in its own language."""
    out = tmp_path / "out"
    release(select(toy_course, None, "zh"), "plain", out)
    monkeypatch.chdir(out)
    files = [out / "exercises/basics/affine.py", out / "notebooks/basics/affine.ipynb"]
    given = [file.read_bytes() for file in files]
    for file in files:
        edited(file, AFFINE[0].replace('"', '\\"') if file.suffix == ".ipynb" else AFFINE[0], "return x")
    mine = {file.read_bytes() for file in files}
    assert cli("reset", "affine", "--lang", "en").out.count("is kept in") == 2
    assert [file.read_bytes() for file in files] == given
    assert {file.read_bytes() for file in (out / ".autograder/kept/basics").iterdir()} == mine
    (out / "exercises/skeletons.zip").unlink()
    edited(files[0], AFFINE[0], "return x")
    said = cli("reset", "affine")
    assert said.code == 2 and "take" in said.err and "affine.py back from what was given to you" in said.err
    assert "return x" in files[0].read_text(encoding="utf-8")


# ------------------------------------------------------------------------------------------- solution


def test_solution(cli: Cli, toy: Path, affine: Exercise, edited: Edit, shared_sandbox: Any) -> None:
    said = cli("solution", "affine")
    assert said.code == 2 and said.out == ""
    assert "does not have all points yet" in said.err and "--give-up" in said.err
    given_up = cli("solution", "affine", "--give-up")
    assert given_up.code == 0
    assert "return x * scale + shift" in given_up.out and "BEGIN SOLUTION" not in given_up.out
    compile(given_up.out, "solution", "exec")
    edited(affine.skeleton, *AFFINE)
    edited(affine.skeleton, *NORMALISE)
    cli("check", "affine")
    assert cli("solution", "affine").code == 2
    cli("check", "affine", "--hidden")
    assert cli("solution", "affine").out == given_up.out
    edited(affine.skeleton, AFFINE[1], "return x")
    assert cli("solution", "affine").code == 2
    shutil.rmtree(toy / "solutions")
    said = cli("solution", "affine", "--give-up", "--lang", "zh")
    assert said.code == 2 and "发放的文件里不含答案" in said.err


def test_what_runs_no_test_imports_no_torch(python: Callable[..., Any], toy: Path) -> None:
    """`list`, and the process in which `learn` waits for keys, begin at once."""
    source = (
        "import sys\nfrom autograder.cli.main import run\nimport autograder.learn.watch\n"
        "sys.argv = ['autograder', 'list']\nrun()\nsys.exit('torch' in sys.modules)\n"
    )
    done = python("-c", source.replace("run()\n", "try:\n    run()\nexcept SystemExit:\n    pass\n"), cwd=toy)
    assert done.returncode == 0, done.stderr
    assert "basics/affine" in done.stdout
