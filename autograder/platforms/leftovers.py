"""What editors, notebooks, systems and Python leave beside the files that somebody wrote."""

from __future__ import annotations

from pathlib import Path, PurePath

from autograder.grading.submissions import IGNORED


def is_leftover(path: PurePath) -> bool:
    """Whether a file lies in a folder of such things, or is one: `.ipynb_checkpoints`, `__pycache__`, `.DS_Store`, `x.md~`."""
    return path.name.endswith("~") or any(part.startswith(".") or part in IGNORED for part in path.parts)


def files_below(folder: Path) -> list[Path]:
    """The files of a folder, at any depth, without leftovers."""
    return [
        path
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not is_leftover(path.relative_to(folder))
    ]
