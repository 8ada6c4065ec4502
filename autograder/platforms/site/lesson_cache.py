"""Where the outputs of lessons' cells are kept between builds.

jupyter-cache knows a lesson by its code. What else an output depends on is in the folder's name: the libraries that
draw and compute, the course's examples, and what lessons import from here.
"""

from __future__ import annotations

import hashlib
import shutil
import sys
from importlib import metadata
from pathlib import Path

from autograder import testing
from autograder.learn.journal import own_folder
from autograder.testing.examples import EXAMPLES_FILE

LIBRARIES = ("torch", "numpy", "matplotlib", "zhplot")


def lesson_cache(root: Path, instead: Path) -> Path:
    """The folder for the course at `root`; `instead` where none can be made. Those of other states are removed."""
    name = f"lessons-{_state(root)}"
    try:
        folder = own_folder(root)
        for old in folder.glob("lessons-*"):
            if old.name != name:
                shutil.rmtree(old)
        (folder / name).mkdir(exist_ok=True)
    except OSError:  # a course that can only be read
        return instead
    return folder / name


def _state(root: Path) -> str:
    digest = hashlib.sha256(f"{sys.version_info[:2]}".encode())
    for library in LIBRARIES:
        try:
            digest.update(f"{library} {metadata.version(library)}".encode())
        except metadata.PackageNotFoundError:
            continue
    sources = sorted(Path(testing.__file__).parent.glob("*.py"))
    for path in (root / EXAMPLES_FILE, *sources):
        digest.update(path.read_bytes() if path.is_file() else b"")
    return digest.hexdigest()[:16]
