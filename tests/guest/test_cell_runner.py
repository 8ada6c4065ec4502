"""A notebook's scratch work never takes a definition down with it; a definition that fails is the file's failure."""

from __future__ import annotations

import json
import signal
import sys
import time
import traceback
from types import ModuleType
from typing import Any

import pytest

from autograder.guest import cell_runner
from autograder.guest.cell_runner import SCRATCH_SECONDS, SkippedCell
from autograder.guest.loading import load_module


def load(*cells: str) -> tuple[ModuleType, list[SkippedCell]]:
    notebook = {"cells": [{"cell_type": "code", "source": cell} for cell in cells], "nbformat": 4}
    skipped: list[SkippedCell] = []
    return load_module({"a.ipynb": json.dumps(notebook).encode()}, "a.ipynb", skipped=skipped), skipped


def test_a_failing_cell_is_left_out_with_a_note() -> None:
    module, skipped = load("x = 1", "\nplot(x)\ny = 5", "def f():\n    return x")
    assert module.f() == 1
    assert not hasattr(module, "y")
    assert skipped == [SkippedCell("plot(x)", "NameError", "name 'plot' is not defined")]


def test_definitions_of_a_failing_cell_are_made() -> None:
    module, skipped = load(
        "def f(): return 1\nassert f() == 2, 'no'\nimport nosuchlibrary\nclass C:\n    z = f()"
    )
    assert (module.f(), module.C.z) == (1, 1)
    assert skipped == [SkippedCell("def f(): return 1", "AssertionError", "no")]


@pytest.mark.parametrize(
    "work", ["1/0", "import nosuchlibrary", "raise SystemExit(3)", "x = = 1", "await x", "return"]
)
def test_whatever_goes_wrong(work: str) -> None:
    module, skipped = load(work, "def f(): return 1")
    assert module.f() == 1
    assert len(skipped) == 1 and skipped[0].cell == work


@pytest.mark.parametrize(
    ("cell", "error"),
    [("def f(x=nosuch): pass", NameError), ("class C:\n    x = 1 / 0", ZeroDivisionError), ("x = 1\ndef f(:\n  pass", SyntaxError)],
)  # fmt: skip
def test_a_definition_must_run(cell: str, error: type[BaseException]) -> None:
    with pytest.raises(error):
        load("y = 1", cell)


def test_an_endless_loop_ends() -> None:
    """Alone it gets all the time there is; a constant after it still gets some."""
    began = time.process_time()
    module, skipped = load(
        "while True:\n    try: pass\n    except Exception: pass", "x = 2", "def f(): return x"
    )
    # The kernel's timer counts whole ticks, and on a busy machine more of them than were used.
    assert 0.5 * SCRATCH_SECONDS < time.process_time() - began < 2 * SCRATCH_SECONDS
    assert module.f() == 2
    assert [cell.error for cell in skipped] == ["OutOfTime"]


def test_out_of_time_is_said_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bare `except:` swallows it once, and so does a destructor that happens to run; the next one ends the cell."""
    monkeypatch.setattr(cell_runner, "SCRATCH_SECONDS", 0.2)
    module, skipped = load(
        "import time\nend = time.process_time() + 5\nswallowed = 0",
        "while time.process_time() < end:\n    try:\n        while time.process_time() < end: pass\n"
        "    except BaseException:\n        swallowed += 1\n        if swallowed == 3: raise",
        "def f(): return swallowed",
    )
    assert [cell.error for cell in skipped] == ["OutOfTime"]
    assert module.f() == 3


def test_out_of_time_hits_the_cell_only() -> None:
    """A timer that ends as the cell does must not reach what comes after."""
    clock = cell_runner._Clock("a.ipynb")
    code = compile("import sys\nframe = sys._getframe()", "a.ipynb", "exec")
    inside: dict[str, Any] = {}
    exec(code, inside)
    with pytest.raises(cell_runner.OutOfTime):
        clock._out_of_time(signal.SIGPROF, inside["frame"])
    clock._out_of_time(signal.SIGPROF, sys._getframe())


def test_future_imports_hold_for_all_that_follows() -> None:
    module, skipped = load("x = 1\nfrom __future__ import annotations", "def f(a: Nosuch): return 1")
    assert (module.f(0), skipped) == (1, [])


def test_line_numbers_are_those_of_all_cells_together() -> None:
    module, _ = load("x = 1\ny = 2", "def f():\n    return 1 / 0")
    with pytest.raises(ZeroDivisionError) as caught:
        module.f()
    last = traceback.extract_tb(caught.value.__traceback__)[-1]
    assert (last.lineno, last.line) == (5, "return 1 / 0")
    with pytest.raises(SyntaxError) as broken:
        load("x = 1\ny = 2", "def f(:\n    pass")
    assert broken.value.lineno == 4


def test_many_skipped_cells_are_cut() -> None:
    _, skipped = load(*["1/0"] * 50)
    assert len(skipped) == 10


def test_an_exception_that_can_not_be_shown() -> None:
    _, skipped = load("class E(Exception):\n    def __str__(self): raise ValueError", "raise E")
    assert skipped == [SkippedCell("raise E", "E", "")]


def test_a_plain_file_is_run_as_python_runs_it() -> None:
    with pytest.raises(ZeroDivisionError):
        load_module({"a.py": b"1/0\ndef f(): pass\n"}, "a.py")
