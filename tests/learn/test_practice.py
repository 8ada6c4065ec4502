"""`autograder debug` and `autograder write-tests`, as a learner uses them."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from autograder.course import Course, Exercise
from autograder.grading.planted import changes, is_small, kind_of, plant
from autograder.learn.journal import read_journal
from autograder.remote.module_sandbox import ModuleSandbox
from autograder.runner.tester import PROGRAM

ROOT = Path(__file__).resolve().parents[2]
Cli = Callable[..., "Said"]  # type: ignore[name-defined]  # noqa: F821


@pytest.fixture(scope="module")
def testers() -> Iterator[ModuleSandbox]:
    with ModuleSandbox(PROGRAM) as started:
        yield started


@pytest.fixture(autouse=True)
def started_once(shared_sandbox: Any, testers: ModuleSandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """No command starts a sandbox of its own, and no loop takes long."""
    monkeypatch.setattr("autograder.grading.own_tests.SECONDS", 2.0)
    lent = SimpleNamespace(open=testers.open, close=lambda: None)
    monkeypatch.setattr("autograder.grading.own_tests.ModuleSandbox", lambda program, **options: lent)


@pytest.fixture
def solved(affine: Exercise, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> Exercise:
    """The toy exercise with all points."""
    monkeypatch.chdir(affine.root)
    affine.skeleton.write_bytes(affine.solution.read_bytes())
    assert cli("check", affine.id, "--hidden").code == 0
    return affine


def planted_line(exercise: Exercise) -> tuple[int, str, str]:
    """Where the file given out differs from the reference: its line, what stands there, and what should."""
    right = exercise.solution.read_text().splitlines()
    for number, line in enumerate(exercise.debugged.read_text().splitlines(), 1):
        if line.strip() and not line.startswith("#") and line not in right:
            name = read_journal(exercise.root).entry(exercise).bugs[-1].mistake
            mistake = next(m for m in exercise.spec.misconception if m.name == name)
            return number, line, line.replace(mistake.changes[0].with_, mistake.changes[0].replace)
    raise AssertionError("nothing was planted")


def test_the_way_of_a_bug(solved: Exercise, cli: Cli) -> None:
    begun = cli("debug", solved.id)
    assert begun.code == 0
    assert "A public test shows it" in begun.out
    assert not any(m.hint.en in begun.out for m in solved.spec.misconception)
    number, wrong, right = planted_line(solved)
    assert cli("debug", solved.id, "--line", 1).code == 1
    assert cli("debug", solved.id, "--line", number).code == 0
    assert "is still in" in cli("debug", solved.id).out
    text = solved.debugged.read_text()
    solved.debugged.write_text(text.replace(wrong, wrong + "  # here?"))
    still = cli("debug", solved.id)
    assert still.code == 1
    assert "These tests fail" in still.out
    solved.debugged.write_text(text.replace(wrong, right))
    mended = cli("debug", solved.id)
    assert mended.code == 0
    assert "Found and mended" in mended.out
    (bug,) = read_journal(solved.root).entry(solved).bugs
    assert (bug.found_at_once, bug.ended) == (False, "mended")
    assert "1" in cli("debug").out


def test_a_new_text_is_no_mend(solved: Exercise, cli: Cli) -> None:
    """All tests pass, and the learner has found nothing."""
    cli("debug", solved.id)
    other = "import torch\n\n\ndef affine(x, scale, shift):\n    y = scale * x\n    z = shift\n    return y + z\n\n\n"
    other += "def normalise(x):\n    m = x.mean(-1, keepdim=True)\n    d = x - m\n    return d / (d * d).mean(-1, keepdim=True) ** 0.5\n"
    solved.debugged.write_text(other)
    said = cli("debug", solved.id)
    assert said.code == 1
    assert "more was changed than the mistake" in said.out


def test_giving_up_shows_it(solved: Exercise, cli: Cli) -> None:
    cli("debug", solved.id)
    number, _, _ = planted_line(solved)
    shown = cli("debug", solved.id, "--give-up")
    assert f"line {number} " in shown.out
    assert "The hint of" in shown.out
    assert cli("debug", solved.id, "--line", 1).code == 2
    first = solved.debugged.read_text()
    assert "Which line" in cli("debug", solved.id).out  # another one
    assert solved.debugged.read_text() != first
    (kept,) = (solved.root / ".autograder/kept/basics").glob("debug_affine.*.py")
    assert kept.read_text() == first


def test_every_mistake_comes_once_before_one_comes_again(solved: Exercise, cli: Cli) -> None:
    for _ in solved.spec.misconception:
        cli("debug", solved.id)
        cli("debug", solved.id, "--give-up")
    names = [bug.mistake for bug in read_journal(solved.root).entry(solved).bugs]
    assert sorted(names) == sorted(m.name for m in solved.spec.misconception)


def test_a_mistake_that_public_tests_do_not_show(solved: Exercise, cli: Cli) -> None:
    said = cli("debug", solved.id, "--level", 2)
    assert "All public tests pass" in said.out or "A public test shows it" in said.out
    name = read_journal(solved.root).entry(solved).bugs[-1].mistake
    solved.skeleton.write_text(
        plant(solved, next(m for m in solved.spec.misconception if m.name == name)).text
    )
    public = cli("check", solved.id)
    assert (public.code == 0) == ("All public tests pass" in said.out)


def test_only_with_all_points(affine: Exercise, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(affine.root)
    said = cli("debug", affine.id)
    assert said.code == 2
    assert "once you have all its points" in said.err
    assert not affine.debugged.exists()


def test_a_tree_without_solutions_has_no_bug_to_find(
    affine: Exercise, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has known mistakes; what is missing is said as `solution` says it."""
    monkeypatch.chdir(affine.root)
    shutil.rmtree(affine.root / "solutions")
    said = cli("debug", affine.id)
    assert said.code == 2
    assert "this tree was released without solutions" in said.err
    assert said.err == cli("solution", affine.id).err
    assert "发放的文件里不含答案" in cli("debug", affine.id, "--lang", "zh").err


