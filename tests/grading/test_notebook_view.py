"""What is taken of a student's notebook to be shown again, and what a child that was taken over may not send."""

from __future__ import annotations

import json
from typing import Any

import pytest
from autograder.grading.notebook_view import MAX_CELLS, MAX_OUTPUTS, PNG, TEXT, ShownCell, accept, shown_cells

from autograder.guest.notebook import NotebookError


def raw(*cells: dict[str, Any]) -> bytes:
    return json.dumps({"cells": cells}).encode()


def test_cells() -> None:
    outputs = [
        {"output_type": "stream", "name": "stdout", "text": ["a\n", "\x1b[31mb\x1b[0m"]},
        {"output_type": "execute_result", "data": {"text/plain": "3", "text/html": "<b>3</b>"}},
        {"output_type": "display_data", "data": {"image/png": "aGk=\n", "text/plain": "<Figure>"}},
        {"output_type": "display_data", "data": {"image/svg+xml": "<svg onload='evil()'/>"}},
        {"output_type": "error", "traceback": ["Trace", "back"]},
        "nonsense",
    ]
    cells = shown_cells(
        raw(
            {"cell_type": "markdown", "source": ["# A\n", "b"], "metadata": {}},
            {
                "cell_type": "code",
                "source": "f()\ud800\x00",
                "metadata": {"nbgrader": {"grade_id": "affine"}},
                "outputs": outputs,
            },
            {"cell_type": ["odd"], "source": "x", "metadata": {"nbgrader": {"grade_id": 3}}},
        )
    )
    assert cells == [
        ShownCell("markdown", "# A\nb", "", []),
        ShownCell(
            "code", "f()?", "affine", [(TEXT, "a\nb"), (TEXT, "3"), (PNG, "aGk=\n"), (TEXT, "Traceback")]
        ),
        ShownCell("raw", "x", "", []),
    ]
    assert accept([tuple(cell) for cell in cells]) == cells


def test_limits() -> None:
    output = {"output_type": "stream", "text": "x" * (MAX_OUTPUTS // 2 + 1)}
    cells = shown_cells(raw({"cell_type": "code", "source": "", "outputs": [output, output]}))
    assert len(cells[0].outputs) == 1
    with pytest.raises(NotebookError, match="too long"):
        shown_cells(raw({"cell_type": "code", "source": "x" * 4_000_000}))
    assert len(shown_cells(raw(*[{"cell_type": "code", "source": ""}] * (MAX_CELLS + 5)))) == MAX_CELLS
    with pytest.raises(NotebookError, match="not JSON"):
        shown_cells(b"{")


@pytest.mark.parametrize(
    "answer",
    [
        None,
        [("code", "x", "")],
        [["code", "x", "", []]],
        [("html", "x", "", [])],
        [("code", b"x", "", [])],
        [("code", "x", "", [("text/html", "<script>")])],
        [("code", "x", "", [(PNG, 'a" onerror="evil()')])],
        [("code", "x", "", [(TEXT, "\x1b[2J")])],
        [("code", "x", "", ["text"])],
        [("code", "x", "", [])] * (MAX_CELLS + 1),
        [("code", "x" * 4_000_000, "", [])],
        [("code", "x", "", [(TEXT, "y" * (MAX_OUTPUTS + 1))])],
    ],
)
def test_hostile_answers(answer: Any) -> None:
    with pytest.raises(NotebookError):
        accept(answer)


def test_in_a_child(sandbox: Any) -> None:
    from autograder.results import Limits

    with sandbox.open({}, "", limits=Limits(seconds=10, memory_mb=256)) as child:
        assert child.cells(raw({"cell_type": "code", "source": "1"})) == [ShownCell("code", "1", "", [])]
        with pytest.raises(NotebookError, match="not JSON"):
            child.cells(b"no")
        assert child.cells(raw()) == []
    child = sandbox.open({}, "", limits=Limits(seconds=10, memory_mb=128))
    with child, pytest.raises(NotebookError):
        child.cells(b'{"cells": [' + b"[" * 30_000_000)
