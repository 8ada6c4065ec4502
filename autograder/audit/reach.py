"""Which tests can a change of the solution show in? Those that reach a function whose behaviour it can change.

What a test reaches is in its trace: every operation on the student's module has the name it began with. All else is read
from the solution's text, and where that leaves a doubt, every test counts.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable
from difflib import SequenceMatcher

from autograder.remote.proxy import Call
from autograder.runner.collect import TestCase

IDENTIFIER = re.compile(r"[^\W\d]\w*")
NOT_OF_THE_MODULE = ("load", "callback")  # kinds of operations that are part of every trace, or of none


def changed_lines(before: str, after: str) -> set[int]:
    """The lines of `before`, counted from 1, that differ in `after`; for an insertion, the line that follows it."""
    matcher = SequenceMatcher(None, before.splitlines(), after.splitlines(), autojunk=False)
    changed: set[int] = set()
    for operation, first, last, _, _ in matcher.get_opcodes():
        if operation != "equal":
            changed |= set(range(first + 1, max(last, first + 1) + 1))
    return changed


def changed_names(solution: str, changed: Iterable[int]) -> set[str] | None:
    """The functions and classes whose behaviour these lines can change, directly or through what they call.

    None: they can change anything, because one is outside the body of a function, or a statement of the module itself
    uses what they change.
    """
    tree = ast.parse(solution)
    definitions = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    mentioned = {node.name: _mentioned(node) for node in tree.body if isinstance(node, definitions)}
    names: set[str] = set()
    for line in changed:
        owners = {node.name for node in tree.body if isinstance(node, definitions) and _runs(node, line)}
        if not owners:
            return None
        names |= owners
    while more := {name for name, others in mentioned.items() if others & names} - names:
        names |= more
    statements = [node for node in tree.body if not isinstance(node, definitions)]
    return None if any(_mentioned(node) & names for node in statements) else names


def _runs(node: ast.stmt, line: int) -> bool:
    """Whether the line is in the body of this function, or of a method of this class."""
    if isinstance(node, ast.ClassDef):
        return any(_runs(inner, line) for inner in node.body)
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        return node.body[0].lineno <= line <= (node.body[-1].end_lineno or 0)
    return False


def _mentioned(node: ast.AST) -> set[str]:
    found: set[str] = set()
    for inner in ast.walk(node):
        if isinstance(inner, ast.Name):
            found.add(inner.id)
        elif isinstance(inner, ast.Attribute):
            found.add(inner.attr)
        elif isinstance(inner, ast.Constant) and isinstance(inner.value, str):
            found |= set(IDENTIFIER.findall(inner.value)) if inner.value.isidentifier() else set()
    return found


def reaches(case: TestCase, trace: Iterable[Call], names: set[str] | None) -> bool:
    """Whether a test whose trace on the reference is this one can see a change of these functions."""
    used = {
        name for call in trace if call.kind not in NOT_OF_THE_MODULE for name in IDENTIFIER.findall(call.path)
    }
    # A trace that is too large is not kept, and a function that is only handed on is asked for once in several tests.
    return names is None or not used or bool((used | case.uses) & names)
