"""Code line by line, however it is written: what differs between two programs, and the edits of one that give the other.

Both are read as syntax and written again in one style, without comments, docstrings and imports. Nothing is run.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Sequence
from difflib import SequenceMatcher, unified_diff
from typing import NamedTuple

from autograder.course import Edit
from autograder.guest.loading import decode_source
from autograder.guest.notebook import NotebookError, kept_cells

UNREADABLE = (SyntaxError, ValueError, RecursionError, MemoryError, NotebookError)
SMALL = 6  # lines that an edit may change
# The parts of a statement that hold others, and what stands above them; `cases` of a `match` are its body.
BLOCKS = {"body": "", "cases": "", "handlers": "", "orelse": "else:", "finalbody": "finally:"}
ABOVE = 4  # lines of the reference that may be added before a line to tell it from others
LONGEST = 20_000  # characters of a program that are looked at


class Line(NamedTuple):
    """A statement, or the head of one, as one text; first and last: its lines in the file, from 1."""

    text: str
    first: int
    last: int


def code_of(main: str, raw: bytes) -> str:
    """A submission's code as text; "" where it can't be read."""
    try:
        text = "\n\n".join(kept_cells(raw)) if main.endswith(".ipynb") else decode_source(raw)
    except UNREADABLE:
        return ""
    return text if len(text) <= LONGEST else ""


def lines_of(source: str, without: Collection[str] = ()) -> list[Line]:
    """The statements of a program in order; nothing where it is no Python.

    Args:
        without: names of functions that are left out.
    """
    lines: list[Line] = []
    try:
        for node in ast.parse(source).body:
            if getattr(node, "name", None) not in without:
                _add(lines, node, 0)
    except UNREADABLE:
        return []
    return lines


def _add(lines: list[Line], node: ast.AST, depth: int) -> None:
    if isinstance(node, ast.Import | ast.ImportFrom | ast.Pass) or _is_text(node):
        return
    indent = "    " * depth
    blocks = {
        name: found for name in BLOCKS if isinstance(found := getattr(node, name, None), list) and found
    }
    text = ast.unparse(node).strip().splitlines()
    first = _first(node)
    if not blocks:
        lines += [Line(indent + line, first, getattr(node, "end_lineno", None) or first) for line in text]
        return
    head = text[len(getattr(node, "decorator_list", ()))]
    lines.append(Line(indent + head, first, max(first, _first(next(iter(blocks.values()))[0]) - 1)))
    for name, block in blocks.items():
        if BLOCKS[name]:
            above = _first(block[0]) - 1
            lines.append(Line(indent + BLOCKS[name], above, above))
        for one in block:
            _add(lines, one, depth + (name != "handlers"))  # `except` stands as far left as `try`


def _first(node: ast.AST) -> int:
    return int(node.pattern.lineno if isinstance(node, ast.match_case) else getattr(node, "lineno", 1))


def _is_text(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def distance(one: Sequence[Line], other: Sequence[Line]) -> int:
    """How many lines differ."""
    return sum(max(i2 - i1, j2 - j1) for i1, i2, j1, j2 in _changes(one, other))


def difference(right: Sequence[Line], theirs: Sequence[Line]) -> str:
    """A unified diff from a right program to theirs."""
    texts = [line.text for line in right], [line.text for line in theirs]
    return "\n".join(list(unified_diff(*texts, n=2, lineterm=""))[2:])


def edits_to(solution: str, theirs: Sequence[Line], without: Collection[str] = ()) -> tuple[Edit, ...]:
    """Edits of the solution that make it say what theirs says; none where they would not be small, or can't be written."""
    right, source = lines_of(solution, without), solution.splitlines()
    changes = _changes(right, theirs)
    if not changes or distance(right, theirs) > SMALL:
        return ()
    edits = []
    for i1, i2, j1, j2 in changes:
        before = i1 == i2  # something is added after the line before
        if before and i1 == 0:
            return ()
        first, last = (right[i1 - 1], right[i1 - 1]) if before else (right[i1], right[i2 - 1])
        start, new = first.first - 1, [line.text for line in theirs[j1:j2]]
        kept = source[start : last.last] if before else []
        for above in range(ABOVE + 1):
            old = "\n".join(source[start - above : last.last])
            if start >= above and solution.count(old) == 1:
                edits.append(Edit(old, "\n".join([*source[start - above : start], *kept, *new])))
                break
        else:
            return ()
    return tuple(edits)


def _changes(one: Sequence[Line], other: Sequence[Line]) -> list[tuple[int, int, int, int]]:
    texts = [line.text for line in one], [line.text for line in other]
    codes = SequenceMatcher(None, *texts, autojunk=False).get_opcodes()
    return [(i1, i2, j1, j2) for tag, i1, i2, j1, j2 in codes if tag != "equal"]
