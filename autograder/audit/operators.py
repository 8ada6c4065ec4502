"""Mutation operators for expressions and statements: each proposes small edits of one kind of node.

They are written here because those of cosmic-ray and mutmut bring parsers of their own (parso, libcst), know nothing of
tensors, and replace every operator by every other one.

What is left out fails at once, whatever the tests ask (without the first assignment to a name, or with None where the
signature allows none), or is caught wherever another mutant is (a whole condition negated: it is also forced to True
and to False).
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

from autograder.audit.splice import Edit, Script

# An operator, its negation, and the same with the boundary on the other side.
COMPARISONS: dict[type[ast.cmpop], tuple[str, ...]] = {
    ast.Lt: ("<", ">=", "<="),
    ast.LtE: ("<=", ">", "<"),
    ast.Gt: (">", "<=", ">="),
    ast.GtE: (">=", "<", ">"),
    ast.Eq: ("==", "!="),
    ast.NotEq: ("!=", "=="),
    ast.Is: ("is", "is not"),
    ast.IsNot: ("is not", "is"),
    ast.In: ("in", "not in"),
    ast.NotIn: ("not in", "in"),
}
ARITHMETIC: dict[type[ast.operator], tuple[str, str]] = {
    ast.Add: ("+", "-"),
    ast.Sub: ("-", "+"),
    ast.Mult: ("*", "/"),
    ast.Div: ("/", "*"),
    ast.FloorDiv: ("//", "/"),
    ast.Mod: ("%", "//"),
    ast.Pow: ("**", "*"),
    ast.BitAnd: ("&", "|"),
    ast.BitOr: ("|", "&"),
    ast.BitXor: ("^", "|"),
    ast.LShift: ("<<", ">>"),
    ast.RShift: (">>", "<<"),
}
DIM_KEYWORDS = ("dim", "axis")
_DIM_METHODS = """
    sum mean amax amin max min argmax argmin any all softmax log_softmax logsumexp cumsum transpose swapaxes
    unsqueeze squeeze gather scatter size flatten norm var std
