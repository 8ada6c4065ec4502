"""A notebook's JSON as Python source, with the standard library alone (importing nbformat takes over a second).

Code cells are joined in order. Lines that only IPython understands (`%magic`, `!shell`, `name?`) become comments, so
line numbers stay those of the cells; a cell that begins with a cell magic (`%%bash`), or whose first line is
`# autograder: skip`, is left out.
"""

from __future__ import annotations

import json
from typing import Any

SKIP = "# autograder: skip"


class NotebookError(SyntaxError):
    """The file is not a notebook that can be read. A SyntaxError, because that is what it is for a `.py` file."""


def _cells(raw: bytes) -> list[dict[str, Any]]:
    try:
        notebook = json.loads(raw.decode("utf-8-sig"))
    except (UnicodeDecodeError, ValueError, RecursionError) as error:
        raise NotebookError(f"the notebook is not JSON ({error}); save it again from Jupyter") from None
    if isinstance(notebook, dict) and "cells" not in notebook and notebook.get("worksheets"):
        notebook = notebook["worksheets"][0]  # nbformat 3
    cells = notebook.get("cells") if isinstance(notebook, dict) else None
    if not isinstance(cells, list) or not all(isinstance(cell, dict) for cell in cells):
        raise NotebookError("the file is JSON but holds no notebook cells; save it again from Jupyter")
    return cells


def _text(cell: dict[str, Any]) -> str:
    source = cell.get("source", cell.get("input", ""))
    return source if isinstance(source, str) else "".join(map(str, source))


def _is_ipython(line: str) -> bool:
    stripped = line.strip()
    return stripped.startswith(("%", "!", "?")) or (stripped.endswith("?") and "#" not in stripped)


def _plain_python(source: str) -> str:
    lines = []
    for line in source.split("\n"):
        if _is_ipython(line):
            indent = line[: len(line) - len(line.lstrip())]
            line = f"{indent}pass  # {line.strip()}"
        lines.append(line)
    return "\n".join(lines)


def code_cells(raw: bytes) -> list[str]:
    """The notebook's code cells as plain Python, in order, without skipped cells. NotebookError if unreadable."""
    sources = [_text(cell) for cell in _cells(raw) if cell.get("cell_type") == "code"]
    kept = [s for s in sources if not s.lstrip().startswith(("%%", SKIP))]
    return [s if _compiles(s) else _plain_python(s) for s in kept]


def _compiles(source: str) -> bool:
    """Plain Python is left untouched: a line may begin with `%` inside a multi-line expression or string."""
    try:
        compile(source, "<cell>", "exec", dont_inherit=True)
    except (SyntaxError, ValueError):
        return False
    return True


def notebook_source(raw: bytes) -> str:
    """All code cells as one source text."""
    return "\n\n".join(code_cells(raw)) + "\n"
