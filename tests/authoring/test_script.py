"""Markers in a solution: what they may enclose, and what is left when they are taken out."""

from __future__ import annotations

import ast

import pytest

from autograder.authoring.script import (
    find_blocks,
    questions,
    solution_lines,
    strip_solutions,
    surviving_lines,
)
from autograder.course.cells import ScriptError, split_cells

HEAD = "# %%\n"


def refusal(source: str) -> str:
    with pytest.raises(ScriptError) as caught:
        strip_solutions(source, "U/T.py")
    said = str(caught.value)
    assert said.startswith("U/T.py")
    return said


def test_a_function() -> None:
    source = (
        HEAD
        + '''
def area(width: float, height: float = 1.0) -> float:
    """Width times height.

    Args:
        width: in metres.
    """
    # BEGIN SOLUTION
    product = width * height
    return product
    # END SOLUTION


LIMIT = 3
'''
    )
    stripped = strip_solutions(source, "U/T.py")
    before, after = ast.parse(source).body[0], ast.parse(stripped).body[0]
    assert isinstance(before, ast.FunctionDef)
    assert isinstance(after, ast.FunctionDef)
    assert ast.dump(before.args) == ast.dump(after.args)
    assert ast.unparse(after.returns or ast.Constant(0)) == "float"
    assert ast.get_docstring(after) == ast.get_docstring(before)
    assert 'raise NotImplementedError("area")' in stripped
    assert "product" not in stripped
    assert "LIMIT = 3" in stripped
    assert "SOLUTION" not in stripped


def test_methods_and_several_blocks() -> None:
    source = (
        HEAD
        + '''
class Stack:
    """A stack."""

    def __init__(self):
        # BEGIN SOLUTION
        self.items = []
        # END SOLUTION

    def push(self, item):
        """Put on top."""
        # BEGIN SOLUTION
        self.items.append(item)
        # END SOLUTION

    def size(self):
        return len(self.items)


def two(x):
    # BEGIN SOLUTION
    doubled = 2 * x
    # END SOLUTION
    if doubled > 10:
        # BEGIN SOLUTION
        doubled = 10
        # END SOLUTION
    return doubled


async def waits():
    # BEGIN SOLUTION
    return 1
    # END SOLUTION
'''
    )
    blocks = find_blocks(source, "U/T.py")
    assert [block.qualname for block in blocks] == ["Stack.__init__", "Stack.push", "two", "two", "waits"]
    assert questions(source, "U/T.py") == ["Stack", "two", "waits"]
    stripped = strip_solutions(source, "U/T.py")
    compile(stripped, "skeleton", "exec")
    assert stripped.count("raise NotImplementedError") == 5
    assert '        raise NotImplementedError("Stack.push")\n' in stripped
    assert '        raise NotImplementedError("two")\n    return doubled' in stripped
    assert "return len(self.items)" in stripped


def test_one_line_body_and_nested_function() -> None:
    source = HEAD + (
        "def outer(f):\n"
        "    # BEGIN SOLUTION\n"
        "    def inner(x):\n"
        "        return f(x) + 1\n"
        "    return inner\n"
        "    # END SOLUTION\n"
        "\n"
        "def short(): return 1\n"
    )
    stripped = strip_solutions(source, "U/T.py")
    namespace: dict[str, object] = {}
    exec(stripped, namespace)
    assert "inner" not in stripped
    assert questions(source, "U/T.py") == ["outer"]
    assert namespace["short"]() == 1  # type: ignore[operator]
    with pytest.raises(NotImplementedError, match=r"^outer$"):
        namespace["outer"](abs)  # type: ignore[operator]


def test_decorated_function() -> None:
    source = HEAD + (
        "import functools\n"
        "@functools.cache\n"
        "def f(x):\n"
        '    """Once."""\n'
        "    # BEGIN SOLUTION\n"
        "    return x\n"
        "    # END SOLUTION\n"
    )
    assert questions(source, "U/T.py") == ["f"]
    assert "@functools.cache\ndef f(x):" in strip_solutions(source, "U/T.py")


