"""A solution's source text: its questions, and the same text with the solutions taken out.

Inside function bodies, `# BEGIN SOLUTION` and `# END SOLUTION` enclose what the student is to write. At module level they may enclose one
`name = value`, as in a quiz: the student is to write the value.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass

from autograder.course.cells import BEGIN, END, ScriptError
from autograder.course.given import GIVEN

ASSIGNMENT = re.compile(r"(?P<name>[A-Za-z_]\w*) = ")
MIN_TELLING = 12  # non-space characters: shorter lines (`return x`, `else:`) give nothing away
# Nor does a call without arguments: every training loop has `optimizer.step()`.
BARE_CALL = re.compile(r"[\w.]+\(\)")


@dataclass(frozen=True)
class Block:
    """One BEGIN/END pair: its lines (1-based, markers included), the function or variable it answers, and its question."""

    first: int
    last: int
    qualname: str
    unanswered: str  # what stands in its place in the skeleton, without the marker's indent

    @property
    def question(self) -> str:
        return self.qualname.split(".")[0]


def _functions(tree: ast.AST, prefix: str = "") -> list[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    """Functions and methods with their qualified names. Not those nested in functions: they belong to their owner."""
    found: list[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]] = []
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.ClassDef):
            found += _functions(node, f"{prefix}{node.name}.")
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            found.append((prefix + node.name, node))
    return found


def find_blocks(source: str, path: str) -> list[Block]:
    """All solution blocks in order. ScriptError for a marker that is missing, nested or outside a function body."""
    try:
        functions = _functions(ast.parse(source))
    except SyntaxError as error:
        raise ScriptError(
            f"{path}:{error.lineno}: {error.msg}; the solution must be valid Python",
            f"{path}:{error.lineno}：{error.msg}；答案必须是有效的 Python",
        ) from None
    blocks: list[Block] = []
    begin: int | None = None
    for number, line in enumerate(source.splitlines(), 1):
        stripped = line.strip()
        if stripped == BEGIN:
            if begin is not None:
                raise ScriptError(
                    f"{path}:{number}: `{BEGIN}` inside the block begun in line {begin}; end that one first",
                    f"{path}:{number}：`{BEGIN}` 出现在第 {begin} 行开始的块内；请先结束那个块",
                )
            begin = number
        elif stripped == END:
            if begin is None:
                raise ScriptError(
                    f"{path}:{number}: `{END}` without a `{BEGIN}` before it",
                    f"{path}:{number}：`{END}` 之前没有 `{BEGIN}`",
                )
            variable = _variable(source.splitlines()[begin : number - 1])
            if variable is not None:
                blocks.append(Block(begin, number, *variable))
            else:
                owner = _owner(functions, begin, number, path)
                blocks.append(Block(begin, number, owner, f'raise NotImplementedError("{owner}")'))
            begin = None
        elif "BEGIN SOLUTION" in line or "END SOLUTION" in line:
            raise ScriptError(
                f"{path}:{number}: a marker must stand alone on its line, as `{BEGIN}` or `{END}`",
                f"{path}:{number}：标记须独占一行，写成 `{BEGIN}` 或 `{END}`",
            )
    if begin is not None:
        raise ScriptError(
            f"{path}:{begin}: `{BEGIN}` is never ended; add `{END}`",
            f"{path}:{begin}：`{BEGIN}` 没有结束；请补上 `{END}`",
        )
    if not blocks:
        raise ScriptError(
            f"{path}: no `{BEGIN}`; mark what the student is to write",
            f"{path}：没有 `{BEGIN}`；请标出要由学生编写的部分",
        )
    return blocks


def _variable(inside: list[str]) -> tuple[str, str] | None:
    """Of a block that is one line `name = value` at module level: the name, and the line without the value."""
    found = ASSIGNMENT.match(inside[0]) if len(inside) == 1 else None
    if found is None:
        return None
    (statement,) = ast.parse(inside[0]).body
    return found["name"], f"{found['name']} = ...{inside[0].encode()[statement.end_col_offset :].decode()}"


def _owner(
    functions: list[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]], begin: int, end: int, path: str
) -> str:
    for qualname, node in functions:
        if node.lineno < begin and end <= (node.end_lineno or 0) + 1 and _indent_fits(node, begin):
            return qualname
    raise ScriptError(
        f"{path}:{begin}: a solution block must lie inside one function's body, after its docstring, or be one line "
        "`name = value` of the module",
        f"{path}:{begin}：答案块必须位于同一个函数的函数体内、文档字符串之后，或者是模块顶层的一行 `name = value`",
    )


def _indent_fits(node: ast.FunctionDef | ast.AsyncFunctionDef, begin: int) -> bool:
    """The block starts after the signature and the docstring."""
    has_docstring = ast.get_docstring(node, clean=False) is not None
    after = (node.body[0].end_lineno or 0) if has_docstring else node.body[0].lineno - 2
    return begin > after


def questions(source: str, path: str) -> list[str]:
    """The top-level functions, classes and variables the student completes, in order."""
    return list(dict.fromkeys(block.question for block in find_blocks(source, path)))


def strip_solutions(source: str, path: str) -> str:
    """The source with every solution block replaced by `raise NotImplementedError("<qualified name>")`, or `name = ...`."""
    lines = source.splitlines()
    for block in reversed(find_blocks(source, path)):
        marker = lines[block.first - 1]
        indent = marker[: len(marker) - len(marker.lstrip())]
        lines[block.first - 1 : block.last] = [indent + block.unanswered]
    stripped = "\n".join(lines) + "\n"
    try:
        ast.parse(stripped)
    except SyntaxError as error:
        raise ScriptError(
            f"{path}: without its solutions the file is not valid Python ({error.msg}, line {error.lineno})",
            f"{path}：去掉答案后，该文件不是有效的 Python（{error.msg}，第 {error.lineno} 行）",
        ) from None
    return stripped


def solution_lines(source: str, path: str) -> list[str]:
    """The telling lines inside solution blocks: what must never reach a student."""
    lines = source.splitlines()
    inside = [
        lines[n].strip() for block in find_blocks(source, path) for n in range(block.first, block.last - 1)
    ]
    return [
        line
        for line in dict.fromkeys(inside)
        if len(line.replace(" ", "")) >= MIN_TELLING and not BARE_CALL.fullmatch(line)
    ]


def surviving_lines(solution: str, path: str, released: str) -> list[str]:
    """Solution lines that can be found, as whole lines, in a released text outside of given code."""
    present = {line.strip() for line in without_given(released).splitlines()}
    return [line for line in solution_lines(solution, path) if line in present]


def without_given(text: str) -> str:
    """The text with given code blanked out, line for line: it is no leak, whatever exercise it is the answer of."""
    return GIVEN.sub(lambda found: "\n" * found[0].count("\n"), text)
