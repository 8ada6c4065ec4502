"""The tests of an exercise as plain functions, called in a kernel: `run(globals())`, beside the tests and the reference.

side_by_side.py lays this file beside a notebook for nbgrader and otter. No pytest, no limits, no guards: the least that
these tests can cost there.
"""

from __future__ import annotations

import importlib.util
import inspect
from collections.abc import Iterator, Mapping
from itertools import product
from pathlib import Path
from types import ModuleType
from typing import Any

import torch

from autograder.guest.helpers import HELPERS

HERE = Path(__file__).parent
FILES = ("public_tests", "hidden_tests")


def run(namespace: Mapping[str, Any]) -> int:
    """Call every test on the notebook's definitions; how many passed. Raises what the first that fails raises."""
    student = ModuleType("student")
    vars(student).update({name: value for name, value in namespace.items() if not name.startswith("__")})
    fixtures = {"student": student, "reference": _module("reference"), **HELPERS}
    passed = 0
    for file in FILES:
        for name, test in list(vars(_module(file)).items()):
            if name.startswith("test_"):
                wanted = {key: fixtures[key] for key in inspect.signature(test).parameters if key in fixtures}
                for values in _parameters(test):
                    torch.manual_seed(passed)
                    test(**wanted, **values)
                    passed += 1
    return passed


def _module(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, HERE / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _parameters(test: Any) -> Iterator[dict[str, Any]]:
    """Every set of parameters that @pytest.mark.parametrize gives a test."""
    lists = []
    for mark in getattr(test, "pytestmark", ()):
        if mark.name == "parametrize":
            names = [name.strip() for name in mark.args[0].split(",")]
            sets = [values if len(names) > 1 else (values,) for values in mark.args[1]]
            lists.append([dict(zip(names, values, strict=True)) for values in sets])
    for chosen in product(*lists):
        yield {name: value for part in chosen for name, value in part.items()}
