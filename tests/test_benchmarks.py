"""The benchmarks still run: one command, its cheapest part, the smallest numbers. No figure is judged."""

from __future__ import annotations

import ast
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent


def test_a_part_runs(python: Callable[..., Any], sandbox: Any) -> None:
    done = python("benchmarks", "throughput", "--quick", cwd=ROOT, timeout=600)
    assert done.returncode == 0, done.stderr
    rows = [line.split("|")[1:-1] for line in done.stdout.splitlines() if line.startswith("| 2 ")]
    assert [row[1].strip() for row in rows[:2]] == ["1", "2"], done.stdout
    assert rows[2][-1].strip() == "yes", done.stdout


def test_the_page_has_every_part() -> None:
    """README.md is what the command wrote: nobody added a part without running it."""
    page = (ROOT / "benchmarks/README.md").read_text(encoding="utf-8")
    tree = ast.parse((ROOT / "benchmarks/__main__.py").read_text(encoding="utf-8"))
    (parts,) = (
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "PARTS"
    )
    assert [line[3:] for line in page.splitlines() if line.startswith("## ")] == [
        "The machine",
        *parts.values(),
    ]
    assert all((ROOT / f"benchmarks/{part}.py").is_file() for part in parts)
