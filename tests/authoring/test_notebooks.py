"""Skeletons as notebooks: valid, in one language, the same every time."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest

from autograder.authoring.notebooks import notebook_of, write_notebook
from autograder.course import Course, Exercise


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_notebook(affine: Exercise, tmp_path: Path, lang: str) -> None:
    path = write_notebook(affine, tmp_path / "out", lang)
    assert path == tmp_path / "out" / "basics" / "affine.ipynb"
    assert path is not None
    notebook = nbformat.read(path, as_version=nbformat.NO_CONVERT)
    nbformat.validate(notebook)
    assert (notebook.nbformat, notebook.nbformat_minor) == (4, 5)
    assert notebook.metadata.autograder.exercise == "basics/affine"
    text = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    english = ("# Affine maps", "Two maps that stand in every network.", "## 1. Affine", "## 2. Normalise")
    chinese = ("# 仿射映射", "每个网络里都有的两个映射。", "## 1. 仿射", "## 2. 归一化")
    wanted, unwanted = (english, chinese) if lang == "en" else (chinese, english)
    assert all(text.count(line) == 1 for line in wanted)
    assert not any(line in text for line in unwanted)
    code = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    call = 'check("basics/affine")' if lang == "en" else 'check("basics/affine", lang="zh")'
    assert code.count(call) == 2
    assert code.index(call) == next(i for i, c in enumerate(code) if "def affine" in c) + 1
    assert code[0] == "from autograder import check"
    assert "x * scale" not in "\n".join(code)
    assert len({cell.id for cell in notebook.cells}) == len(notebook.cells)


def test_the_same_every_time(affine: Exercise, tmp_path: Path) -> None:
    contents = []
    for name in ("one", "two"):
        path = write_notebook(affine, tmp_path / name, "en")
        assert path is not None
        contents.append(path.read_bytes())
    assert contents[0] == contents[1]


def test_somebody_is_working_in_it(affine: Exercise, tmp_path: Path) -> None:
    path = write_notebook(affine, tmp_path, "en")
    assert path is not None
    assert write_notebook(affine, tmp_path, "en") == path  # nobody has worked in it
    path.write_text("my work")
    assert write_notebook(affine, tmp_path, "zh") is None
    assert path.read_text() == "my work"
    assert write_notebook(affine, tmp_path, "zh", force=True) == path
    assert "仿射" in path.read_text(encoding="utf-8")


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_every_exercise_of_the_course_gives_a_valid_notebook(lang: str) -> None:
    root = Path(__file__).resolve().parents[2]
    for exercise in Course.load(root, authoring=True):
        if exercise.skeleton.is_file():
            notebook = notebook_of(exercise, lang)
            nbformat.validate(notebook)
            prose = [cell for cell in notebook.cells if cell.cell_type == "markdown"]
            assert prose, exercise.id


def test_nbformat_comes_without_a_grammar_that_takes_a_second(python: Callable[..., Any]) -> None:
    """What jsonschema would compile at its import, and no notebook's format asks for."""
    source = (
        "import sys\nfrom autograder.authoring.notebooks import import_nbformat\n"
        "assert import_nbformat() is import_nbformat()\n"
        "import jupytext, nbformat\n"
        "nbformat.validate(nbformat.v4.new_notebook())\n"
        "assert 'rfc3987_syntax.syntax_helpers' not in sys.modules\n"
    )
    done = python("-c", source)
    assert done.returncode == 0, done.stderr
