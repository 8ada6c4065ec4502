"""`autograder notebooks`: each skeleton as a notebook, in one language."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from autograder.course import Exercise
from autograder.course.outputs import refuse_course, refuse_database, write_atomically
from autograder.errors import UserError


def import_nbformat() -> Any:
    """The module nbformat, in a fifth of the time that a plain import takes.

    jsonschema, which it imports, compiles a grammar of international web addresses where the package that holds it is
    installed. That takes a second, and no notebook's format asks for it.
    """
    grammar = "rfc3987_syntax"
    absent = grammar not in sys.modules
    if absent:
        sys.modules[grammar] = None  # type: ignore[assignment]  # "not to be imported", to Python
    try:
        import nbformat
    finally:
        if absent:
            del sys.modules[grammar]
    return nbformat


def notebook_of(exercise: Exercise, lang: str, skeleton: str | None = None) -> Any:
    """The exercise's skeleton (the one on disk by default) as a notebook, with the statements of one language only."""
    import_nbformat()  # jupytext would import it, too
    import jupytext

    source = exercise.skeleton.read_text(encoding="utf-8") if skeleton is None else skeleton
    notebook = jupytext.reads(source, fmt="py:percent")
    other = {"en": "zh", "zh": None}[lang]
    cells = [
        cell for cell in notebook.cells if cell.cell_type != "markdown" or cell.metadata.get("lang") != other
    ]
    if lang == "zh":
        cells = _chinese_only(cells)
    for number, cell in enumerate(cells):
        cell.id = _cell_id(exercise.topic, number)
        cell.metadata.pop("lang", None)
        if cell.source == f'check("{exercise.id}")' and lang == "zh":
            cell.source = f'check("{exercise.id}", lang="zh")'
    notebook.cells = cells
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
        "autograder": {"exercise": exercise.id},
    }
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    return notebook


def _cell_id(topic: str, number: int | str) -> str:
    """The name of a notebook's cell: at most 64 letters, digits and dashes."""
    return f"{topic.replace('_', '-')[:58]}-{number}"


def is_released_cell(cell_id: str, topic: str) -> bool:
    """Whether `notebook_of` named this cell: one that somebody added has a name that JupyterLab draws."""
    return cell_id.rpartition("-")[2].isdigit() and cell_id == _cell_id(topic, cell_id.rpartition("-")[2])


def _chinese_only(cells: list[Any]) -> list[Any]:
    """Drop each English statement cell that a Chinese one follows."""
    kept = []
    for cell, following in zip(cells, [*cells[1:], None], strict=True):
        translated = following is not None and following.metadata.get("lang") == "zh"
        if not (cell.cell_type == "markdown" and cell.metadata.get("lang") is None and translated):
            kept.append(cell)
    return kept


def write_notebook(exercise: Exercise, folder: Path, lang: str, *, force: bool = False) -> Path | None:
    """Write `folder/UNIT/TOPIC.ipynb`. One that is there and differs holds somebody's work: None unless `force`."""
    nbformat = import_nbformat()
    path = folder / exercise.unit / f"{exercise.topic}.ipynb"
    fresh = nbformat.writes(notebook_of(exercise, lang)) + "\n"
    if path.exists() and path.read_bytes() != fresh.encode():
        if not force:
            return None
        refuse_database(path)
        refuse_course(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, fresh.encode())
    except OSError as error:
        raise UserError(
            f"{path} can't be written ({error.strerror}); choose another place with --out",
            f"{path} 无法写入（{error.strerror}）；请用 --out 另选位置",
        ) from None
    return path