"""
DIM_METHODS = frozenset(_DIM_METHODS.split())  # an integer among their arguments is an axis
SHAPING = ("view", "reshape", "expand")  # here -1 is no index
OWN_NAME = ("keepdim", "unbiased")  # flags that are an operator of their own in the report
GRAD_MODES = ("no_grad", "inference_mode", "enable_grad")

Edits = Iterator[Edit]


def callee(call: ast.Call) -> str:
    """The last part of the name of what is called."""
    return getattr(call.func, "attr", getattr(call.func, "id", ""))


def is_condition(script: Script, node: ast.expr) -> bool:
    """Whether it is all that an `if`, a `while` or a filter asks."""
    parent = script.parent(node)
    if isinstance(parent, ast.comprehension):
        return node in parent.ifs
    return isinstance(parent, ast.If | ast.While | ast.IfExp) and parent.test is node


# ---------------------------------------------------------------------------------------------- operators


def comparison(script: Script, node: ast.Compare) -> Edits:
    whole = is_condition(script, node)
    operands = [node.left, *node.comparators]
    for (left, right), op in zip(pairwise(operands), node.ops, strict=True):
        old, *others = COMPARISONS[type(op)]
        for new in others[1:] if whole else others:
            yield from script.between("comparison", left, right, old, new)


def arithmetic(script: Script, node: ast.BinOp) -> Edits:
    if type(node.op) in ARITHMETIC:
        yield from script.between("arithmetic", node.left, node.right, *ARITHMETIC[type(node.op)])


def augmented(script: Script, node: ast.AugAssign) -> Edits:
    if type(node.op) in ARITHMETIC:
        old, new = ARITHMETIC[type(node.op)]
        yield from script.between("arithmetic", node.target, node.value, f"{old}=", f"{new}=")


def and_or(script: Script, node: ast.BoolOp) -> Edits:
    old, new = ("and", "or") if isinstance(node.op, ast.And) else ("or", "and")
    for left, right in pairwise(node.values):
        yield from script.between("and_or", left, right, old, new)


def unary(script: Script, node: ast.UnaryOp) -> Edits:
    value = node.operand.value if isinstance(node.operand, ast.Constant) else None
    if type(value) is int:
        if isinstance(node.op, ast.USub) and not _is_step(script, node) and not _is_shape(script, node):
            operator = "dim" if _is_dim(script, node) else "integer"
            for new in (-value - 1, -value + 1):
                if new < 0:  # an axis or index from the end stays one
                    yield script.replace(operator, node, str(new))
    elif not is_condition(script, node):
        operator = {ast.Not: "not", ast.Invert: "invert"}.get(type(node.op), "sign")
        yield Edit(operator, script.start(node), script.start(node.operand), "")


# ---------------------------------------------------------------------------------------------- constants and slices


def constant(script: Script, node: ast.Constant) -> Edits:
    parent, value = script.parent(node), node.value
    if isinstance(value, bool):
        keyword = parent.arg if isinstance(parent, ast.keyword) else None
        if keyword != "strict":  # the lengths that it compares are equal in a correct solution
            operator = keyword if keyword in OWN_NAME else "boolean"
            yield script.replace(operator, node, str(not value))
    elif isinstance(value, int):
        if isinstance(parent, ast.UnaryOp) or _is_step(script, node):
            return
        dim = _is_dim(script, node)
        for step in _steps(node, parent):
            if value + step >= 0 or not dim:  # an axis from the start stays one: -1 can be the same axis
                yield script.replace("dim" if dim else "integer", node, str(value + step))
    elif isinstance(value, float):
        yield script.replace("float", node, repr(10 * value) if value else "1.0")


def _steps(node: ast.Constant, parent: ast.AST | None) -> tuple[int, ...]:
    """By how much to change an integer: one step only where two would be caught alike.

    Nor a step that says the same as the comparison with the boundary on the other side: `x < 2` is `x <= 1`.
    """
    if isinstance(parent, ast.Compare):
        place = parent.comparators.index(node) if node in parent.comparators else -1
        op = parent.ops[max(place, 0)]
        down = isinstance(op, ast.Lt | ast.GtE) if place >= 0 else isinstance(op, ast.LtE | ast.Gt)
        return (-1,) if down else (1,)
    return (1, -1) if isinstance(parent, ast.Slice | ast.Subscript | ast.Call | ast.keyword) else (1,)


def _is_step(script: Script, node: ast.expr) -> bool:
    parent = script.parent(node)
    return isinstance(parent, ast.Slice) and parent.step is node


def _is_shape(script: Script, node: ast.expr) -> bool:
    parent = script.parent(node)
    return isinstance(parent, ast.Call) and callee(parent) in SHAPING


def _is_dim(script: Script, node: ast.expr) -> bool:
    parent = script.parent(node)
    if isinstance(parent, ast.keyword):
        return parent.arg in DIM_KEYWORDS
    return isinstance(parent, ast.Call) and getattr(parent.func, "attr", None) in DIM_METHODS


def bounds(script: Script, node: ast.Slice) -> Edits:
    for bound in (node.lower, node.upper, node.step):
        # A lower bound of 0 is the same as none; one of 1 becomes 0 as an integer.
        if bound is not None and not (isinstance(bound, ast.Constant) and bound.value in (0, 1)):
            yield script.replace("slice", bound, "")


# ---------------------------------------------------------------------------------------------- conditions and statements


def _forced(script: Script, test: ast.expr, *values: str) -> Edits:
    if not isinstance(test, ast.Constant):
        for value in values:
            yield script.replace("condition", test, value)


def if_statement(script: Script, node: ast.If) -> Edits:
    always_an_error = isinstance(node.body[0], ast.Raise)
    yield from _forced(script, node.test, *(("False",) if always_an_error else ("True", "False")))


def while_statement(script: Script, node: ast.While) -> Edits:
    yield from _forced(script, node.test, "False")


def if_expression(script: Script, node: ast.IfExp) -> Edits:
    yield from _forced(script, node.test, "True", "False")


def filters(script: Script, node: ast.comprehension) -> Edits:
    for test in node.ifs:
        yield from _forced(script, test, "True", "False")


def loop_exit(script: Script, node: ast.Break | ast.Continue) -> Edits:
    yield script.replace("loop_exit", node, "continue" if isinstance(node, ast.Break) else "break")


def return_none(script: Script, node: ast.Return) -> Edits:
    function = script.function(node)
    returns = ast.unparse(function.returns) if function and function.returns else ""
    if node.value is not None and ("None" in returns or "Optional" in returns):
        yield script.replace("return_none", node.value, "None")


def grad_mode(script: Script, node: ast.With) -> Edits:
    first = node.items[0].context_expr
    if len(node.items) == 1 and isinstance(first, ast.Call) and callee(first) in GRAD_MODES:
        yield Edit("grad_mode", script.start(node), script.end(first), "if True")


def deleted(script: Script, node: ast.stmt) -> Edits:
    parent = script.parent(node)
    # Where it is all that an `if` does, the condition forced to False does the same.
    alone = isinstance(parent, ast.If) and parent.body == [node]
    if not alone and _is_deletable(script, node):
        yield script.replace("statement", node, "pass")


def _is_deletable(script: Script, node: ast.stmt) -> bool:
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Call | ast.Yield) and "super()" not in ast.unparse(node)
    if isinstance(node, ast.Assign):
        return all(_is_reassigned(script, target, node) for target in node.targets)
    if isinstance(node, ast.AnnAssign):
        return node.value is not None and _is_reassigned(script, node.target, node)
    return isinstance(node, ast.AugAssign | ast.Raise | ast.Continue | ast.Break | ast.Delete)


def _is_reassigned(script: Script, target: ast.expr, statement: ast.stmt) -> bool:
    """Whether it has a value before; otherwise whatever reads it fails at once."""
    function = script.function(statement)
    if function is None:
        return False
    if isinstance(target, ast.Attribute):
        return function.name != "__init__"
    if isinstance(target, ast.Tuple):
        return all(_is_reassigned(script, each, statement) for each in target.elts)
    if not isinstance(target, ast.Name):
        return True
    return any(
        (isinstance(node, ast.arg) and node.arg == target.id)
        or (
            isinstance(node, ast.Name)
            and isinstance(node.ctx, ast.Store)
            and node.id == target.id
            and node.lineno < statement.lineno
        )
        for node in ast.walk(function)
    )


OPERATORS: dict[type[ast.AST], Callable[[Script, Any], Edits]] = {
    ast.Compare: comparison,
    ast.BinOp: arithmetic,
    ast.AugAssign: augmented,
    ast.BoolOp: and_or,
    ast.UnaryOp: unary,
    ast.Constant: constant,
    ast.Slice: bounds,
    ast.If: if_statement,
    ast.While: while_statement,
    ast.IfExp: if_expression,
    ast.comprehension: filters,
    ast.Break: loop_exit,
    ast.Continue: loop_exit,
    ast.Return: return_none,
    ast.With: grad_mode,
    ast.stmt: deleted,
}
