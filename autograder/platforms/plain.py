"""Target `plain`: a folder that a student unpacks anywhere: skeletons, public tests, lessons, notebooks."""

from __future__ import annotations

from pathlib import Path

from autograder.platforms.selection import Selection, write_tree


def write(selection: Selection, out: Path) -> None:
    """Write the tree into the empty folder `out`."""
    write_tree(selection, out, "plain")
