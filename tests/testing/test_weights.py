"""Weights that ship with an exercise reach every test that asks for them, wherever it runs, new for each."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from autograder.authoring.build import build_exercise
from autograder.course import Course, CourseError, Exercise
from autograder.grading.bundle import bundle_of
from autograder.grading.own_tests import OwnTests, Tester, judge
from autograder.learn.check import check_file
from autograder.platforms.publish import release
from autograder.platforms.selection import select
from autograder.remote.module_sandbox import ModuleSandbox
from autograder.testing import load_weights, save_weights

TEST = '''

def test_{name}(student, weights):
    """The weights are new for each test.

    zh: 每个测试拿到的权重都是新的。
    """
    for _ in range(2):
        assert weights["scale"].tolist() == [2.0, 3.0]
        assert torch.equal(student.affine(torch.ones(2), weights["scale"], 1.0), torch.tensor([3.0, 4.0]))
    weights["scale"].zero_()


test_{name}_again = test_{name}
'''


@pytest.fixture
def shipping(affine: Exercise) -> Exercise:
    """The first exercise of the toy course, with weights that its public and hidden tests ask for."""
    save_weights(affine, {"scale": torch.tensor([2.0, 3.0], dtype=torch.float64)})
    for path, name in ((affine.public_tests, "shown"), (affine.hidden_tests, "kept")):
        text = path.read_text()
        path.write_text(
            text + ("" if "import torch\n" in text else "import torch\n") + TEST.format(name=name)
        )
    build_exercise(affine)
    return Course.load(affine.root).exercise(affine.id)


def test_the_same_weights_give_the_same_file(affine: Exercise) -> None:
    contents = set()
    for _ in range(2):
        save_weights(affine, {"a": torch.ones(3, 2), "b.c": torch.zeros(())})
        contents.add(affine.weights)
    assert len(contents) == 1
    assert {name: value.shape for name, value in load_weights(affine).items()} == {"a": (3, 2), "b.c": ()}
    assert load_weights(affine)["a"].dtype == torch.float32


@pytest.mark.parametrize("content", [b"", b"no archive"])
def test_weights_that_are_none(affine: Exercise, content: bytes) -> None:
    affine.weights_file.write_bytes(content)
    with pytest.raises(CourseError, match="basics/affine ships no weights that can be read"):
        load_weights(affine)


def test_graded(shipping: Exercise, cli: Callable[..., Any], hand_in: Callable[..., Path], tmp_path: Path,
                shared_sandbox: Any) -> None:  # fmt: skip
    """In the sandbox; other weights are another key."""
    folder = hand_in("s001", {"affine.py": shipping.solution.read_text()})
    command = (
        *("grade", folder, "--course", shipping.root, "--gradebook", tmp_path / "book.db"),
        *("--only", "basics/affine", "--json"),
    )

    def grade() -> Any:
        (result,) = json.loads(cli(*command).out)["results"]
        return result

    first = grade()
    assert first["score"] == first["max_score"]
    assert sum("kept" in test["name"] or "shown" in test["name"] for test in first["tests"]) == 4
    save_weights(shipping, {"scale": torch.tensor([2.0, 4.0])})
    assert grade()["status"] == "ungraded", "run again, and the reference fails, too"


def test_a_learner_s_ways(shipping: Exercise, python: Callable[..., Any], tmp_path: Path) -> None:
    """`check()`, pytest, and what a class is given."""
    release(select(Course.load(shipping.root), "basics", "en"), "plain", tmp_path / "out")
    given = Course.load(tmp_path / "out").exercise(shipping.id)
    given.skeleton.write_text(shipping.solution.read_text())
    report = check_file(given, "en")
    assert report.complete, str(report)
    options = (
        "-q",
        "-p",
        "autograder.learn.pytest_plugin",
        "--import-mode=importlib",
        "-p",
        "no:cacheprovider",
    )
    done = python("-m", "pytest", *options, "exercises/basics", cwd=given.root)
    assert "failed" not in done.stdout and done.returncode == 0, done.stdout
    given.weights_file.unlink()
    assert "ships no weights that can be read" in str(check_file(given, "en"))


def test_a_learner_s_own_tests(shipping: Exercise, sandbox: ModuleSandbox) -> None:
    bundle = bundle_of(shipping)
    source = ("import torch\n" + TEST.format(name="mine")).encode()
    own = OwnTests(source, "own_test_affine.py", {"affine.py": bundle.solution}, "affine.py")
    with Tester(sandbox) as tester:
        found = judge(tester, own, bundle, {})
    assert found.refused is None and found.caught
