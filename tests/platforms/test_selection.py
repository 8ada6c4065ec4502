"""What every release copies of the course's pages."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from autograder.authoring.build import build
from autograder.course import Course
from autograder.platforms import selection
from autograder.platforms.publish import Target, release
from autograder.platforms.selection import leave_notebooks_only, select, write_course


def test_lessons_link_to_the_notebooks_beside_them(toy_course: Course, tmp_path: Path) -> None:
    """Links to exercises that are not released stay as they are."""
    lesson = toy_course.exercise("basics/affine").lesson("en")
    links = [
        "[a](../../exercises/basics/affine.py)",
        "[b](../../exercises/extras/vowels.py)",
        "[c](other.md)",
    ]
    lesson.write_text("\n".join(links), encoding="utf-8")
    leave_notebooks_only(write_course(select(toy_course, "basics", "en"), tmp_path / "out"), tmp_path / "out")
    written = (tmp_path / "out/course/basics/affine.md").read_text(encoding="utf-8")
    assert written.splitlines() == ["[a](../../affine.ipynb)", *links[1:]]


def test_a_unit_s_figures_are_copied_once(toy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for path in sorted(toy.rglob("*affine*")):
        built = path.parent == toy / "exercises/basics" and not path.name.startswith("test_")
        if path.is_file() and not built:
            shutil.copyfile(path, path.with_name(path.name.replace("affine", "scaled")))
    unit = toy / "course/basics/unit.toml"
    unit.write_text(unit.read_text().replace('["affine"]', '["affine", "scaled"]'), encoding="utf-8")
    (toy / "course/basics/figure.svg").write_text("<svg/>", encoding="utf-8")
    course = Course.load(toy, authoring=True)
    build(course)
    copied: Counter[str] = Counter()
    copy = shutil.copyfile

    def counted(source: Any, target: Any) -> Any:
        copied[Path(source).name] += 1
        return copy(source, target)

    monkeypatch.setattr(selection.shutil, "copyfile", counted)
    write_course(select(course, "basics", "en"), tmp_path / "out")
    assert {path.name for path in (tmp_path / "out/course/basics").iterdir()} == {
        "affine.md", "affine.zh.md", "scaled.md", "scaled.zh.md", "figure.svg", "unit.toml",
    }  # fmt: skip
    assert copied["figure.svg"] == 1


@pytest.mark.parametrize("target", Target)
def test_what_tools_leave_behind_is_not_released(target: Target, toy: Path, tmp_path: Path) -> None:
    names = (
        ".ipynb_checkpoints/affine-checkpoint.md", ".ipynb_checkpoints/affine.zh.md", ".ipynb_checkpoints/figure.svg",
        "__pycache__/figure.cpython-311.pyc", ".DS_Store", "affine.md~", "figures/.ipynb_checkpoints/figure.svg",
    )  # fmt: skip
    for tree in ("course", "exercises"):
        for name in names:
            path = toy / tree / "basics" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("left", encoding="utf-8")
    released = release(select(Course.load(toy), None, "en"), target, tmp_path / "out")
    assert released
    assert [path for path in released if path.read_bytes() == b"left"] == []
