"""A submitted notebook's cells as plain data, for showing and comparing them.

The JSON is decoded into declared types, and nothing of it is executed. Kept are sources, and of the outputs text and
PNG images: what can't run anything in the browser of whoever reads it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec
from msgspec import Struct, field

from autograder.guest.notebook import NotebookError

KINDS = ("code", "markdown", "raw")
TEXT, PNG = "text/plain", "image/png"
MAX_BYTES = 16 << 20
MAX_CELLS = 1000
MAX_SOURCES = 3_000_000  # characters of all sources, more than anybody writes by hand
MAX_OUTPUTS = 2_000_000  # characters of all outputs that are kept
BASE64 = re.compile(r"[A-Za-z0-9+/=\n]*")
ESCAPES = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")  # colours of a traceback
UNPRINTABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")

Lines = str | list[str]


class ShownCell(NamedTuple):
    """One cell. `grade_id` is nbgrader's name for it, "" for a cell of the student's own."""

    kind: str
    source: str
    grade_id: str
    outputs: list[tuple[str, str]]  # (TEXT or PNG, content)


class _Data(Struct, frozen=True):
    text: Lines | None = field(name=TEXT, default=None)
    png: Lines | None = field(name=PNG, default=None)


class _Output(Struct, frozen=True):
    data: _Data = _Data()
    text: Lines | None = None
    traceback: Lines | None = None


class _Nbgrader(Struct, frozen=True):
    grade_id: str = ""


class _Metadata(Struct, frozen=True):
    nbgrader: _Nbgrader = _Nbgrader()


class _Cell(Struct, frozen=True):
    cell_type: str
    source: Lines | None = None
    input: Lines = ""  # what nbformat 3 calls the source of a code cell
    outputs: list[_Output] = []
    metadata: _Metadata = _Metadata()


class _Sheet(Struct, frozen=True):
    cells: list[_Cell] = []


class _Notebook(Struct, frozen=True):
    cells: list[_Cell] | None = None
    worksheets: list[_Sheet] = []  # of nbformat 3


_decoder = msgspec.json.Decoder(_Notebook)


def shown_cells(raw: bytes) -> list[ShownCell]:
    """The cells of a notebook's JSON. NotebookError if it can't be read."""
    if len(raw) > MAX_BYTES:
        raise NotebookError("the notebook is too large to be shown")
    try:
        notebook = _decoder.decode(raw.removeprefix(b"\xef\xbb\xbf"))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise NotebookError(f"the notebook can't be read ({error}); save it again from Jupyter") from None
    found = notebook.worksheets[0].cells if notebook.worksheets else notebook.cells
    if found is None:
        raise NotebookError("the file is JSON but holds no notebook cells; save it again from Jupyter")
    if len(found) > MAX_CELLS:
        raise NotebookError(f"the notebook has more than {MAX_CELLS} cells")
    left = MAX_OUTPUTS
    cells: list[ShownCell] = []
    for cell in found:
        outputs = []
        for kind, content in _outputs(cell):
            if len(content) <= left:
                left -= len(content)
                outputs.append((kind, content))
        kind = cell.cell_type if cell.cell_type in KINDS else "raw"
        source = _clean(_joined(cell.input if cell.source is None else cell.source))
        cells.append(ShownCell(kind, source, _clean(cell.metadata.nbgrader.grade_id), outputs))
    if sum(len(cell.source) for cell in cells) > MAX_SOURCES:
        raise NotebookError("the notebook is too long to be shown")
    return cells


def _clean(text: str) -> str:
    return UNPRINTABLE.sub("", ESCAPES.sub("", text)).encode("utf-8", "replace").decode()


def _outputs(cell: _Cell) -> Iterator[tuple[str, str]]:
    for output in cell.outputs:
        if output.data.png is not None:
            image = _joined(output.data.png)
            if BASE64.fullmatch(image):
                yield PNG, image
        elif text := _clean(_joined(output.text or output.traceback or output.data.text or "")):
            yield TEXT, text


def _joined(lines: Any) -> str:
    return lines if isinstance(lines, str) else "".join(lines)
