"""Target `plain`: a folder that a student unpacks anywhere: skeletons, public tests, lessons, notebooks."""

from __future__ import annotations

from pathlib import Path

from autograder.authoring.notebooks import write_notebook
from autograder.platforms.selection import Selection, page, write_course
from autograder.platforms.wheel import write_package


def write(selection: Selection, out: Path) -> None:
    """Write the tree into the empty folder `out`."""
    write_tree(selection, out, "plain")


def write_tree(selection: Selection, out: Path, readme: str) -> None:
    """Everything a student works with, and the README made from this template."""
    for exercise in write_course(selection, out):
        write_notebook(exercise, out / "notebooks", selection.lang)
    wheel = write_package(out)
    (out / "README.md").write_text(page(readme, selection, wheel=wheel.name), encoding="utf-8")
