"""What a submission may import: torch, numpy, matplotlib, the standard library, and the files beside it.

Whatever else is installed is refused to the student's files, and left to every library: torch itself imports sympy, and
more, when it first needs it. As with forbidden calls, this is a rule of the course, not a wall.
"""

from __future__ import annotations

import builtins
import importlib
import sys
from collections.abc import Callable, Sequence
from importlib.abc import MetaPathFinder
from types import FrameType
from typing import Any

from autograder.guest.loading import MODULE, STUB, is_beside, is_file_beside, is_loading

STANDARD = sys.stdlib_module_names
ALLOWED = STANDARD | {"torch", "numpy", "matplotlib", "mpl_toolkits"}


class ForbiddenImport(ImportError):
    """The student's file imported something that a submission may not. An ImportError, as if it were not installed."""


def guard_imports(is_student: Callable[[str], bool]) -> Callable[[], None]:
    """Refuse to the student's files what they may not import; `is_student(filename)` tells them. Returns the undo."""

    def check(name: str) -> None:
        if name.partition(".")[0] in ALLOWED or not _is_asked_by(is_student):
            return
        if not (is_beside(name) or (name == STUB and is_loading())):
            raise ForbiddenImport(f"a submission may not import {name}", name=name)

    statement, function = builtins.__import__, importlib.import_module

    def guarded_statement(name: str, *args: Any, **kwargs: Any) -> Any:
        if name and not (args[3] if len(args) > 3 else kwargs.get("level")):
            check(name)
        return statement(name, *args, **kwargs)

    def guarded_function(name: str, package: str | None = None) -> Any:
        if not name.startswith("."):
            check(name)
        return function(name, package)

    class Finder(MetaPathFinder):
        """Finds nothing. It is asked whatever way leads to a module that is not loaded yet: pickle, runpy, find_spec."""

        def find_spec(self, fullname: str, path: Sequence[str] | None, target: Any = None) -> None:
            if path is None:
                check(fullname)

    finder = Finder()
    builtins.__import__, importlib.import_module = guarded_statement, guarded_function
    sys.meta_path.insert(0, finder)

    def undo() -> None:
        builtins.__import__, importlib.import_module = statement, function
        sys.meta_path.remove(finder)

    return undo


def _is_asked_by(is_student: Callable[[str], bool]) -> bool:
    """Whether it is the student's code that asks: the first on the stack that is neither ours nor of the standard library."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        name = str(frame.f_globals.get("__name__"))
        filename = frame.f_code.co_filename
        if is_student(filename) or is_file_beside(filename) or name == MODULE:
            return True
        if name.partition(".")[0] not in STANDARD and name not in ("None", __name__):
            return False
        frame = frame.f_back
    return False
