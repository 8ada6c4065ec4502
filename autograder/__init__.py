"""The autograder of the course: build, check, grade and record exercises on large language models.

Importing this package costs next to nothing; `check` is loaded when it is first asked for, because a student's file
begins with `from autograder import check` and is imported by every test run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from autograder.learn.check import check

__version__ = "0.1.0"
__all__ = ["__version__", "check"]


def __getattr__(name: str) -> Any:
    if name == "check":
        from autograder.learn.check import check

        return check
    raise AttributeError(f"module 'autograder' has no attribute {name!r}")