@pytest.mark.parametrize(
    ("body", "line", "problem"),
    [
        ("def f():\n    # BEGIN SOLUTION\n    return 1\n", 3, "never ended"),
        ("def f():\n    return 1\n    # END SOLUTION\n", 4, "without a"),
        (
            "def f():\n    # BEGIN SOLUTION\n    # BEGIN SOLUTION\n    return 1\n    # END SOLUTION\n"
            "    # END SOLUTION\n",
            4,
            "begun in line 3",
        ),
        ("# BEGIN SOLUTION\nprint(1)\n# END SOLUTION\n", 2, "inside one function's body"),
        ("# BEGIN SOLUTION\nX = 1\nY = 2\n# END SOLUTION\n", 2, "one line `name = value`"),
        ("class A:\n    # BEGIN SOLUTION\n    x = 1\n    # END SOLUTION\n", 3, "inside one function's body"),
        (
            'def f():\n    # BEGIN SOLUTION\n    """Doc."""\n    return 1\n    # END SOLUTION\n',
            3,
            "after its docstring",
        ),
        (
            "def f():\n    # BEGIN SOLUTION\n    return 1\n\n\ndef g():\n    return 2\n    # END SOLUTION\n",
            3,
            "inside one function's body",
        ),
        ("def f():\n    return 1  # BEGIN SOLUTION\n", 3, "alone on its line"),
        ("def f():\n    #BEGIN SOLUTION\n    return 1\n    #END SOLUTION\n", 3, "alone on its line"),
        ("def f():\n    return 1\n", None, "mark what the student is to write"),
        ("def f(:\n    pass\n", 2, "valid Python"),
    ],
    ids=[
        "no end", "no begin", "nested", "module", "two values", "class body", "docstring", "across", "trailing", "spelling",
        "none", "syntax",
    ],
)  # fmt: skip
def test_wrong_markers(body: str, line: int | None, problem: str) -> None:
    said = refusal(HEAD + body)
    assert problem in said
    if line is not None:
        assert said.startswith(f"U/T.py:{line}:")


def test_a_value_of_the_module() -> None:
    """Its line keeps the comment; a string with a hash is no comment."""
    source = HEAD + (
        "# BEGIN SOLUTION\n"
        'letter = "b#"  # one of "a", "b#", 或 "c"\n'
        "# END SOLUTION\n\n# %%\n"
        "# BEGIN SOLUTION\n"
        "count = 3\n"
        "# END SOLUTION\n"
    )
    assert questions(source, "U/T.py") == ["letter", "count"]
    stripped = strip_solutions(source, "U/T.py")
    assert stripped == HEAD + 'letter = ...  # one of "a", "b#", 或 "c"\n\n# %%\ncount = ...\n'


def test_block_that_leaves_invalid_code() -> None:
    source = HEAD + (
        "def f(x):\n"
        "    # BEGIN SOLUTION\n"
        "    if x:\n"
        "        x = 1\n"
        "    # END SOLUTION\n"
        "    else:\n"
        "        x = 2\n"
        "    return x\n"
    )
    assert "without its solutions the file is not valid Python" in refusal(source)


def test_cells() -> None:
    cells = split_cells('# %% [markdown]\n# Hi\n\n# %% [markdown] lang="zh"\n# 你好\n# %%\nx = 1\n', "U/T.py")
    assert [(cell.is_markdown, cell.lang, cell.body) for cell in cells] == [
        (True, "en", "# Hi\n"),
        (True, "zh", "# 你好\n"),
        (False, None, "x = 1\n"),
    ]


def test_a_comment_above_the_first_cell() -> None:
    assert split_cells("# Who wrote this.\n\n# %%\nx = 1\n", "U/T.py") == split_cells(
        "# %%\nx = 1\n", "U/T.py"
    )


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("x = 1\n# %%\n", "before the first cell"),
        ("", "no cells"),
        ("# %% [raw]\n", "cell header"),
        ("# %%  \nx = 1\n", "cell header"),
    ],
)
def test_odd_cells(source: str, problem: str) -> None:
    with pytest.raises(ScriptError, match=problem) as caught:
        split_cells(source, "U/T.py")
    assert "U/T.py" in str(caught.value)


def test_telling_lines() -> None:
    source = HEAD + (
        "def f(x):\n"
        "    # BEGIN SOLUTION\n"
        "    weights = x.exp() / x.exp().sum()\n"
        "    optimizer.step()\n"
        "    return x\n"
        "    # END SOLUTION\n"
    )
    assert solution_lines(source, "U/T.py") == ["weights = x.exp() / x.exp().sum()"]
    assert surviving_lines(source, "U/T.py", "```\n  weights = x.exp() / x.exp().sum()\n```") == [
        "weights = x.exp() / x.exp().sum()"
    ]
    assert surviving_lines(source, "U/T.py", strip_solutions(source, "U/T.py")) == []
