"""A notebook's JSON as plain Python: what IPython adds is taken out, everything else keeps its place."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest

from autograder.guest.loading import load_module
from autograder.guest.notebook import NotebookError, code_cells


def notebook(*cells: Any, **more: Any) -> bytes:
    """A notebook of code cells (str or list of lines) and ready-made cells (dict)."""
    made = [c if isinstance(c, dict) else {"cell_type": "code", "source": c, "outputs": []} for c in cells]
    return json.dumps({"cells": made, "nbformat": 4, "nbformat_minor": 5, "metadata": {}, **more}).encode()


def run(*cells: Any) -> dict[str, Any]:
    return vars(load_module({"a.ipynb": notebook(*cells)}, "a.ipynb"))


def test_cells_in_order_and_both_kinds_of_source() -> None:
    assert run("x = 1", ["y = x + 1\n", "z = 3"], {"cell_type": "markdown", "source": "x = oops("})["y"] == 2


@pytest.mark.parametrize(
    "line",
    [
        "%matplotlib inline",
        "!pip install something",
        "?len",
        "len?",
        "len??",
        "x.real?",
        "%timeit?",
        "%timeit x",
        "%cd ~/somewhere",
        "%load_ext autoreload",
    ],
)
def test_lines_only_ipython_understands(line: str) -> None:
    values = run(f"x = 1\n{line}\ny = 2")
    assert (values["x"], values["y"]) == (1, 2)


def test_magic_in_an_indented_place() -> None:
    assert run("if True:\n    %matplotlib inline\nelse:\n    !ls\nx = 1")["x"] == 1


def test_line_numbers_after_a_magic() -> None:
    (cell,) = code_cells(notebook("%matplotlib inline\n!ls\nx = 1\n\n\nboom = 1 / 0"))
    assert len(cell.split("\n")) == 6
    assert cell.split("\n")[5] == "boom = 1 / 0"
    with pytest.raises(ZeroDivisionError) as caught:
        run("%matplotlib inline\n!ls\nx = 1\n\n\ndef f(boom=1 / 0): pass")
    assert caught.value.__traceback__ is not None
    last = caught.value.__traceback__
    while last.tb_next:
        last = last.tb_next
    assert last.tb_lineno == 6


@pytest.mark.parametrize(
    "head", ["%%bash", "%%writefile x.py", "\n%%time", "# autograder: skip", "  # autograder: skip"]
)
def test_cells_left_out(head: str) -> None:
    values = run("x = 1", f"{head}\nx = 2\nthis is no python", "y = x")
    assert values["y"] == 1


def test_a_later_skip_comment_is_a_comment() -> None:
    assert run("x = 1\n# autograder: skip\ny = 2")["y"] == 2


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("y = (7\n% 4)", 3),
        ("y = '''\n%matplotlib inline\n'''", "\n%matplotlib inline\n"),
        ("y = '''\n!ls\nwhat?\n'''", "\n!ls\nwhat?\n"),
        ("y = 7 % 4", 3),
        ("y = 'is it?'", "is it?"),
        ("y = 'a \\\n% b'", "a % b"),
        ("y = 1 != 2", True),
        ("y = 4  # really?", 4),
    ],
)
def test_plain_python_is_untouched(source: str, value: object) -> None:
    assert run(source)["y"] == value


def test_a_cell_that_is_python_is_not_looked_at_line_by_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before 3.12 and since, tokenisers disagree on what an unfinished line is; the compiler knows."""

    def refuse(source: str) -> str:
        raise AssertionError("a plain cell was rewritten")

    monkeypatch.setattr("autograder.guest.notebook._plain_python", refuse)
    assert run("text = 'a \\\n% b'\n")["text"] == "a % b"


def test_question_of_a_docstring_beside_a_magic() -> None:
    values = run('%matplotlib inline\ndef f():\n    """Is it?\n\n    It is."""\n    return 1\ny = f()')
    assert values["y"] == 1
    assert values["f"].__doc__.startswith("Is it?")


def test_percent_expression_beside_a_magic() -> None:
    values = run("%matplotlib inline\ny = 7 % 4\nz = '100%'\nw = (9\n     % 5)")
    assert (values["y"], values["z"]) == (3, "100%")
    assert values["w"] == 4


def test_string_that_looks_like_a_shell_line_beside_a_magic() -> None:
    assert run('%matplotlib inline\ntext = """\nHello?\n! done\n"""')["text"] == "\nHello?\n! done\n"


def test_assignment_from_the_shell_or_a_magic() -> None:
    """`files = !ls` and `t = %timeit f()` have no Python meaning; the rest of the cell must still run."""
    assert run("files = !ls\nx = 1")["x"] == 1
    assert run("t = %timeit -o f()\nx = 1")["x"] == 1


def test_nbformat_3() -> None:
    raw = json.dumps(
        {
            "nbformat": 3,
            "worksheets": [
                {
                    "cells": [
                        {"cell_type": "code", "input": ["x = 1\n", "y = 2"]},
                        {"cell_type": "markdown", "source": ""},
                    ]
                }
            ],
        }
    ).encode()
    assert code_cells(raw) == ["x = 1\ny = 2"]


def test_bom_and_chinese() -> None:
    raw = b"\xef\xbb\xbf" + notebook("x = '你好'")
    assert vars(load_module({"a.ipynb": raw}, "a.ipynb"))["x"] == "你好"


def test_empty_notebook() -> None:
    assert code_cells(notebook()) == []


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        (b"", "not JSON"),
        (b"print('hello')", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"[]", "no notebook cells"),
        (b"{}", "no notebook cells"),
        (b'{"cells": 3}', "no notebook cells"),
        (b'{"cells": [1]}', "no notebook cells"),
        (b'{"worksheets": [{}]}', "no notebook cells"),
    ],
)
def test_not_a_notebook(raw: bytes, problem: str) -> None:
    with pytest.raises(NotebookError, match=problem) as caught:
        code_cells(raw)
    assert "save it again from Jupyter" in str(caught.value)
    assert isinstance(caught.value, SyntaxError)


@pytest.mark.parametrize(
    "content",
    ['{"worksheets": [3]}', '{"worksheets": {"a": 1}}', '{"cells": [{"cell_type": "code", "source": null}]}',
     '{"cells": [{"cell_type": "code", "source": 5}]}', '{"cells": [{"cell_type": "code"}]}'],
)  # fmt: skip
def test_malformed_notebook_is_a_notebook_error_or_harmless(content: str) -> None:
    """Whatever JSON a student hands in, nothing but a SyntaxError comes out."""
    with suppress(NotebookError):
        code_cells(content.encode())
