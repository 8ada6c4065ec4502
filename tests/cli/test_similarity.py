"""`autograder similarity`: what it sees through, what it leaves aside, and that its pages accuse nobody."""

from __future__ import annotations

import ast
import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Cli = Callable[..., Any]
ROOT = Path(__file__).resolve().parents[2]
NAME = "fixed_chunks"
ORIGINAL = (ROOT / f"examples/class/s001/{NAME}.py").read_text(encoding="utf-8")
REFERENCE = ROOT / f"solutions/rag/{NAME}.py"
ACCEPTED = sorted((ROOT / f"tests/accepted/rag/{NAME}").glob("*.py"))
HOSTILE = "<img src=x onerror=alert(1)>"


class Renamed(ast.NodeTransformer):
    """Every name that the author chose is another one; docstrings are gone."""

    def __init__(self, tree: ast.Module) -> None:
        own = {
            node.id
            for node in ast.walk(tree)
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
        }
        own |= {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
        self.names = {name: f"other_{place}" for place, name in enumerate(sorted(own))}

    def visit_Name(self, node: ast.Name) -> ast.Name:
        return ast.Name(self.names.get(node.id, node.id), node.ctx)

    def visit_arg(self, node: ast.arg) -> ast.arg:
        return ast.arg(self.names.get(node.arg, node.arg), node.annotation)


def disguised(source: str) -> str:
    """Renamed, its functions in reverse order, other comments, docstrings, blanks, quotes and indents."""
    tree = ast.parse(source)
    tree = Renamed(tree).visit(tree)
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    rest = [node for node in tree.body if not isinstance(node, ast.FunctionDef)]
    for function in functions:
        function.body.insert(0, ast.Expr(ast.Constant("Mine.")))
    tree.body = [*rest, *reversed(functions)]
    lines = ast.unparse(ast.fix_missing_locations(tree)).replace("'", '"').splitlines()
    return "\n\n".join(f"{line.replace('    ', '  ')}  # my own" for line in lines) + "\n"


def notebook(source: str) -> str:
    cells = [{"cell_type": "code", "metadata": {}, "outputs": [], "source": source}]
    return json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5})


@pytest.fixture
def compared(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Compare what students hand in; what was printed, and the rows of pairs.csv as (student, other) -> score."""
    monkeypatch.chdir(tmp_path)

    def run(
        files: dict[str, dict[str, str]], *options: str
    ) -> tuple[Any, dict[tuple[str, str], float], Path]:
        for student, theirs in files.items():
            (tmp_path / "class" / student).mkdir(parents=True)
            for name, text in theirs.items():
                (tmp_path / "class" / student / name).write_text(text, encoding="utf-8")
        out = tmp_path / "out"
        said = cli("similarity", tmp_path / "class", out, "--course", ROOT, "--only", NAME, *options)
        assert said.code == 0, said.err
        rows = csv.DictReader((out / "pairs.csv").read_text(encoding="utf-8-sig").splitlines())
        pairs = {(row["student"], row["other_student"]): float(row["score"]) for row in rows}
        return said, pairs, out

    return run


def test_a_disguise_is_seen_through_and_independent_answers_are_not_shown(
    compared: Callable[..., Any],
) -> None:
    other = (ROOT / f"examples/class/s002/{NAME}.ipynb").read_text(encoding="utf-8")
    said, pairs, out = compared(
        {
            "a": {f"{NAME}.py": ORIGINAL},
            "b": {f"{NAME}.ipynb": notebook(disguised(ORIGINAL))},
            "c": {f"{NAME}.ipynb": other},
        }
    )
    assert list(pairs) == [("a", "b")] and pairs["a", "b"] > 0.7
    page = (out / f"rag.{NAME}.html").read_text(encoding="utf-8")
    assert "is above all 3 pairs of independent solutions" in page
    assert page.count('class="same"') > 40
    for word in ("copied", "plagiar", "cheat", "suspic", "guilty", "抄袭", "作弊", "嫌疑"):
        assert word not in page.lower() + said.out + said.err


def test_what_anybody_may_write_is_no_likeness(compared: Callable[..., Any]) -> None:
    """Two who hand in an accepted solution, or the reference with a known mistake, have nothing in common that tells."""
    reference = REFERENCE.read_text(encoding="utf-8")
    skeleton = (ROOT / f"exercises/rag/{NAME}.py").read_text(encoding="utf-8")
    same = [ACCEPTED[0].read_text(encoding="utf-8"), reference, skeleton]
    files = {f"s{i}{j}": {f"{NAME}.py": text} for i, text in enumerate(same) for j in range(2)}
    _, pairs, out = compared(files)
    assert pairs == {}
    assert "# BEGIN SOLUTION" not in "".join(path.read_text(encoding="utf-8") for path in out.glob("*.html"))


def test_where_right_answers_are_all_alike_nothing_is_shown(
    cli: Cli, toy: Path, hand_in: Any, tmp_path: Path
) -> None:
    steps = "".join(
        f"    if text.startswith('a' * {n}):\n        total = total + {n} - {n}\n" for n in range(9)
    )
    answer = f"def vowels(text):\n    total = sum(c in 'aeiouAEIOU' for c in text)\n{steps}    return total\n"
    hand_in("s001", {"vowels.py": answer})
    folder = hand_in("s002", {"vowels.py": answer})
    said = cli("similarity", folder, tmp_path / "out", "--course", toy, "--only", "vowels")
    assert said.code == 0, said.err
    page = (tmp_path / "out/extras.vowels.html").read_text(encoding="utf-8")
    assert "Right answers to this exercise are short" in page and 'class="same"' not in page


def test_what_students_chose_is_escaped_and_none_of_it_is_run(
    compared: Callable[..., Any], tmp_path: Path
) -> None:
    ran = tmp_path / "ran"
    mine = f"# {HOSTILE} </script>\u202e\nopen({str(ran)!r}, 'w')\n{ORIGINAL}\ndef broken(:\n"
    _, pairs, out = compared({HOSTILE.replace("/", ""): {f"{NAME}.py": mine}, "=b": {f"{NAME}.py": mine}})
    assert len(pairs) == 1 and min(pairs.values()) > 0.8
    assert not ran.exists()
    pages = "".join(path.read_text(encoding="utf-8") for path in out.glob("*.html"))
    assert "<img" not in pages and "</script>" not in pages and "\u202e" not in pages
    assert ",'=b," in (out / "pairs.csv").read_text(encoding="utf-8-sig")


def test_a_folder_of_something_else_is_left_alone(cli: Cli, tmp_path: Path) -> None:
    shutil.copytree(ROOT / "examples/class/s001", tmp_path / "class/s001")
    (tmp_path / "out").mkdir()
    (tmp_path / "out/index.html").write_text("mine")
    said = cli("similarity", tmp_path / "class", tmp_path / "out", "--course", ROOT, "--only", NAME)
    assert said.code == 2 and "name a new folder" in said.err
    assert (tmp_path / "out/index.html").read_text() == "mine"
