"""How near a wrong answer is to a correct one: the lines of a function in which it differs from a solution, where these are few.

Read, never run. Of each function only statements are compared, one by one, as `ast.unparse` writes them: comments,
docstrings, annotations and layout are aside, and so are the names of arguments and local variables, as long as one stands
for one throughout. A solution may come from any of the accepted ones, with the helpers that it needs beside it.
"""

from __future__ import annotations

import ast
import copy
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from typing import NamedTuple

from autograder.text import Text, joined

MOST = 2  # lines that may differ
LEAST = 3  # statements of a function that says anything by being near: of a shorter one, every answer is
LONGEST = 64 << 10  # characters of a file that is read
UNREADABLE = (SyntaxError, ValueError, RecursionError, MemoryError)
LOCAL = "_"  # what stands for every local name while lines are compared

ONE = Text(
    "One line of {function} differs from a correct solution:",
    "{function} 与一个正确解法只差一行：",
)
SEVERAL = Text(
    "{count} lines of {function} differ from a correct solution:",
    "{function} 与一个正确解法只差 {count} 行：",
)

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
HEADS = ("body", "orelse", "finalbody", "handlers", "cases")  # what a statement's first line does without


class Statement(NamedTuple):
    """One statement, or the first line of one that holds others; `names` are the local ones in it, in order."""

    text: str
    names: tuple[str, ...]
    number: int


class Near(NamedTuple):
    """A function of a submission, and the lines in which it differs from a solution."""

    function: str
    lines: tuple[int, ...]


def nearest(source: str, functions: Sequence[str], solutions: Sequence[str]) -> list[Near]:
    """Those of the functions that differ from a solution's in few lines, with these. What is no Python is not near.

    functions: the functions and classes that lost points.
    """
    own, right = definitions(source), [definitions(solution) for solution in solutions]
    found = []
    for name in functions:
        try:
            lines = list(_lines(own[name])) if name in own else []
        except UNREADABLE:
            continue
        distances = [
            differing
            for solution in right
            if (differing := _differing(name, lines, own, solution)) is not None
        ]
        best = min(distances, key=len, default=())
        if 0 < len(best) <= MOST and len(lines) > LEAST and 2 * len(best) < len(lines):
            found.append(Near(name, best))
    return found


def told(near: Near, places: Sequence[str]) -> Text:
    """What a student reads. `places`: the lines, as messages name them in the file that was handed in."""
    count = len(near.lines)
    first = (ONE if count == 1 else SEVERAL).format(function=near.function, count=count)
    listed = "\n".join(f"  {place}" for place in places)
    return joined(first, Text(listed, listed))


def definitions(source: str) -> dict[str, Definition]:
    """The functions and classes of a file, by name; none of one that can't be read."""
    if len(source) > LONGEST:
        return {}
    try:
        return {node.name: node for node in ast.parse(source).body if isinstance(node, Definition)}
    except UNREADABLE:
        return {}


def _differing(
    name: str, lines: Sequence[Statement], own: Mapping[str, Definition], solution: Mapping[str, Definition]
) -> tuple[int, ...] | None:
    """The lines of one's own in which a function differs from a solution's; None where helpers differ, too, or many lines."""
    if name not in solution:
        return None
    try:
        right = list(_lines(solution[name]))
        if abs(len(right) - len(lines)) > MOST:
            return None
        used = {node.id for node in ast.walk(solution[name]) if isinstance(node, ast.Name)}
        for helper in (used & solution.keys()) - {name}:
            if helper not in own or _compared(list(_lines(own[helper])), list(_lines(solution[helper]))):
                return None
        return _compared(lines, right)
    except UNREADABLE:
        return None


def _compared(lines: Sequence[Statement], right: Sequence[Statement]) -> tuple[int, ...]:
    """The numbers of those of the lines that differ. Where one is missing, that of the line before."""
    matcher = SequenceMatcher(
        None, [line.text for line in lines], [line.text for line in right], autojunk=False
    )
    differing: list[int] = []
    pairs: list[tuple[Statement, Statement]] = []
    for kind, i1, i2, j1, j2 in matcher.get_opcodes():
        if kind == "equal":
            pairs += zip(lines[i1:i2], right[j1:j2], strict=True)
            continue
        differing += [line.number for line in lines[i1:i2]]
        differing += [lines[max(0, i2 - 1)].number] * ((j2 - j1) - (i2 - i1))
    meant = _meant(pairs)
    differing += [
        line.number
        for line, other in pairs
        if any(meant.get(name) != wanted for name, wanted in zip(line.names, other.names, strict=True))
    ]
    return tuple(sorted(differing))


def _meant(pairs: Sequence[tuple[Statement, Statement]]) -> dict[str, str]:
    """Which local name of the solution each of one's own stands for: what most places say, and no two for one."""
    votes = Counter(both for line, other in pairs for both in zip(line.names, other.names, strict=True))
    meant: dict[str, str] = {}
    for (name, wanted), _ in sorted(votes.items(), key=lambda vote: (-vote[1], vote[0])):
        if name not in meant and wanted not in meant.values():
            meant[name] = wanted
    return meant


# ------------------------------------------------------------------------------------------ one function, line by line


def _lines(definition: Definition) -> Iterator[Statement]:
    """Its statements in order, those within others after the line that these begin with."""
    local = _local_names(definition)

    def of(node: ast.AST, depth: int) -> Iterator[Statement]:
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            return  # a docstring, or as good as a comment
        head, names = _without_names(_head(node), local)
        number = getattr(node, "lineno", 0) or min(
            (n.lineno for n in ast.walk(node) if hasattr(n, "lineno")), default=0
        )
        yield Statement("  " * depth + head, names, number)
        for field in HEADS:
            inner = getattr(node, field, [])
            if field in ("orelse", "finalbody") and inner:
                yield Statement("  " * depth + field, (), inner[0].lineno)
            for statement in inner if isinstance(inner, list) else ():
                yield from of(statement, depth + 1)

    yield from of(definition, 0)


def _head(node: ast.AST) -> ast.AST:
    """A copy of a statement without those within it, and without annotations."""
    shallow = copy.copy(node)
    for field in HEADS:
        if isinstance(getattr(node, field, None), list):
            setattr(shallow, field, [])
    head = copy.deepcopy(shallow)
    for inner in ast.walk(head):
        if isinstance(inner, ast.arg):
            inner.annotation = None
        elif isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef):
            inner.returns = None
    if isinstance(head, ast.AnnAssign) and head.value is not None and isinstance(head.target, ast.Name):
        return ast.Assign([head.target], head.value, lineno=head.lineno)
    return head


def _local_names(definition: Definition) -> frozenset[str]:
    """Arguments and variables of a function; of a class, those of its methods."""
    arguments = {node.arg for node in ast.walk(definition) if isinstance(node, ast.arg)}
    stored = {
        node.id
        for node in ast.walk(definition)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    }
    shared = {name for node in ast.walk(definition) if isinstance(node, ast.Global) for name in node.names}
    return frozenset((arguments | stored) - shared)


def _without_names(node: ast.AST, local: frozenset[str]) -> tuple[str, tuple[str, ...]]:
    """A line with one sign for all local names, and these."""
    names: list[str] = []
    for inner in ast.walk(node):
        if isinstance(inner, ast.Name) and inner.id in local:
            names.append(inner.id)
            inner.id = LOCAL
        elif isinstance(inner, ast.arg):
            names.append(inner.arg)
            inner.arg = LOCAL
    return ast.unparse(ast.fix_missing_locations(node)), tuple(names)
