"""A submitted notebook's cells as plain data, for showing them again: `shown_cells` runs in a confined child, `accept`
checks its answer outside.

Kept are sources, and of the outputs text and PNG images: what can't run anything in the browser of whoever reads it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from autograder.guest.notebook import NotebookError, notebook_cells, text_of

KINDS = ("code", "markdown", "raw")
TEXT, PNG = "text/plain", "image/png"
MAX_CELLS = 1000
MAX_SOURCES = 3_000_000  # characters of all sources, more than anybody writes by hand
MAX_OUTPUTS = 2_000_000  # characters of all outputs that are kept
BASE64 = re.compile(r"[A-Za-z0-9+/=\n]*")
ESCAPES = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")  # colours of a traceback
UNPRINTABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


class ShownCell(NamedTuple):
    """One cell. `grade_id` is nbgrader's name for it, "" for a cell of the student's own."""

    kind: str
    source: str
    grade_id: str
    outputs: list[tuple[str, str]]  # (TEXT or PNG, content)


def shown_cells(raw: bytes) -> list[ShownCell]:
    """The cells of a notebook's JSON. NotebookError if it can't be read."""
    left = MAX_OUTPUTS
    cells: list[ShownCell] = []
    for cell in notebook_cells(raw)[:MAX_CELLS]:
        outputs = []
        for kind, content in _outputs(cell):
            if len(content) <= left:
                left -= len(content)
                outputs.append((kind, content))
        cell_type = next((known for known in KINDS if cell.get("cell_type") == known), "raw")
        cells.append(ShownCell(cell_type, _clean(text_of(cell)), _grade_id(cell), outputs))
    if sum(len(cell.source) for cell in cells) > MAX_SOURCES:
        raise NotebookError("the notebook is too long to be shown")
    return cells


def _clean(text: str) -> str:
    return UNPRINTABLE.sub("", ESCAPES.sub("", text)).encode("utf-8", "replace").decode()


def _grade_id(cell: dict[str, Any]) -> str:
    metadata = cell.get("metadata")
    settings = metadata.get("nbgrader") if isinstance(metadata, dict) else None
    name = settings.get("grade_id") if isinstance(settings, dict) else None
    return _clean(name) if isinstance(name, str) else ""


def _outputs(cell: dict[str, Any]) -> Iterator[tuple[str, str]]:
    outputs = cell.get("outputs")
    for output in outputs if isinstance(outputs, list) else []:
        if not isinstance(output, dict):
            continue
        bundle = output.get("data")
        bundle = bundle if isinstance(bundle, dict) else {}
        if PNG in bundle:
            yield PNG, _joined(bundle[PNG])
        elif text := _clean(_joined(output.get("text", output.get("traceback", bundle.get(TEXT))))):
            yield TEXT, text


def _joined(value: Any) -> str:
    if isinstance(value, list):
        return "".join(part for part in value if isinstance(part, str))
    return value if isinstance(value, str) else ""


def accept(answer: Any) -> list[ShownCell]:
    """The child's answer, checked again: the child may have been taken over by the notebook it read."""
    if type(answer) is not list or len(answer) > MAX_CELLS:
        raise NotebookError("reading it gave no list of cells")
    cells = []
    for entry in answer:
        if type(entry) is not tuple or list(map(type, entry)) != [str, str, str, list]:
            raise NotebookError("reading it gave something other than cells")
        kind, source, grade_id, outputs = entry
        if kind not in KINDS or not all(map(_is_harmless, outputs)):
            raise NotebookError("reading it gave something other than sources, text and images")
        cells.append(ShownCell(kind, _clean(source), _clean(grade_id), outputs))
    sources = sum(len(cell.source) for cell in cells)
    shown = sum(len(content) for cell in cells for _, content in cell.outputs)
    if sources > MAX_SOURCES or shown > MAX_OUTPUTS:
        raise NotebookError("reading it gave more than the limits allow")
    return cells


def _is_harmless(output: Any) -> bool:
    if type(output) is not tuple or list(map(type, output)) != [str, str]:
        return False
    kind, content = output
    if kind == PNG:
        return BASE64.fullmatch(content) is not None
    return kind == TEXT and content == _clean(content)
