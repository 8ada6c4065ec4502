"""What is taken of a student's notebook to be shown or compared, and what a hostile one can't do."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from autograder.course import Exercise
from autograder.grading.notebook_view import (
    MAX_BYTES,
    MAX_CELLS,
    MAX_OUTPUTS,
    PNG,
    TEXT,
    ShownCell,
    shown_cells,
)
from autograder.grading.pristine import is_pristine
from autograder.guest.notebook import NotebookError


def raw(*cells: object) -> bytes:
    return json.dumps({"cells": cells}).encode()


def code(source: object = "f()", **more: object) -> dict[str, Any]:
    return {"cell_type": "code", "source": source, **more}


def test_cells() -> None:
    outputs = [
        {"output_type": "stream", "name": "stdout", "text": ["a\n", "\x1b[31mb\x1b[0m"]},
        {"output_type": "execute_result", "data": {"text/plain": "3", "text/html": "<b>3</b>"}},
        {"output_type": "display_data", "data": {"image/png": "aGk=\n", "text/plain": "<Figure>"}},
        {"output_type": "display_data", "data": {"image/svg+xml": "<svg onload='evil()'/>"}},
        {"output_type": "display_data", "data": {"image/png": 'a" onerror="evil()'}},
        {"output_type": "error", "traceback": ["Trace", "back\x1b[2J\x07"]},
    ]
    cells = shown_cells(
        b"\xef\xbb\xbf"
        + raw(
            {"cell_type": "markdown", "source": ["# A\n", "b"], "metadata": {}},
            code("f()\x00", metadata={"nbgrader": {"grade_id": "affine"}}, outputs=outputs),
            {"cell_type": "html", "source": "x"},
        )
    )
    assert cells == [
        ShownCell("markdown", "# A\nb", "", []),
        ShownCell(
            "code", "f()", "affine", [(TEXT, "a\nb"), (TEXT, "3"), (PNG, "aGk=\n"), (TEXT, "Traceback")]
        ),
        ShownCell("raw", "x", "", []),
    ]


def test_notebooks_of_format_3() -> None:
    sheet = {"cells": [{"cell_type": "code", "input": ["a\n", "b"], "outputs": []}]}
    assert shown_cells(json.dumps({"worksheets": [sheet]}).encode()) == [ShownCell("code", "a\nb", "", [])]


def test_limits() -> None:
    output = {"output_type": "stream", "text": "x" * (MAX_OUTPUTS // 2 + 1)}
    cells = shown_cells(raw(code("", outputs=[output, output])))
    assert len(cells[0].outputs) == 1
    assert len(shown_cells(raw(*[code("")] * MAX_CELLS))) == MAX_CELLS
    with pytest.raises(NotebookError, match="more than 1000 cells"):
        shown_cells(raw(*[code("")] * (MAX_CELLS + 1)))


def cell_with(member: bytes) -> bytes:
    return b'{"cells": [{"cell_type": "code", "source": "f()", ' + member + b"}]}"


REFUSED = {
    "no bytes": b"",
    "no JSON": b"{",
    "null": b"null",
    "a list": b"[]",
    "no cells": b"{}",
    "cells that are null": b'{"cells": null}',
    "cells that are a number": b'{"cells": 3}',
    "a cell that is a number": raw(1),
    "a cell of no type": raw({"source": "f()"}),
    "a type that is a list": raw({"cell_type": ["code"], "source": "f()"}),
    "a source that is a number": raw(code(5)),
    "lines that are numbers": raw(code([5])),
    "a name that is a number": raw(code(metadata={"nbgrader": {"grade_id": 3}})),
    "an output that is a text": raw(code(outputs=["text"])),
    "an output whose text is an object": raw(code(outputs=[{"text": {}}])),
    "an image that is a number": raw(code(outputs=[{"data": {"image/png": 3}}])),
    "NaN in an output": raw(code(outputs=[{"data": {"application/json": math.nan}}])),
    "infinity for a count": raw(code(execution_count=math.inf)),
    "half a surrogate pair": raw(code("f()\ud800")),
    "bytes that are no UTF-8": '{"cells": [{"cell_type": "code", "source": "é"}]}'.encode("latin-1"),
    "UTF-16": '{"cells": []}'.encode("utf-16"),
    "nested cells": b'{"cells": [' + b"[" * 1_000_000,
    "nested lists that nobody reads": cell_with(b'"metadata": {"x": ' + b"[" * 1_000_000 + b"]" * 1_000_000 + b"}"),
    "nested objects that nobody reads": cell_with(b'"x": ' + b'{"a":' * 1_000_000 + b"1" + b"}" * 1_000_000),
    "four million characters of code": raw(code("x" * 4_000_000)),
    "more bytes than are read": raw(code("")) + b" " * MAX_BYTES,
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused(affine: Exercise, name: str) -> None:
    """By the one error that callers expect; and it never passes for a notebook in which nobody worked."""
    with pytest.raises(NotebookError):
        shown_cells(REFUSED[name])
    assert is_pristine(affine, "affine.ipynb", REFUSED[name]) == (not REFUSED[name])


@pytest.mark.parametrize("number", [b"1e999", b"9" * 1_000_000, b"-0.0"])
def test_numbers_that_nobody_reads(affine: Exercise, number: bytes) -> None:
    hostile = cell_with(b'"execution_count": ' + number)
    assert shown_cells(hostile) == [ShownCell("code", "f()", "", [])]
    assert not is_pristine(affine, "affine.ipynb", hostile)


def test_of_two_members_of_one_name_the_last_counts(affine: Exercise) -> None:
    """As where the cells are run: what is compared is what is graded."""
    twice = b'{"cells": [], ' + cell_with(b'"source": "g()"')[1:]
    assert [cell.source for cell in shown_cells(twice)] == ["g()"]
    assert not is_pristine(affine, "affine.ipynb", twice)
