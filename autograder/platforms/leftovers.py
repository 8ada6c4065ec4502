"""A folder's files without what editors, notebooks, systems and Python leave beside them."""

from __future__ import annotations

from pathlib import Path

from autograder.remote.archive import passed_over


def files_below(folder: Path) -> list[Path]:
    """The files of a folder, at any depth, without leftovers: `.ipynb_checkpoints`, `__pycache__`, `.DS_Store`, `x.md~`."""
    return [
        path
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.endswith("~") and not passed_over(path.relative_to(folder).parts)
    ]
