"""A notebook's broken scratch cells cost nothing and are told; its definitions decide."""

from __future__ import annotations

import json
from typing import Any

import pytest

from autograder.course import Exercise
from autograder.feedback.handed_in import HandedIn
from autograder.feedback.skipped_cells import left_out
from autograder.grading.bundle import bundle_of
from autograder.grading.submissions import Submission
from autograder.grading.worker import Mode, Worker
from autograder.guest.cell_runner import SkippedCell
from autograder.results import ExerciseResult, Status

ANSWERS = {
    "affine": "def affine(x, scale, shift):\n    return x * scale + shift",
    "normalise": "def normalise(x):\n    d = x - x.mean(-1, keepdim=True)\n    return d / d.square().mean(-1, keepdim=True).sqrt()",
}


def notebook(*cells: str) -> bytes:
    return json.dumps({"cells": [{"cell_type": "code", "source": cell} for cell in cells]}).encode()


def handed_in(*cells: str) -> HandedIn:
    return HandedIn({"affine.ipynb": notebook(*cells)}, "affine.ipynb")


@pytest.fixture(params=["confined", "unsafe"])
def grade(request: pytest.FixtureRequest, affine: Exercise, shared_sandbox: Any) -> Any:
    worker = Worker(Mode(unsafe=request.param == "unsafe"))
    bundle = bundle_of(affine)

    def run(*cells: str) -> ExerciseResult:
        files = {"affine.ipynb": notebook("import torch", *cells)}
        return worker.grade(bundle, Submission("s001", affine.id, "affine.ipynb", "affine.ipynb", files))

    return run


def test_scratch_costs_nothing(grade: Any) -> None:
    result = grade(
        "import seaborn_of_mine",
        ANSWERS["affine"] + "\nassert affine(1, 2, 3) == 6",
        "losses = []\nwhile True:\n    losses = [1]",
        ANSWERS["normalise"],
        "%matplotlib inline\nimport matplotlib.pyplot as plt\nplt.plot(nosuch)\nplt.show()",
        "x = = 1",
    )
    assert (result.status, result.score) == (Status.GRADED, result.max_score), result.message.en
    lines = result.message.en.splitlines()
    assert lines[0].startswith(
        "The cell that begins with `import seaborn_of_mine` did not run to its end: Forbi"
    )
    assert "AssertionError" in lines[1] and "5 s of CPU" in lines[2]
    assert lines[3] == "2 more cells were left out."
    assert "以 `import seaborn_of_mine` 开头的单元格" in result.message.zh


def test_nothing_to_tell(grade: Any) -> None:
    assert grade(*ANSWERS.values()).message.en == ""


def test_a_definition_that_fails_is_the_files_failure(grade: Any) -> None:
    result = grade(ANSWERS["affine"], "def normalise(x=nosuch): pass")
    assert (result.status, result.score) == (Status.INVALID, 0)
    assert "nosuch" in result.message.en


def test_the_remedy_is_told() -> None:
    text = left_out(
        [SkippedCell("import torch.nosuch", "ModuleNotFoundError", "No module named 'torch.nosuch'")],
        handed_in("import torch.nosuch"),
    )
    assert "torch.nosuch is not there where your work is graded" in text.en
    assert "评分环境里没有 torch.nosuch" in text.zh


def test_a_refused_import_is_told_in_both_languages() -> None:
    note = SkippedCell("import einops", "ForbiddenImport", "a submission may not import einops")
    text = left_out([note], handed_in("import einops"))
    assert "ForbiddenImport: a submission may not import einops, only torch, numpy" in text.en
    assert "ForbiddenImport: 提交的代码不能导入 einops：只能导入 torch、numpy" in text.zh


def test_one_file_of_python_stays_as_it_was(affine: Exercise, shared_sandbox: Any) -> None:
    files = {"affine.py": "\n".join([*ANSWERS.values(), "1 / 0"]).encode()}
    submission = Submission("s001", affine.id, "affine.py", "affine.py", files)
    assert Worker(Mode()).grade(bundle_of(affine), submission).status is Status.INVALID
