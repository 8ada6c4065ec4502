"""A notebook's code cells as plain Python, with the standard library alone (importing nbformat takes over a second).

Lines that only IPython understands (`%magic`, `!shell`, `name?`) become comments, so
line numbers stay those of the cells; a cell that begins with a cell magic (`%%bash`), or whose first line is
`# autograder: skip`, is left out.
"""

from __future__ import annotations

import json
import re
import tokenize
from typing import Any

SKIP = "# autograder: skip"
HELP = re.compile(r"[%\w.*\[\]]+\?{1,2}")  # len?, torch.nn.Linear??, %timeit?
ASSIGNED = re.compile(r"^(\s*[A-Za-z_][\w.,\s\[\]]*=\s*)[%!]")  # files = !ls, t = %timeit -o f()


class NotebookError(SyntaxError):
    """The file is not a notebook that can be read. A SyntaxError, because that is what it is for a `.py` file."""


def notebook_cells(raw: bytes) -> list[dict[str, Any]]:
    """The cells as they stand in the JSON. NotebookError if there are none."""
    try:
        notebook = json.loads(raw.decode("utf-8-sig"))
    except (UnicodeDecodeError, ValueError, RecursionError) as error:
        raise NotebookError(f"the notebook is not JSON ({error}); save it again from Jupyter") from None
    sheets = notebook.get("worksheets") if isinstance(notebook, dict) else None
    if isinstance(sheets, list) and sheets:
        notebook = sheets[0]  # nbformat 3
    cells = notebook.get("cells") if isinstance(notebook, dict) else None
    if not isinstance(cells, list) or not all(isinstance(cell, dict) for cell in cells):
        raise NotebookError("the file is JSON but holds no notebook cells; save it again from Jupyter")
    return cells


def text_of(cell: dict[str, Any]) -> str:
    """A cell's source."""
    source = cell.get("source", cell.get("input", ""))
    if isinstance(source, str):
        return source
    if isinstance(source, list) and all(isinstance(line, str) for line in source):
        return "".join(source)
    raise NotebookError("a cell of the notebook has no text as its source; save it again from Jupyter")


def _rewritten(line: str) -> str | None:
    """What stands for a line that only IPython understands; None for any other line."""
    stripped = line.strip()
    indent = line[: len(line) - len(line.lstrip())]
    if stripped.startswith(("%", "!", "?")) or HELP.fullmatch(stripped):
        return f"{indent}pass  # {stripped}"
    assigned = ASSIGNED.match(line)
    return f"{assigned[1]}None  # {stripped}" if assigned else None


def _unfinished(lines: list[str]) -> bool:
    """Whether these lines end inside a bracket or a triple-quoted string, so that the next one belongs to it."""
    try:
        for _ in tokenize.generate_tokens(iter([line + "\n" for line in lines]).__next__):
            pass
    except tokenize.TokenError as error:
        return "multi-line" in str(error) or "triple-quoted" in str(error)
    except SyntaxError:
        return False
    return False


def _plain_python(source: str) -> str:
    lines: list[str] = []
    for line in source.split("\n"):
        plain = _rewritten(line)
        lines.append(line if plain is None or _unfinished(lines) else plain)
    return "\n".join(lines)


def kept_cells(raw: bytes) -> list[str]:
    """The notebook's code cells as they stand there, in order, without skipped cells. NotebookError if unreadable."""
    sources = [text_of(cell) for cell in notebook_cells(raw) if cell.get("cell_type") == "code"]
    return [s for s in sources if not s.lstrip().startswith(("%%", SKIP))]


def code_cells(raw: bytes) -> list[str]:
    """The same as plain Python, line for line."""
    return [s if _compiles(s) else _plain_python(s) for s in kept_cells(raw)]


def _compiles(source: str) -> bool:
    """Plain Python is left untouched: a line may begin with `%` inside a multi-line expression or string."""
    try:
        compile(source, "<cell>", "exec", dont_inherit=True)
    except (SyntaxError, ValueError):
        return False
    return True
