"""Mutation operators for calls and attributes, most of them for tensors.

What is left out cannot differ: `strict=` and `device=` keywords, arguments equal to their defaults, swapped arguments of
commutative functions. Nor are arguments of different kinds swapped, which fails at once, whatever the tests ask.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from itertools import pairwise
from typing import Any

from autograder.audit.operators import DIM_KEYWORDS, Edits, callee
from autograder.audit.splice import Edit, Script

_PAIRS = """
    sum mean, max min, amax amin, argmax argmin, maximum minimum, any all, tril triu, floor ceil, cumsum cumprod
"""
PAIRS = [pair.split() for pair in _PAIRS.split(",")]
RENAMED = {old: new for pair in PAIRS for old, new in (pair, reversed(pair))}
RENAMED |= {"log_softmax": "softmax", "logsigmoid": "sigmoid"}
BUILTINS = ("max", "min", "any", "all")  # of these, what is also a function without a module
_DROPPED = "clone detach contiguous copy float double to type_as transpose swapaxes permute t"
DROPPED_METHODS = frozenset(_DROPPED.split())
DROPPED_ATTRIBUTES = ("T", "mT")
UNWRAPPED = ("list", "dict", "set", "sorted", "reversed", "abs", "deepcopy")
_COMMUTATIVE = "max min maximum minimum add mul dot equal allclose isclose transpose swapaxes gcd logaddexp"
COMMUTATIVE = frozenset(_COMMUTATIVE.split())
FIXED_ORDER = ("isinstance", "issubclass", "getattr", "setattr", "hasattr", "super")
EXCHANGEABLE = ast.Name | ast.Attribute | ast.Subscript | ast.BinOp  # others only with their own kind
REQUIRED = {("softmax", "dim"), ("log_softmax", "dim")}
DEFAULT_DTYPES = ("torch.float32", "torch.float", "torch.int64", "torch.long", "float", "int")
DEFAULTS = {("cat", "dim"): "0", ("stack", "dim"): "0"}


def attribute(script: Script, node: ast.Attribute) -> Edits:
    start, parent = script.end(node) - len(node.attr.encode()), script.parent(node)
    call = parent if isinstance(parent, ast.Call) and parent.func is node else None
    if call and node.attr in RENAMED:
        yield Edit("function", start, script.end(node), RENAMED[node.attr])
    if node.attr in (DROPPED_METHODS if call else DROPPED_ATTRIBUTES):
        yield Edit("method_dropped", script.content.rindex(b".", 0, start), script.end(call or node), "")


def call(script: Script, node: ast.Call) -> Edits:
    name = callee(node)
    if isinstance(node.func, ast.Name) and name in BUILTINS:
        yield script.replace("function", node.func, RENAMED[name])
    if name in UNWRAPPED and len(node.args) == 1 and not isinstance(node.args[0], ast.Starred):
        yield script.replace("call_dropped", node, script.text(node.args[0]))
    if name in ("var", "std") and not {"correction", "unbiased"} & {each.arg for each in node.keywords}:
        comma = ", " if node.args or node.keywords else ""
        yield Edit("correction", script.end(node) - 1, script.end(node), f"{comma}correction=0)")
    if name not in COMMUTATIVE and name not in FIXED_ORDER:
        yield from _swapped(script, node.args)
    for keyword in node.keywords:
        yield from _keyword(script, name, keyword)


def _swapped(script: Script, arguments: list[ast.expr]) -> Edits:
    for left, right in pairwise(arguments):
        alike = type(left) is type(right) or (
            isinstance(left, EXCHANGEABLE) and isinstance(right, EXCHANGEABLE)
        )
        if alike and not isinstance(left, ast.Starred):
            yield script.swap("arguments_swapped", left, right)


def _keyword(script: Script, name: str, keyword: ast.keyword) -> Edits:
    value = script.text(keyword.value)
    if keyword.arg in DIM_KEYWORDS and not isinstance(keyword.value, ast.Constant | ast.UnaryOp):
        yield from (script.replace("dim", keyword.value, new) for new in ("0", "-1"))
    if keyword.arg is None or keyword.arg in ("strict", "device") or value in ("True", "False"):
        return  # `**more`; what can't differ here; what is a constant of its own
    if keyword.arg == "dtype" and value in DEFAULT_DTYPES:
        return
    defined = name in script.functions
    if (name, keyword.arg) in REQUIRED and not defined:
        return
    default = _default(script, script.functions[name], keyword.arg) if defined else None
    if value in (default, DEFAULTS.get((name, keyword.arg))):
        return
    before = script.content[: script.start(keyword)].rstrip()
    if before.endswith(b","):
        yield Edit("keyword_dropped", len(before) - 1, script.end(keyword), "")
    else:  # the first argument: the comma after it goes, too
        after = re.match(rb"\s*,?\s*", script.content[script.end(keyword) :])
        end = script.end(keyword) + (after.end() if after else 0)
        yield Edit("keyword_dropped", script.start(keyword), end, "")


def _default(script: Script, function: ast.FunctionDef, parameter: str) -> str | None:
    """The text of a parameter's default; None if it has none."""
    arguments = function.args
    positional = [*arguments.posonlyargs, *arguments.args]
    with_default = [
        *zip(reversed(positional), reversed(arguments.defaults), strict=False),
        *zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True),
    ]
    found = next((default for argument, default in with_default if argument.arg == parameter), None)
    return script.text(found) if found is not None else None


OPERATORS: dict[type[ast.AST], Callable[[Script, Any], Edits]] = {
    ast.Attribute: attribute,
    ast.Call: call,
}
