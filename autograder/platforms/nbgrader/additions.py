"""What an instructor added to an nbgrader course that we released: it stays when the course is released again.

In the configuration that is every line outside the marked part, in a source notebook every cell that we did not write.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from autograder.authoring.notebooks import is_released_cell
from autograder.platforms.nbgrader.course_dir import exercise_of

PART_BEGINS, PART_ENDS = "# BEGIN autograder", "# END autograder"
MARKED = re.compile(rf"^{PART_BEGINS}.*?^{PART_ENDS}[^\n]*\n?", re.DOTALL | re.MULTILINE)


def with_own_lines(fresh: str, before: str) -> str:
    """The new configuration's marked part in place of the old one. A file without one is wholly somebody's own."""
    if MARKED.search(before):
        return MARKED.sub(lambda _: fresh, before, count=1)
    return f"{fresh}\n{before}"


def carry_cells(path: Path, before: Mapping[str, Any]) -> None:
    """Put the cells that somebody added to the notebook `before` into the one at `path`, each behind the same cell."""
    import nbformat

    notebook = nbformat.read(path, as_version=4)
    topic = (exercise_of(notebook) or "").rpartition("/")[2]
    place, added = -1, 0
    for cell in nbformat.from_dict(before["cells"]):
        if is_released_cell(cell.get("id", ""), topic):
            place = _place(notebook.cells, cell, place)
        else:
            place, added = place + 1, added + 1
            notebook.cells.insert(place, cell)
    if added:
        nbformat.write(notebook, path)


def _place(cells: Sequence[Any], wanted: Any, otherwise: int) -> int:
    """Where one of our cells of the last release is in the new one: its text, else its name, else where we were."""
    same_text = [n for n, cell in enumerate(cells) if cell.source == "".join(wanted["source"])]
    same_name = [n for n, cell in enumerate(cells) if cell.id == wanted["id"]]
    later = [n for n in (*same_text, *same_name) if n > otherwise]
    return later[0] if later else otherwise
