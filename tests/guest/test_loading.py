"""A submission's files become a module: the same way whatever their names, encodings and imports."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from autograder.guest.loading import MODULE, decode_source, filename_of, load_module


@pytest.fixture(autouse=True)
def _no_traces() -> Iterator[None]:
    """Loading leaves siblings importable on purpose; these tests clean up after themselves."""
    yield
    load_module({"empty.py": b""}, "empty.py")
    sys.modules.pop(MODULE, None)


def load(source: str | bytes, main: str = "exercise.py", directory: str = "", **siblings: str) -> ModuleType:
    raw = source if isinstance(source, bytes) else source.encode()
    files = {main: raw, **{f"{name}.py": text.encode() for name, text in siblings.items()}}
    return load_module(files, main, directory)


def test_values_and_name() -> None:
    module = load("import math\nx = math.pi\n")
    assert module.x > 3
    assert module.__name__ == MODULE
    assert module.__file__ == "<exercise.py>"


def test_siblings() -> None:
    module = load("import helper\nfrom helper import y\nz = helper.y + y\n", helper="y = 2\n")
    assert module.z == 4


def test_sibling_of_a_sibling() -> None:
    assert load("import one\nx = one.x\n", one="from two import x\n", two="x = 5\n").x == 5


def test_sibling_imported_when_called() -> None:
    module = load("def f():\n    import late\n    return late.x\n", late="x = 7\n")
    assert module.f() == 7


def test_siblings_of_one_submission_are_not_the_next_one_s() -> None:
    first = load("import helper\nx = helper.x\n", helper="x = 1\n")
    second = load("import helper\nx = helper.x\n", helper="x = 2\n")
    assert (first.x, second.x) == (1, 2)
    third = load("def f():\n    import helper\n")
    with pytest.raises(ModuleNotFoundError):
        third.f()


def test_standard_library_is_not_shadowed() -> None:
    module = load("import random\nimport json\nx = random.random()\n", random="x = 1\n", json="x = 1\n")
    assert 0 <= module.x < 1
    assert "random" in sys.modules
    assert hasattr(sys.modules["json"], "loads")


def test_a_folder_of_the_same_name_is_no_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`tools.py` beside the submission, and somewhere on the path a folder `tools` without an __init__.py."""
    (tmp_path / "tools_of_mine").mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    assert load("from tools_of_mine import x", tools_of_mine="x = 5").x == 5


def test_an_installed_library_is_not_shadowed() -> None:
    import colorsys as library

    module = load("import colorsys\nx = colorsys.rgb_to_hsv\n", colorsys="rgb_to_hsv = 'mine'\n")
    assert module.x is library.rgb_to_hsv
    load("x = 1\n")  # the next submission
    assert sys.modules["colorsys"] is library


@pytest.mark.parametrize("main", ["logging.py", "torch.py", "imports.py", "autograder.py", "test_it.py"])
def test_odd_names_of_the_main_file(main: str) -> None:
    import logging

    module = load("import logging\nlevel = logging.DEBUG\nx = 1\n", main=main)
    assert (module.x, module.level) == (1, logging.DEBUG)
    assert sys.modules["logging"] is logging


def test_dots_and_folders_in_names() -> None:
    files = {"week 1/my.answer.py": b"import helper\nx = helper.x\n", "week 1/helper.py": b"x = 3\n"}
    assert load_module(files, "week 1/my.answer.py").x == 3


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (b"x = 1\r\ny = '''a\r\nb'''\r\n", "a\nb"),
        (b"x = 1\ry = '''a\rb'''\r", "a\nb"),
        (b"\xef\xbb\xbfx = 1\ny = 'a\\nb'\n", "a\nb"),
        ("# -*- coding: latin-1 -*-\nx = 1\ny = 'é'\n".encode("latin-1"), "é"),
        ("#!/usr/bin/env python\n# vim: set fileencoding=gbk :\nx = 1\ny = '你好'\n".encode("gbk"), "你好"),
        ("x = 1\ny = '你好 🙂'\n".encode(), "你好 🙂"),
    ],
    ids=["crlf", "cr", "bom", "latin-1", "gbk", "utf-8"],
)
def test_encodings(raw: bytes, value: str) -> None:
    module = load(raw)
    assert module.x == 1
    assert module.y == value


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        (b"x = '\xff\xfe'\n", "utf-8"),
        (b"# coding: ascii\nx = '\xe9'\n", "ascii"),
        (b"# coding: klingon\n", "klingon"),
        (b"x = 1\0\n", "null"),
    ],
)
def test_wrong_bytes(raw: bytes, problem: str) -> None:
    with pytest.raises(SyntaxError, match=problem):
        load(raw)


def test_undecodable_says_where_and_what_to_do() -> None:
    with pytest.raises(SyntaxError, match=r"byte 5.*save it as UTF-8"):
        decode_source(b"x = '\xff'")


def test_dataclasses_and_future_annotations() -> None:
    module = load(
        "from __future__ import annotations\n"
        "from dataclasses import dataclass, field\n"
        "from typing import ClassVar, NamedTuple, get_type_hints\n"
        "@dataclass\n"
        "class Point:\n"
        "    x: int\n"
        "    tags: list[str] = field(default_factory=list)\n"
        "    count: ClassVar[int] = 0\n"
        "class Pair(NamedTuple):\n"
        "    a: Point\n"
        "hints = get_type_hints(Point)\n"
    )
    assert module.Point(3).x == 3
    assert list(module.hints) == ["x", "tags", "count"]
    assert [f for f in module.Point.__dataclass_fields__ if f != "count"] == ["x", "tags"]


def test_future_import_of_the_loader_does_not_leak() -> None:
    assert load("def f(x: int): pass\n").f.__annotations__ == {"x": int}


def test_relative_import_says_why() -> None:
    with pytest.raises(ImportError, match="relative import"):
        load("from .helper import x\n", helper="x = 1\n")


def test_traceback_shows_lines_that_are_on_no_disk() -> None:
    module = load(
        "import helper\n\ndef f():\n    return helper.g()\n", helper="def g():\n    return 1 / 0  # here\n"
    )
    with pytest.raises(ZeroDivisionError) as caught:
        module.f()
    lines = [(entry.filename, entry.line) for entry in traceback.extract_tb(caught.value.__traceback__)][1:]
    assert lines == [("<exercise.py>", "return helper.g()"), ("<helper.py>", "return 1 / 0  # here")]


def test_real_path_for_a_debugger() -> None:
    assert load("x = __file__\n", directory="/course/exercises").x == filename_of(
        "exercise.py", "/course/exercises"
    )


def test_check_is_inert_while_a_file_is_loaded() -> None:
    import autograder

    real = sys.modules["autograder"]
    module = load('from autograder import check\nimport autograder\ncheck("no/such")\nstub = autograder\n')
    assert module.check("anything", lang="zh") is None
    assert module.stub is not real
    assert sys.modules["autograder"] is real is autograder
    assert "autograder.guest.loading" in sys.modules


def test_the_package_comes_back_after_an_error() -> None:
    real = sys.modules["autograder"]
    for source in ("1 / 0", "raise SystemExit(3)", "def f(:\n"):
        with pytest.raises((ZeroDivisionError, SystemExit, SyntaxError)):
            load(source)
        assert sys.modules["autograder"] is real
        assert "autograder.guest.loading" in sys.modules


def test_a_fresh_module_every_time() -> None:
    first = load("items = []\n")
    first.items.append(1)
    assert load("items = []\n").items == []
