"""Messages that say what went wrong, where Python's own words would point elsewhere."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from autograder.course import Course, Exercise
from autograder.grading.bundle import bundle_of
from autograder.grading.submissions import Submission
from autograder.grading.worker import Mode, Worker
from autograder.learn.check import check_file, check_namespace
from autograder.results import ExerciseResult

Edit = Callable[[Path, str, str], None]
AFFINE = 'raise NotImplementedError("affine")'
GIVEN = """

# GIVEN reshaped
def reshaped(x):
    return _inner(x)


def _inner(x):
    return x.view(-1, 7)


# END GIVEN
"""
PAIR = '''

def test_pair(student):
    """A pair.

    zh: 一对。
    """
    x = torch.ones(2, 3)
    first, second = student.pair(x)
    assert first.shape == (2, 3), f"the first has shape {tuple(first.shape)}"
'''
GRADIENT = '''

def test_gradient(student, gradients):
    """Gradients reach the input.

    zh: 梯度能传到输入。
    """
    gradients(student.affine, torch.ones(2, 3), 2.0, 1.0)
'''


def add(path: Path, text: str) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write(text)


def said(exercise: Exercise, test: str, lang: str = "en") -> str:
    """What check() says of one test."""
    (found,) = [message for _, name, message in check_file(exercise, lang).lines() if name == test]
    return found


def graded(exercise: Exercise) -> ExerciseResult:
    name, source = exercise.skeleton.name, exercise.skeleton.read_bytes()
    fresh = Course.load(exercise.root, authoring=True).exercise(exercise.id)
    return Worker(Mode()).grade(bundle_of(fresh), Submission("s001", exercise.id, name, name, {name: source}))


@pytest.fixture
def pytest_says(affine: Exercise, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Any:
    def run() -> str:
        monkeypatch.chdir(affine.root)
        monkeypatch.setenv("AUTOGRADER_LANG", "en")
        for name in [name for name in sys.modules if name.split(".")[0] == "exercises"]:
            del sys.modules[name]
        capfd.readouterr()
        options = (
            "-p",
            "autograder.learn.pytest_plugin",
            "--import-mode=importlib",
            "-p",
            "no:cacheprovider",
        )
        pytest.main([f"--rootdir={affine.root}", "-c", os.devnull, *options, "exercises/basics"])
        return capfd.readouterr().out

    return run


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ("x", "pair(...) should give 2 results, and gives one: a tensor of shape [2, 3]."),
        ("(x, x, x)", "pair(...) should give 2 results, and gives 3."),
        ("None", "pair(...) should give 2 results, and gives none: a `return` may be missing."),
    ],
)
def test_a_forgotten_result(
    affine: Exercise, shared_sandbox: Any, pytest_says: Any, answer: str, told: str
) -> None:
    """A tensor of two rows can be taken apart, too: what the test then says of its shape is beside the point."""
    add(affine.public_tests, PAIR)
    add(affine.solution, "\n\ndef pair(x):\n    return x, x\n")
    add(affine.skeleton, f"\n\ndef pair(x):\n    return {answer}\n")
    assert said(affine, "test_pair") == f"A pair.\n{told}"
    (of_pair,) = [test for test in graded(affine).tests if test.name == "test_pair"]
    assert of_pair.message.en == f"A pair.\n{told}"
    assert told in pytest_says()


def test_the_right_number_of_results_is_no_news(affine: Exercise) -> None:
    add(affine.public_tests, PAIR)
    add(affine.skeleton, "\n\ndef pair(x):\n    return [x[0], x]\n")
    assert said(affine, "test_pair") == "A pair.\nthe first has shape (3,)"  # and no tensor in full


def test_an_error_in_given_code_is_shown_where_it_was_called(
    affine: Exercise, edited: Edit, shared_sandbox: Any, pytest_says: Any
) -> None:
    edited(affine.skeleton, "from torch import Tensor\n", f"from torch import Tensor\n{GIVEN}")
    edited(affine.solution, "from torch import Tensor\n", f"from torch import Tensor\n{GIVEN}")
    edited(affine.skeleton, AFFINE, "return reshaped(x)")
    lines = affine.skeleton.read_text(encoding="utf-8").splitlines()
    own = lines.index("    return reshaped(x)") + 1
    message = said(affine, "test_affine_by_hand").splitlines()
    assert message[1:] == [f"  line {own}, in affine: return reshaped(x)"]
    hidden = {test.message.en for test in graded(affine).tests if test.name.startswith("test_affine[")}
    assert {message for message in hidden if "Error" in message} == {"RuntimeError in affine."}
    shown = pytest_says()
    assert f"affine.py:{own}: in affine" in shown and "_inner" not in shown


def test_a_result_without_a_graph(
    affine: Exercise, edited: Edit, shared_sandbox: Any, pytest_says: Any
) -> None:
    add(affine.public_tests, GRADIENT)
    add(affine.hidden_tests, GRADIENT.replace("test_gradient", "test_hidden_gradient"))
    edited(affine.skeleton, AFFINE, "return (x * scale + shift).detach()")
    told = "Gradients reach the input.\nThe result is cut from the graph, so no gradient flows"
    assert said(affine, "test_gradient").startswith(told)
    assert said(affine, "test_gradient", "zh").startswith("梯度能传到输入。\n结果与计算图断开了")
    found = {test.name: test for test in graded(affine).tests if "gradient" in test.name}
    assert {test.outcome.value for test in found.values()} == {"error"}
    assert all(test.message.en.startswith(told) for test in found.values())
    assert "the result is cut from the graph" in pytest_says()


def test_each_question_that_was_not_run_says_so(affine: Exercise) -> None:
    lines = check_namespace(affine, {}, "en").lines()
    assert [(name, message) for _, name, message in lines] == [
        ("affine", "not run yet"),
        ("normalise", "not run yet"),
    ]


def test_what_is_the_same_names_the_test(affine: Exercise, edited: Edit) -> None:
    edited(affine.skeleton, AFFINE, 'raise KeyError("x")')
    again = affine.public_tests.read_text(encoding="utf-8").split("@pytest.mark.points(2)")[1]
    add(affine.public_tests, "\n\n" + again.strip().replace("test_affine_by_hand", "test_again") + "\n")
    assert said(affine, "test_again") == "the same as test_affine_by_hand"
    assert said(affine, "test_again", "zh") == "与 test_affine_by_hand 相同"
