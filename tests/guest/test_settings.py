"""What one test's call sets for the whole process is not there in the next test; what the file sets when it is loaded is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch

from autograder.results import Limits
from autograder.runner.confined import ConfinedBackend
from autograder.runner.in_process import unsafe_backend

SETTINGS = """
def settings(upset=False):
    if upset:
        torch.set_grad_enabled(False)
        torch.set_default_dtype(torch.float16)
        torch.set_default_device("meta")
        torch.use_deterministic_algorithms(True)
        np.seterr(all="raise")
    made = torch.ones(1)
    return [
        torch.is_grad_enabled(), str(made.dtype), str(made.device), torch.are_deterministic_algorithms_enabled(),
        sorted(np.geterr().values()),
    ]
"""
HEAD = "import numpy as np\nimport torch\n"
LIMITS = Limits(10.0, 1024)


@pytest.fixture(params=["in process", "confined"])
def opened(request: pytest.FixtureRequest) -> Iterator[Any]:
    files = {"a.py": (HEAD + SETTINGS).encode()}
    if request.param == "in process":
        yield unsafe_backend(files, "a.py", ())
    else:
        with ConfinedBackend(request.getfixturevalue("sandbox"), files, "a.py", LIMITS, ()) as backend:
            yield backend


@pytest.fixture(autouse=True)
def settings_of_this_process() -> Iterator[None]:
    """Put back, whatever becomes of the test."""
    errors = np.geterr()
    yield
    torch.set_grad_enabled(True)
    torch.set_default_dtype(torch.float32)
    torch.set_default_device(None)
    torch.use_deterministic_algorithms(False)
    np.seterr(**errors)


def test_settings_end_with_the_test(opened: Any) -> None:
    with opened.begin(0, LIMITS):
        before = opened.student.settings()
        assert opened.student.settings(True) != before
    with opened.begin(0, LIMITS):
        assert opened.student.settings() == before


def test_what_the_file_sets_is_its_own(sandbox: Any) -> None:
    files = {"a.py": (HEAD + "torch.set_default_dtype(torch.float64)\n" + SETTINGS).encode()}
    with ConfinedBackend(sandbox, files, "a.py", LIMITS, ()) as backend:
        for upset in (True, False):
            with backend.begin(0, LIMITS):
                told = backend.student.settings(upset)
        assert told[1] == "torch.float64"
