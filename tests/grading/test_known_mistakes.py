"""Diagnosis without solutions: what `build` writes for it, and everywhere that a learner reads of it."""

from __future__ import annotations

import math
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from autograder.authoring.build import build_exercise, stale
from autograder.course import Course, Exercise
from autograder.grading.bundle import bundle_of
from autograder.grading.diagnosis import SILENT, observed, same
from autograder.grading.grader import ExerciseGrader
from autograder.grading.known_mistakes import behaviour_of, read, written
from autograder.grading.worker import Mode, Worker
from autograder.learn.check import check_file, require
from autograder.platforms.github.public_run import reports
from autograder.remote.errors import student_error
from autograder.remote.proxy import Call
from autograder.results import Outcome
from autograder.runner.in_process import unsafe_backend
from autograder.text import Text

ROOT = Path(__file__).resolve().parents[2]
COURSE = Course.load(ROOT, authoring=True)
Edit = Callable[[Path, str, str], None]
T = torch.tensor
UNSHIFTED = ('raise NotImplementedError("affine")', "return scale * x")
HINT = "The hint of unshifted."


@pytest.fixture
def learner(affine: Exercise) -> Exercise:
    """The exercise where there are no solutions."""
    shutil.rmtree(affine.root / "solutions")
    return Course.load(affine.root).exercise(affine.id)


# ------------------------------------------------------------------------------------------ the file


def test_build_writes_what_public_tests_catch(affine: Exercise) -> None:
    text = affine.mistakes_file.read_text(encoding="utf-8")
    assert HINT in text and "unshifted 的提示。" in text
    for mistake in affine.spec.misconception:
        assert f'"{mistake.name}"' not in text
        assert not any(len(edit.with_) > 6 and edit.with_ in text for edit in mistake.changes)
    hidden = affine.hidden_tests.read_text(encoding="utf-8")
    for _, tests in read(text):
        assert tests and not any(f"def {name.partition('[')[0]}(" in hidden for name in tests)


def test_it_is_stale_when_a_hint_changes_but_not_when_a_digit_does(affine: Exercise, edited: Edit) -> None:
    text = affine.mistakes_file.read_text(encoding="utf-8")
    assert "2.0,-4.0" in text
    affine.mistakes_file.write_text(text.replace("2.0,-4.0", "2.0,-4.00001"), encoding="utf-8")
    assert stale(affine) == []  # another processor rounds another way
    affine.mistakes_file.write_text(text.replace("2.0,-4.0", "2.0,-4.1"), encoding="utf-8")
    assert stale(affine) == [affine.mistakes_file]
    build_exercise(affine)
    assert affine.mistakes_file.read_text(encoding="utf-8") == text
    edited(affine.spec_file, HINT, "Another hint.")
    fresh = Exercise(affine.root, affine.unit, affine.topic)
    assert affine.mistakes_file in stale(fresh)


VALUES = (
    None, True, 3, -2.5, 0.0, math.inf, math.nan, "词", b"\x00\xff", [], [1, [2.0]], (1, "a"), {3, 1}, frozenset("a"),
    {(1, 2): T([1.0])}, T([[1.5, -2e-7]]), T(3.25, dtype=torch.float64), T([True, False]), T([], dtype=torch.int64),
    torch.zeros(2, 0, 3), T([math.nan, -math.inf, 1.0]), T([1.0], requires_grad=True), T([1.5], dtype=torch.bfloat16),
    np.array([1.0, 2.0], dtype=np.float32), student_error("MyError", ["ValueError", "Exception"], "words"),
)  # fmt: skip


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_a_value_comes_back(value: Any) -> None:
    seen = observed(Outcome.FAILED, [Call("call", "f()", value)])
    ((hint, tests),) = read(written([(Text("A", "甲"), {"test_a": seen})]))
    back = tests["test_a"]
    assert hint == Text("A", "甲") and back is not None and back.works == seen.works
    assert same(back.trace[0].result, value) and same(value, back.trace[0].result)


def test_what_no_public_test_tells_apart_has_no_hint() -> None:
    one = {"test_a": observed(Outcome.FAILED, [Call("call", "f()", T([1.0, 2.0]))])}
    other = {"test_a": observed(Outcome.FAILED, [Call("call", "f()", T([1.0, 3.0]))])}
    known = read(written([(Text("one"), one), (Text("two"), one), (Text("three"), other)]))
    assert [hint and hint.en for hint, _ in known] == [None, "three"]


def test_a_long_answer_is_left_out() -> None:
    long = observed(Outcome.FAILED, [Call("call", "f()", torch.randn(2000))])
    short = observed(Outcome.FAILED, [Call("call", "f()", T([1.0, 2.0]))])
    ((_, tests),) = read(written([(Text("one"), {"test_a": long, "test_b": short})]))
    assert tests["test_a"] is None and tests["test_b"] is not None


