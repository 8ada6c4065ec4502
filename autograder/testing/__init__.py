"""What tests are written with, and what runs them: fixtures, comparison, collection, outcomes.

Test files import from here: `from autograder.testing import assert_close`.
"""

from __future__ import annotations

from typing import Any

_HOMES = {
    "assert_close": "autograder.testing.compare",
    "load_reference": "autograder.testing.reference",
    "per_rank": "autograder.testing.ranks",
}
__all__ = ["assert_close", "load_reference", "per_rank"]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        import importlib

        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'autograder.testing' has no attribute {name!r}")