@pytest.mark.parametrize("options", [("--line", "3"), ("--give-up",)])
def test_without_a_bug(options: tuple[str, ...], solved: Exercise, cli: Cli) -> None:
    said = cli("debug", solved.id, *options)
    assert said.code == 2
    assert "no bug to find yet" in said.err


def test_a_line_that_is_not_there(solved: Exercise, cli: Cli) -> None:
    cli("debug", solved.id)
    said = cli("debug", solved.id, "--line", 4000)
    assert said.code == 2
    assert "lines" in said.err


def test_no_python_is_not_mended(solved: Exercise, cli: Cli) -> None:
    cli("debug", solved.id)
    solved.debugged.write_text(solved.debugged.read_text() + "\n)")
    assert cli("debug", solved.id).code == 1


def test_every_mistake_of_the_course_can_be_planted() -> None:
    for exercise in Course.load(ROOT):
        for mistake in exercise.spec.misconception if exercise.kind != "quiz" else ():
            planted = plant(exercise, mistake)
            assert planted.lines, (exercise.id, mistake.name)
            assert changes(planted.text, planted.right), (exercise.id, mistake.name)
            assert is_small(planted.text, planted.right, planted.right), (exercise.id, mistake.name)
            compile(planted.text, mistake.name, "exec")
            assert kind_of(mistake) is planted.kind


def test_layout_and_comments_are_no_changes() -> None:
    assert changes("x = 1\ny = [2, 3]\n", "x = 1  # one\n\n\ny = [\n    2,\n    3,\n]\n") == 0
    assert changes("x = 1\ny = 2\n", "x = 1\ny = 3\n") == 1


def test_the_way_of_own_tests(solved: Exercise, cli: Cli) -> None:
    begun = cli("write-tests", solved.id)
    assert begun.code == 0
    assert "own_test_affine.py is there" in begun.out
    nothing = cli("write-tests", solved.id)
    assert nothing.code == 1
    assert "does each of them assert something" in nothing.out
    solved.own_tests.write_text(solved.public_tests.read_text())
    some = cli("write-tests", solved.id)
    assert some.code == 1
    assert "They catch" in some.out
    assert "Your tests accept a program with this mistake" in some.out
    assert "The hint of" in some.out
    solved.own_tests.write_text(solved.hidden_tests.read_text())
    every = cli("write-tests", solved.id)
    assert every.code == 0
    assert "They catch 8 of 8" in every.out
    assert read_journal(solved.root).entry(solved).caught == [8, 8]


def test_own_tests_run_under_pytest(solved: Exercise, cli: Cli, python: Callable[..., object]) -> None:
    cli("write-tests", solved.id)
    course = cli("list", "--json")
    assert course.code == 0  # the new file bothers no command
    done = python(
        "-m", "pytest", "-q", "-p", "autograder.learn.pytest_plugin", "--import-mode=importlib", str(solved.own_tests),
        cwd=solved.root,
    )  # fmt: skip
    assert "1 passed" in done.stdout  # type: ignore[attr-defined]


def test_what_a_test_can_not_have_is_said(solved: Exercise, cli: Cli) -> None:
    head = "import urllib.request\n\n\ndef test_it(student):\n    "
    for line, said in {
        "urllib.request.urlopen('http://localhost')": "without a network",
        "open('/etc/hostname').read()": "without a network, files",
        "assert student.affine.__code__": "not how it is written",
        "while True: pass": "did not end",
    }.items():
        solved.own_tests.write_text(head + line + "\n")
        shown = cli("write-tests", solved.id)
        assert shown.code == 1
        assert said in shown.out, line


def test_a_file_of_tests_that_does_not_load(solved: Exercise, cli: Cli) -> None:
    solved.own_tests.write_text("def test_(student)\n")
    said = cli("write-tests", solved.id)
    assert said.code == 2
    assert "own_test_affine.py can't be used" in said.err
