"""A source and its syntax tree, with the place and the text of every node: what is needed to edit it exactly."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import NamedTuple

SILENT: dict[
    type[ast.AST], tuple[str, ...]
] = {  # fields that change no result: messages, annotations, decorators
    ast.Raise: ("exc", "cause"),
    ast.Assert: ("msg",),
    ast.AnnAssign: ("annotation",),
    ast.arg: ("annotation",),
    ast.FunctionDef: ("returns", "decorator_list"),
    ast.JoinedStr: ("values",),
}

Placed = ast.expr | ast.stmt | ast.keyword


class Edit(NamedTuple):
    """Put `text` in place of the bytes from `start` to `end` of a source; `operator` says what kind of change it is."""

    operator: str
    start: int
    end: int
    text: str


class Script:
    """A parsed source. Places are byte offsets into `content`, because the columns of a syntax tree count bytes."""

    def __init__(self, source: str) -> None:
        self.content = source.encode()
        self.tree = ast.parse(source)
        self.functions = {node.name: node for node in self.tree.body if isinstance(node, ast.FunctionDef)}
        self._lines = [0]
        for line in self.content.split(b"\n"):
            self._lines.append(self._lines[-1] + len(line) + 1)
        self._parents = {child: node for node in ast.walk(self.tree) for child in ast.iter_child_nodes(node)}

    def nodes(self) -> Iterator[ast.AST]:
        """Every node that can change a result, a parent before its children."""
        return self._below(self.tree)

    def _below(self, node: ast.AST) -> Iterator[ast.AST]:
        yield node
        for name, value in ast.iter_fields(node):
            if name not in SILENT.get(type(node), ()):
                for child in value if isinstance(value, list) else [value]:
                    if isinstance(child, ast.AST):
                        yield from self._below(child)

    def parent(self, node: ast.AST) -> ast.AST | None:
        return self._parents.get(node)

    def function(self, node: ast.AST) -> ast.FunctionDef | None:
        """The innermost function that a node is in."""
        parent = self.parent(node)
        while parent is not None and not isinstance(parent, ast.FunctionDef):
            parent = self.parent(parent)
        return parent

    def start(self, node: Placed) -> int:
        return self._lines[node.lineno - 1] + node.col_offset

    def end(self, node: Placed) -> int:
        return self._lines[(node.end_lineno or 0) - 1] + (node.end_col_offset or 0)

    def text(self, node: Placed) -> str:
        return self.content[self.start(node) : self.end(node)].decode()

    def replace(self, operator: str, node: Placed, text: str) -> Edit:
        """Other text for a node."""
        return Edit(operator, self.start(node), self.end(node), text)

    def swap(self, operator: str, left: ast.expr, right: ast.expr) -> Edit:
        """Two expressions exchanged."""
        gap = self.content[self.end(left) : self.start(right)].decode()
        return Edit(operator, self.start(left), self.end(right), self.text(right) + gap + self.text(left))

    def between(self, operator: str, left: ast.expr, right: ast.expr, old: str, new: str) -> Iterator[Edit]:
        """`new` for the operator `old` that stands between two expressions."""
        gap = self.content[self.end(left) : self.start(right)]
        if found := re.search(rb"\s+".join(re.escape(part.encode()) for part in old.split()), gap):
            start = self.end(left) + found.start()
            yield Edit(operator, start, start + len(found[0]), new)