@pytest.mark.parametrize("name", ["basics/affine", "extras/vowels"])
def test_the_recorded_answers_are_the_confined_ones(
    toy_course: Course, shared_sandbox: Any, name: str
) -> None:
    """Whoever is diagnosed in process is diagnosed as at grading."""
    exercise = toy_course.exercise(name)
    grader: ExerciseGrader = Worker(Mode()).grader(bundle_of(exercise))
    public = [case for case in grader.cases if case.visibility.value == "public"]
    main = exercise.skeleton.name
    for source in grader.variants.values():
        _, confined, _ = grader.run({main: source}, main)
        local = behaviour_of(unsafe_backend({main: source}, main, ()), public, exercise.spec.limits)
        for case in public:
            assert local[case.name].outcome is confined[case.name].outcome
            if confined[case.name].outcome not in SILENT:
                assert same(local[case.name].trace, confined[case.name].trace), case.name


# ------------------------------------------------------------------------------------------ where it is read


def test_check_names_the_mistake(learner: Exercise, edited: Edit) -> None:
    edited(learner.skeleton, *UNSHIFTED)
    english, chinese = (str(check_file(learner, lang)) for lang in ("en", "zh"))
    assert f"expected [[3, -3]]\n      A known mistake: {HINT}\n" in english
    assert "常见误解：unshifted 的提示。\n" in chinese


def test_a_hint_is_told_once(affine: Exercise, edited: Edit) -> None:
    again = affine.public_tests.read_text(encoding="utf-8").split("@pytest.mark.points(2)")[1]
    with affine.public_tests.open("a", encoding="utf-8") as file:
        file.write("\n\n@pytest.mark.points(2)" + again.replace("test_affine_by_hand", "test_again"))
    build_exercise(affine)
    edited(affine.skeleton, *UNSHIFTED)
    report = str(check_file(affine, "en"))
    assert report.count("The hint of") == 1
    assert "The same mistake as in test_affine_by_hand." in report


def test_another_mistake_has_no_hint(learner: Exercise, edited: Edit) -> None:
    edited(learner.skeleton, UNSHIFTED[0], "return x * scale + shift + 3")
    assert "known mistake" not in str(check_file(learner, "en"))


@pytest.mark.parametrize(
    "content", [None, "", "[1]", '[{"hint":null,"tests":{}}]', '[{"hint":null,"tests":{"a":{}}}]', "\udcff"]
)
def test_a_damaged_file_costs_the_hint_alone(learner: Exercise, edited: Edit, content: str | None) -> None:
    if content is None:
        learner.mistakes_file.unlink()
    else:
        learner.mistakes_file.write_text(content, encoding="utf-8", errors="surrogateescape")
    edited(learner.skeleton, *UNSHIFTED)
    text = str(check_file(learner, "en"))
    assert "expected [[3, -3]]" in text and "known mistake" not in text


def test_what_the_learner_prints_is_shown_once(
    learner: Exercise, edited: Edit, capsys: pytest.CaptureFixture[str]
) -> None:
    edited(learner.skeleton, UNSHIFTED[0], "print('here'); return scale * x")
    assert HINT in str(check_file(learner, "en"))
    assert capsys.readouterr().out.count("here") == 1


def test_otter_says_it_too(learner: Exercise, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(learner.root)
    with pytest.raises(AssertionError, match=HINT):
        require(learner.id, "test_affine_by_hand", {"affine": lambda x, scale, shift: x * scale}, lang="en")


def test_a_public_run_says_it_too(learner: Exercise, edited: Edit) -> None:
    edited(learner.skeleton, *UNSHIFTED)
    (report,) = reports(Course.load(learner.root), [learner], "en")
    assert HINT in str(report)


@pytest.mark.parametrize(
    ("lang", "title", "hint"), [("en", "what went wrong", HINT), ("zh", "错在哪里", "unshifted 的提示。")]
)
def test_pytest_says_it_too(
    learner: Exercise,
    edited: Edit,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    lang: str,
    title: str,
    hint: str,
) -> None:
    edited(learner.skeleton, *UNSHIFTED)
    monkeypatch.chdir(learner.root)
    monkeypatch.setenv("AUTOGRADER_LANG", lang)
    for name in [name for name in sys.modules if name.split(".")[0] == "exercises"]:
        del sys.modules[name]
    options = ("-p", "autograder.learn.pytest_plugin", "--import-mode=importlib", "-p", "no:cacheprovider")
    pytest.main([f"--rootdir={learner.root}", "-c", os.devnull, *options, "exercises"])
    said = capfd.readouterr().out
    assert f" {title} --" in said and hint in said.split(title)[1].splitlines()[1]


@pytest.mark.parametrize(
    "exercise", [e for e in COURSE if e.kind != "quiz"], ids=lambda exercise: exercise.id
)
def test_nobody_is_told_of_another_mistake(exercise: Exercise, tmp_path: Path) -> None:
    """Everyone who makes a known mistake reads its hint or none, and most read it."""
    for tree in ("course", "exercises"):
        shutil.copytree(ROOT / tree, tmp_path / tree)
    own = Course.load(tmp_path, authoring=True).exercise(exercise.id)
    for part in own.parts:
        shutil.copy(ROOT / "solutions" / f"{part.id}.py", part.skeleton)
    solution = exercise.solution.read_text(encoding="utf-8")
    mistakes = exercise.spec.misconception
    caught, named = 0, 0
    for mistake in mistakes:
        own.skeleton.write_text(mistake.apply(solution), encoding="utf-8")
        report = check_file(own, "en")
        caught += not report.complete
        told = [other.name for other in mistakes if other.hint.en in str(report)]
        assert told in ([], [mistake.name])
        named += bool(told)
    assert named >= 0.7 * caught
