"""A capstone takes its parts as arguments: points with the course's own, and word of what one's own would have reached.

The course's own are references of graded exercises: no student's file and no message holds a line of them.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from autograder.authoring.build import build
from autograder.course import Course, CourseError
from autograder.learn.check import check_file, check_namespace
from autograder.platforms.publish import release
from autograder.platforms.selection import select

SOLUTION = '''# %% [markdown]
# Scale, then normalise.

# %% [markdown] lang="zh"
# 先缩放，再归一化。

# %%
import torch
from torch import Tensor


# %%
def pipeline(parts: object, x: Tensor) -> Tensor:
    """Map each row, and subtract its mean."""
    # BEGIN SOLUTION
    mapped = parts.affine.affine(x, 2.0, 1.0)
    return mapped - mapped.mean(-1, keepdim=True)
    # END SOLUTION
'''
SPEC = """\
title.en = "Pipeline"
title.zh = "流水线"
minutes = 20
difficulty = 2
kind = "capstone"
parts = ["basics/affine"]
limits.seconds = 60
oracle = "by hand"

[[misconception]]
name = "not_centred"
replace = "mapped - mapped.mean(-1, keepdim=True)"
with = "mapped"
caught = "test_centred"
hint.en = "The hint of not_centred."
hint.zh = "not_centred 的提示。"
"""
PUBLIC = '''
import torch


def test_shape(student, parts):
    """The shape stays.

    zh: 形状不变。
    """
    assert student.pipeline(parts, torch.ones(2, 3)).shape == (2, 3)
'''
HIDDEN = '''
import pytest
import torch

from autograder.testing import assert_close, tell_reached


@pytest.mark.points(3)
def test_centred(student, parts):
    """Rows have mean zero and twice the spread.

    zh: 每行均值为零，离散程度为两倍。
    """
    x = torch.tensor([[1.0, 2.0, 6.0]])
    largest = float(student.pipeline(parts, x).max())
    tell_reached(f"the largest is {largest:g}", f"最大值是 {largest:g}")
    assert_close(student.pipeline(parts, x), torch.tensor([[-4.0, -2.0, 6.0]]))
'''
ANSWER = SOLUTION.replace("# BEGIN SOLUTION", "").replace("# END SOLUTION", "")
OWN_WRONG = "def affine(x, scale, shift):\n    return x * shift + scale\n"


@pytest.fixture
def course(toy: Path) -> Path:
    """The toy course with a capstone, whose one part is the first exercise."""
    files = {
        "course/final/unit.toml": 'title.en = "Final"\ntitle.zh = "结业"\nexercises = ["pipeline"]\n',
        "solutions/final/pipeline.py": SOLUTION,
        "solutions/final/pipeline.toml": SPEC,
        "solutions/final/test_pipeline.py": HIDDEN,
        "exercises/final/test_pipeline.py": PUBLIC,
    }
    for name, text in files.items():
        (toy / name).parent.mkdir(exist_ok=True)
        (toy / name).write_text(text)
    listed = toy / "course/course.toml"
    listed.write_text(listed.read_text().replace('"extras"]\n\n', '"extras", "final"]\n\n', 1))
    build(Course.load(toy, authoring=True))
    Course.load(toy)
    return toy


@pytest.fixture
def grade(course: Path, cli: Callable[..., Any], tmp_path: Path, shared_sandbox: Any) -> Callable[..., Any]:
    """`grade({"pipeline.py": ..., "affine.py": ...})` -> the capstone's result."""

    def run(files: dict[str, str]) -> Any:
        folder = tmp_path / "class"
        shutil.rmtree(folder, ignore_errors=True)
        for name, text in files.items():
            (folder / "s001" / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / "s001" / name).write_text(text)
        arguments = ("grade", folder, "--course", course, "--gradebook", tmp_path / "book.db", "--json")
        said = cli(*arguments, "--only", "final/pipeline")
        (result,) = json.loads(said.out)["results"]
        return result

    return run


def test_full_points_with_the_references(grade: Callable[..., Any]) -> None:
    result = grade({"pipeline.py": ANSWER})
    assert (result["score"], result["max_score"]) == (4.0, 4.0)
    assert result["message"]["en"] == ""


