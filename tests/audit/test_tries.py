"""`autograder try`: files and edits side by side, and nothing recorded."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from autograder.audit.tries import sources_of
from autograder.course import Exercise
from autograder.errors import UserError

WRONG = "import torch\n\ndef affine(x, scale, shift):\n    return x * scale\n"


@pytest.fixture
def tried(cli: Callable[..., Any], toy: Path, shared_sandbox: Any) -> Callable[..., dict[str, Any]]:
    def run(*arguments: object) -> dict[str, Any]:
        said = cli("try", "basics/affine", *arguments, "--json", "--course", toy)
        assert said.code == 0, said.err
        return {one["name"]: one["result"] for one in json.loads(said.out)["tries"]}

    return run


def test_files_side_by_side(tried: Callable[..., dict[str, Any]], toy: Path, tmp_path: Path) -> None:
    wrong, right = tmp_path / "wrong.py", toy / "tests/accepted/basics/affine/rows.py"
    wrong.write_text(WRONG)
    before = sorted(toy.rglob("*"))
    found = tried(wrong, right)
    assert found[str(right)]["score"] == found[str(right)]["max_score"]
    assert found[str(wrong)]["score"] < found[str(right)]["score"]
    assert "unshifted" in {test["diagnosis"] for test in found[str(wrong)]["tests"]}
    assert [path for path in sorted(toy.rglob("*")) if "__pycache__" not in path.parts] == [
        path for path in before if "__pycache__" not in path.parts
    ]


def test_an_edit_of_the_reference(tried: Callable[..., dict[str, Any]]) -> None:
    (result,) = tried("--edit", "x * scale + shift=>x * scale - shift").values()
    assert "shift_taken" in {test["diagnosis"] for test in result["tests"]}


def test_the_table(cli: Callable[..., Any], toy: Path, tmp_path: Path, shared_sandbox: Any) -> None:
    wrong = tmp_path / "wrong.py"
    wrong.write_text(WRONG)
    said = cli("try", "affine", wrong, "--course", toy)
    assert said.code == 0
    assert "unshifted" in said.out
    assert "× not_implemented" in said.out


@pytest.mark.parametrize(
    ("files", "edits", "problem"),
    [
        ([], [], "nothing to try"),
        ([Path("absent.py")], [], r"absent\.py can't be read"),
        ([], ["x * scale"], "write OLD=>NEW"),
        ([], ["=>x"], "write OLD=>NEW"),
        ([], ["nosuch=>x"], "'nosuch' must stand exactly once"),
        ([], ["x=>y"], "'x' must stand exactly once"),
    ],
)
def test_bad_input(affine: Exercise, files: list[Path], edits: list[str], problem: str) -> None:
    with pytest.raises(UserError, match=problem):
        sources_of(affine, files, edits)


FAULTS = {
    "a test's own assertion": (
        "solutions/basics/test_affine.py",
        "    x = torch.randn(5, width)",
        "    x = torch.randn(5, width)\n    assert x.numel() == 0, 'made the wrong data'",
        r"test_affine\[3\] \(solutions/basics/test_affine\.py:\d+\): .*made the wrong data",
    ),
    "a forbidden call that does not exist": (
        "solutions/basics/affine.toml",
        'forbidden = ["torch.nn.functional.layer_norm"]',
        'forbidden = ["torch.nn.functional.layer_morn"]',
        r"'torch\.nn\.functional\.layer_morn' names nothing that can be imported",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_the_table_says_why_there_are_no_points(
    cli: Callable[..., Any], toy: Path, edited: Callable[..., None], shared_sandbox: Any, fault: str
) -> None:
    file, old, new, cause = FAULTS[fault]
    edited(toy / file, old, new)
    said = cli("try", "affine", toy / "tests/accepted/basics/affine/rows.py", "--course", toy)
    assert re.search(cause, " ".join(said.out.replace("│", " ").split())), said.out
