"""Target `plain`: a folder that a student unpacks anywhere: skeletons, public tests, lessons, notebooks."""

from __future__ import annotations

from pathlib import Path

from autograder.authoring.notebooks import write_notebook
from autograder.release.package import write_package
from autograder.release.parcel import Parcel, page, write_course


def write(parcel: Parcel, out: Path) -> None:
    """Write the tree into the empty folder `out`."""
    for exercise in write_course(parcel, out):
        write_notebook(exercise, out / "notebooks", parcel.lang)
    wheel = write_package(out)
    (out / "README.md").write_text(page("plain", parcel, wheel=wheel.name), encoding="utf-8")