def test_an_early_mistake_costs_nothing_here_and_is_told(grade: Callable[..., Any]) -> None:
    result = grade({"pipeline.py": ANSWER, "week1/affine.py": OWN_WRONG})
    assert result["score"] == 4.0
    assert "With your own affine: 1 of 4 points; the largest is 3. This run counts" in result["message"]["en"]
    assert "Rows have mean zero" in result["message"]["en"]
    assert "用你自己的 affine：1/4 分；最大值是 3。这次运行不计分。" in result["message"]["zh"]


def test_the_class_sees_what_own_stacks_reached(
    grade: Callable[..., Any], course: Path, cli: Callable[..., Any], tmp_path: Path
) -> None:
    grade({"pipeline.py": ANSWER, "week1/affine.py": OWN_WRONG})
    arguments = ("grade", tmp_path / "class", "--course", course, "--only", "final/pipeline")
    shown = " ".join(cli(*arguments, "--gradebook", tmp_path / "other.db").out.split())
    assert "What was built from the student's own files reached; it counts nothing" in shown
    assert "affine: 1 of 4 points; the largest is 3" in shown
    grade({"pipeline.py": ANSWER})
    assert "reached" not in cli(*arguments, "--gradebook", tmp_path / "third.db").out


def test_a_stack_of_one_s_own(grade: Callable[..., Any], course: Path) -> None:
    own = (course / "tests/accepted/basics/affine/rows.py").read_text()
    assert (
        "With your own affine: 4 of 4 points"
        in grade({"pipeline.py": ANSWER, "affine.py": own})["message"]["en"]
    )


def written_in_a_notebook(*sources: str) -> str:
    cells = [
        {"cell_type": "code", "source": source, "metadata": {}, "outputs": [], "execution_count": None}
        for source in sources
    ]
    return json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5})


def test_a_part_in_a_notebook(grade: Callable[..., Any]) -> None:
    result = grade({"pipeline.py": ANSWER, "affine.ipynb": written_in_a_notebook(OWN_WRONG)})
    assert result["score"] == 4.0
    assert "With your own affine: 1 of 4 points" in result["message"]["en"]


def test_parts_that_are_still_the_skeleton_s_are_not_one_s_own(
    grade: Callable[..., Any], course: Path
) -> None:
    skeleton = (course / "exercises/basics/affine.py").read_text()
    assert grade({"pipeline.py": ANSWER, "affine.py": skeleton})["message"]["en"] == ""


def test_nobody_hands_in_a_reference(grade: Callable[..., Any]) -> None:
    """A file of that name beside the submission does not take the reference's place."""
    wrong = ANSWER.replace("- mapped.mean(-1, keepdim=True)", "")
    cheat = "import torch\ndef affine(x, scale, shift): return torch.tensor([[-4.0, -2.0, 6.0]])\n"
    assert grade({"pipeline.py": wrong, "part_affine.py": cheat})["score"] == 1.0


def test_a_wrong_capstone_is_diagnosed(grade: Callable[..., Any]) -> None:
    result = grade({"pipeline.py": ANSWER.replace("- mapped.mean(-1, keepdim=True)", "")})
    assert result["score"] == 1.0
    assert [test["diagnosis"] for test in result["tests"]] == [None, "not_centred"]


OPTIONS = ("-q", "-p", "autograder.learn.pytest_plugin", "--import-mode=importlib", "-p", "no:cacheprovider")


def test_pytest_gives_the_parts_in_process(course: Path, python: Callable[..., Any]) -> None:
    """The references to the reference, and to the learner's answer their own."""
    done = python("-m", "pytest", *OPTIONS, "solutions/final", cwd=course)
    assert "1 passed" in done.stdout, done.stdout
    (course / "exercises/final/pipeline.py").write_text(ANSWER)
    done = python("-m", "pytest", *OPTIONS, "exercises/final", cwd=course)
    assert "basics/affine is a part of this capstone, and you have not answered it yet" in done.stdout
    assert "1 failed" in done.stdout, done.stdout
    (course / "exercises/basics/affine.py").write_text(OWN_WRONG)
    done = python("-m", "pytest", *OPTIONS, "exercises/final", cwd=course)
    assert "1 passed" in done.stdout, done.stdout


