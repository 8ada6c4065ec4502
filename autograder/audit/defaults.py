"""Functions that a test gives to the student, with arguments that the student's call could set: state of the test's own.

`def tokenize(text, calls=calls)` counts calls where the test looks; `tokenize(text, [])` counts them elsewhere.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import TypeGuard

# What calls the function that it is given itself: the student's code never sees that.
CALLERS = frozenset({"check_any", "first_seed", "sorted", "min", "max", "map", "filter"})

Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda


def overridable_defaults(source: str) -> list[str]:
    """Each function with default arguments (or a `partial` with names) in a test file that is used other than by calling it.

    What is only called, or handed to a helper that only calls it, stays on the test's side. Where a text does not say who
    gets a function, it counts as given.
    """
    tree = ast.parse(source)
    parents = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
    uses = [
        node for node in ast.walk(tree) if isinstance(node, ast.Name | ast.Attribute) and not _stored(node)
    ]
    found = {}
    for node, settable in _callables(tree):
        name = _name_of(node, parents)
        kind = ast.Attribute if isinstance(parents.get(node), ast.ClassDef) else ast.Name
        places = [use for use in uses if isinstance(use, kind) and _called(use) == name] if name else [node]
        if name == "__call__" or _is_remote(node, parents) or not all(_stays(use, parents) for use in places):
            found[node.lineno] = (
                f"line {node.lineno}: the student's code could call {name or 'this function'} with its own {settable}; "
                "let it find that in an enclosing function, not among its arguments"
            )
    return [found[line] for line in sorted(found)]


def _callables(tree: ast.AST) -> Iterator[tuple[ast.expr | ast.stmt, str]]:
    """Functions, and what of them is set by default."""
    defaults: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, Function) and (settable := _settable(node.args)):
            if not isinstance(node, ast.Lambda):
                defaults[node.name] = settable
            if getattr(node, "name", "") != "__init__":
                yield node, settable
    for node in ast.walk(tree):
        if _is_partial(node) and node.args:
            names = [keyword.arg or "**" for keyword in node.keywords]
            settable = ", ".join(filter(None, [*names, defaults.get(_called(node.args[0]), "")]))
            if settable:
                yield node, settable


def _settable(arguments: ast.arguments) -> str:
    positional = [*arguments.posonlyargs, *arguments.args]
    named = [
        argument
        for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
        if default is not None
    ]
    return ", ".join(
        argument.arg for argument in (*positional[len(positional) - len(arguments.defaults) :], *named)
    )


def _name_of(node: ast.AST, parents: dict[ast.AST, ast.AST]) -> str:
    """By what a text calls this function; "" where it is written in place."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        return node.name
    match parents[node]:
        case ast.Assign(targets=[ast.Name(id=name)]):
            return name
    return ""


def _stays(use: ast.AST, parents: dict[ast.AST, ast.AST]) -> bool:
    """Whether a function that is mentioned here is called here, or by a helper; a `partial` of it is looked at by itself."""
    parent = parents[use]
    call = parents[parent] if isinstance(parent, ast.keyword) else parent
    if not isinstance(call, ast.Call):
        return False
    return call.func is use or _called(call.func) in CALLERS or (_is_partial(call) and use in call.args[:1])


def _is_remote(node: ast.AST, parents: dict[ast.AST, ast.AST]) -> bool:
    """Whether this is a method that the student's code may call by name."""
    owner = parents[node]
    return isinstance(owner, ast.ClassDef) and any(
        isinstance(inner, ast.Constant) and inner.value == getattr(node, "name", None)
        for statement in owner.body
        if isinstance(statement, ast.Assign) and _called(statement.targets[0]) == "__remote__"
        for inner in ast.walk(statement.value)
    )


def _is_partial(node: ast.AST) -> TypeGuard[ast.Call]:
    return isinstance(node, ast.Call) and _called(node.func) == "partial"


def _called(node: ast.AST) -> str:
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""


def _stored(node: ast.Name | ast.Attribute) -> bool:
    return not isinstance(node.ctx, ast.Load)
