"""What a submission may import, in process and confined: the verdict is the same."""

from __future__ import annotations

import builtins
import importlib
import sys
from collections.abc import Callable
from typing import Any

import pytest

from autograder.guest.forbid import forbidden
from autograder.remote.errors import StudentError
from autograder.results import Limits
from autograder.runner.backend import Backend
from autograder.runner.confined import ConfinedBackend
from autograder.runner.in_process import unsafe_backend

LIMITS = Limits(5.0, 512)
Open = Callable[..., Backend]


@pytest.fixture(params=["in process", "confined"])
def opened(request: pytest.FixtureRequest) -> Open:
    def make(source: str, **beside: str) -> Backend:
        files = {f"{name}.py": text.encode() for name, text in {"a": source, **beside}.items()}
        if request.param == "in process":
            return unsafe_backend(files, "a.py", ())
        return ConfinedBackend(request.getfixturevalue("sandbox"), files, "a.py", LIMITS, ())

    return make


def answer(backend: Backend) -> Any:
    """What the submission's function `f` gives."""
    with backend, backend.begin(0, LIMITS):
        return backend.student.f()


def refused(backend: Backend) -> str:
    """The words with which an import is refused, at loading or when `f` is called."""
    with pytest.raises(ImportError) as caught:
        answer(backend)
    error = caught.value
    name = error.name if isinstance(error, StudentError) else type(error).__name__
    assert name == "ForbiddenImport", error
    return error.message if isinstance(error, StudentError) else str(error)


FINE = {
    "torch and its parts": "import torch.nn.functional as F\nfrom torch import nn\ndef f(): return F.relu is not nn",
    "numpy": "import numpy as np\nimport numpy.random\ndef f(): return np.random.rand(2).shape == (2,)",
    "the standard library": "import dataclasses, unicodedata, collections.abc\ndef f(): return bool(dataclasses)",
    "a plot": "import matplotlib.pyplot as plt\ndef f(): return plt is not None",
    "check": "from autograder import check\ncheck('a/b')\ndef f(): return True",
    "in a function": "def f():\n    import heapq\n    import torch.nn.utils.rnn\n    return True",
    "what torch imports when it is first used": (
        "import torch\ndef f():\n"
        "    from torch.fx.experimental.symbolic_shapes import ShapeEnv\n"
        "    return ShapeEnv().create_unbacked_symint() is not None"
    ),
    "one that may be absent": "try:\n    import scipy\nexcept ImportError:\n    scipy = None\ndef f(): return scipy is None",
}


@pytest.mark.parametrize("source", FINE.values(), ids=FINE)
def test_fine(opened: Open, source: str) -> None:
    assert answer(opened(source)) is True


def test_a_file_beside_is_fine(opened: Open) -> None:
    assert answer(
        opened("import helper\ndef f(): return helper.g()", helper="import math\ndef g(): return True")
    )


# Each is installed here: pandas with the program, sympy with torch, the others for the oracles.
NAMES = ("pandas", "sympy", "langchain_text_splitters", "tokenizers", "msgspec", "pytest")
WAYS = {
    "at the top": "import {name}\ndef f(): return 1",
    "of a part": "from {name}.nothing import something\ndef f(): return 1",
    "in a function": "def f():\n    import {name}",
    "by name": "import importlib\ndef f(): return importlib.import_module('{name}')",
    "by another name": "from importlib import import_module as load\ndef f(): return load('{name}.part')",
    "by the builtin": "def f(): return __import__('{name}')",
    "in a text": "def f(): exec('import {name}')",
    "by a map": "def f(): return list(map(__import__, ['{name}']))",
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
@pytest.mark.parametrize("name", ["pandas", "sympy"])
def test_refused(opened: Open, way: str, name: str) -> None:
    assert refused(opened(way.format(name=name))).startswith(f"a submission may not import {name}")


@pytest.mark.parametrize("name", NAMES)
def test_what_is_installed_for_others_is_refused(opened: Open, name: str) -> None:
    refused(opened(WAYS["at the top"].format(name=name)))


INDIRECT = {
    "a spec": "import importlib.util\ndef f(): return importlib.util.find_spec('langchain_text_splitters')",
    "a pickle": "import pickle\ndef f(): return pickle.loads(b'clangchain_text_splitters\\nTextSplitter\\n.')",
    "a resolved name": "import pkgutil\ndef f(): return pkgutil.resolve_name('langchain_text_splitters:TextSplitter')",
}


@pytest.mark.parametrize("source", INDIRECT.values(), ids=INDIRECT)
def test_other_ways_to_a_module(opened: Open, source: str) -> None:
    sys.modules.pop("langchain_text_splitters", None)
    refused(opened(source))


def test_a_file_beside_may_import_no_more(opened: Open) -> None:
    refused(opened("import helper\ndef f(): return 1", helper="import pandas"))
    refused(opened("import helper\ndef f(): return helper.g()", helper="def g():\n    import pandas"))


def test_a_file_with_a_library_s_name_opens_no_way_to_it(opened: Open) -> None:
    refused(opened("import pandas\ndef f(): return 1", pandas=""))


def test_the_program_itself_is_refused_to_a_function(opened: Open) -> None:
    refused(opened("def f():\n    import autograder.guest"))


def test_nothing_is_left_of_the_guard() -> None:
    assert answer(unsafe_backend({"a.py": b"def f(): return 1"}, "a.py", ())) == 1

    def state() -> list[object]:
        return [builtins.__import__, importlib.import_module, *sys.meta_path]

    before = state()
    with forbidden([], lambda filename: False):
        assert state() != before
    assert state() == before