def test_check_takes_the_learner_s_own_parts(course: Path) -> None:
    """A part in a notebook, too; one that can't be used says so where it is needed."""
    exercise = Course.load(course).exercise("final/pipeline")
    exercise.skeleton.write_text(ANSWER)
    absent = "basics/affine is a part of this capstone, and you have not answered it yet: exercises/basics/affine.py"
    assert absent in str(check_file(exercise, "en"))
    assert "basics/affine 是本题的部件，你还没有完成它" in str(check_file(exercise, "zh"))
    namespace: dict[str, Any] = {}
    exec(ANSWER, namespace)
    assert absent in str(check_namespace(exercise, namespace, "en"))
    notebook = course / "notebooks/basics/affine.ipynb"
    notebook.parent.mkdir(parents=True)
    notebook.write_text(
        written_in_a_notebook("from autograder import check\n" + OWN_WRONG + "check('basics/affine')")
    )
    assert check_file(exercise, "en").complete
    assert check_namespace(exercise, namespace, "en").complete
    (course / "exercises/basics/affine.py").write_text("def affine(x:\n")
    assert "exercises/basics/affine.py can't be read: '(' was never closed (affine.py, line 1)" in str(
        check_file(exercise, "en")
    )


@pytest.mark.parametrize(
    "cheat",
    [
        "import inspect, sys\ndef pipeline(parts, x): raise ValueError(inspect.getsource(parts.affine))\n",
        "import inspect, sys\ndef pipeline(parts, x): return inspect.getsource(parts.affine)\n",
        "import inspect, part_affine\nraise ValueError(inspect.getsource(part_affine))\n",
        "import inspect, part_affine\nclass E(Exception): pass\nE.__name__ = inspect.getsource(part_affine)[:80]\nraise E\n",
    ],
    ids=["error", "answer", "load", "name"],
)
def test_a_reference_is_not_carried_out(grade: Callable[..., Any], cheat: str) -> None:
    """A capstone's code runs beside the references: nothing that it says reaches its author."""
    result = grade({"pipeline.py": cheat})
    assert result["score"] == 0.0
    told = [result["message"], *(test["message"] for test in result["tests"])]
    assert "affine" not in json.dumps(told).replace("part_affine", "")  # which stands in the cheat's own line
    assert "scale" not in json.dumps(told).replace("spread", "")


def test_a_reference_is_not_carried_out_by_a_failing_cell(grade: Callable[..., Any]) -> None:
    cell = "import inspect, part_affine\nraise ValueError(inspect.getsource(part_affine))"
    result = grade({"pipeline.ipynb": written_in_a_notebook(ANSWER, cell)})
    assert result["score"] == 4.0
    assert "The cell that begins with `import inspect, part_affine` did not run" in result["message"]["en"]
    assert "scale" not in result["message"]["en"]


def test_check_tells_what_one_s_own_stack_reached(
    course: Path, cli: Callable[..., Any], shared_sandbox: Any
) -> None:
    (course / "exercises/final/pipeline.py").write_text(ANSWER)
    skeleton = course / "exercises/basics/affine.py"
    skeleton.write_text(
        skeleton.read_text().replace('raise NotImplementedError("affine")', "return x + scale")
    )
    said = cli("check", "final/pipeline", "--hidden", "--course", course)
    assert "4 of 4 points" in said.out
    assert "With your own affine: 1 of 4 points" in said.out


def test_a_release_holds_no_reference(course: Path, tmp_path: Path) -> None:
    release(select(Course.load(course), "final", "en"), "plain", tmp_path / "out")
    written = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert tmp_path / "out/exercises/final/pipeline.py" in written
    assert not any(b"x * scale + shift" in path.read_bytes() for path in written)


@pytest.mark.parametrize(
    ("old", "new"), [('parts = ["basics/affine"]\n', ""), ('kind = "capstone"\n', "")], ids=["parts", "kind"]
)
def test_a_capstone_names_its_parts(course: Path, old: str, new: str, edited: Callable[..., None]) -> None:
    edited(course / "solutions/final/pipeline.toml", old, new)
    with pytest.raises(CourseError, match="`parts` belongs to kind"):
        _ = Course.load(course).exercise("final/pipeline").spec


def test_a_capstone_s_mutants_have_its_own_time(
    course: Path, shared_sandbox: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What trains takes longer than a mutant of another exercise may."""
    from autograder.audit import kill

    monkeypatch.setattr(kill, "SECONDS", 1e-6)
    loaded = Course.load(course, authoring=True)
    (report,) = kill.audit_mutants(loaded, [loaded.exercise("final/pipeline")], workers=1)
    assert (report.mutants, report.killed) == (7, 6)  # what is added to all is subtracted again
