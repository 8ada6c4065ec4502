"""Run a notebook's cells one after another, so that scratch work can't take the graded definitions down with it.

Functions and classes must be made. Whatever else a cell does (a plot, a check, a training loop) may fail or take too
long: it is left out with a note, and the definitions around it are made all the same.
"""

from __future__ import annotations
import __future__

import ast
import re
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import CodeType, FrameType
from typing import Any, NamedTuple

SCRATCH_SECONDS = 5.0  # CPU time in all for what defines nothing
# What a statement still gets when that is used up: a constant may stand after a training loop.
LEAST_SECONDS = 0.1
AGAIN_SECONDS = 0.5  # until OutOfTime is raised again: a bare `except:` or a destructor may have swallowed it
MAX_NOTES = 10
GAP = "\n\n"  # between two cells in the text that tracebacks show
DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
DEFINES = re.compile(r"^(async def|def|class)\b", re.MULTILINE)


class SkippedCell(NamedTuple):
    """A cell that did not run to its end: its first line, and the exception's name and text."""

    cell: str
    error: str
    message: str


TOO_LONG = f"what defines nothing may take {SCRATCH_SECONDS:g} s of CPU time in all"


class OutOfTime(BaseException):
    """A scratch statement used up its CPU time. No Exception, because `except Exception` must not swallow it."""


def run_cells(cells: Sequence[str], filename: str, namespace: dict[str, Any]) -> list[SkippedCell]:
    """Execute the cells, in order, in one namespace; what was left out.

    Raises:
        BaseException: whatever a function's or class's definition raises; SyntaxError for a cell that holds a
            definition and can't be parsed.
    """
    notes: list[SkippedCell] = []
    clock = _Clock(filename)
    flags = 0
    for source, tree in _parsed(cells, filename, notes):
        failed = False
        for statement in tree.body:
            flags |= _future(statement)
            if isinstance(statement, DEFINITIONS):
                exec(_compiled(statement, filename, flags), namespace)
            elif not failed:
                try:
                    with clock.limited():
                        exec(_compiled(statement, filename, flags), namespace)
                except KeyboardInterrupt:
                    raise
                except BaseException as error:
                    failed = True
                    _note(notes, source, error)
    return notes


def check_cells(cells: Sequence[str], filename: str) -> None:
    """Raise what `run_cells` would of cells that are no Python, and run nothing."""
    flags = 0
    for _, tree in _parsed(cells, filename, []):
        for statement in tree.body:
            flags |= _future(statement)
            if isinstance(statement, DEFINITIONS):
                _compiled(statement, filename, flags)


def _parsed(
    cells: Sequence[str], filename: str, notes: list[SkippedCell]
) -> Iterator[tuple[str, ast.Module]]:
    """Each cell and its tree, which is empty where a cell that defines nothing can't be parsed."""
    line = 0
    for source in cells:
        try:
            tree = ast.increment_lineno(ast.parse(source, filename), line)
        except (SyntaxError, ValueError) as error:
            if DEFINES.search(source):
                if isinstance(error, SyntaxError) and error.lineno is not None:
                    error.lineno += line
                raise
            _note(notes, source, error)
            tree = ast.Module([], [])
        line += source.count("\n") + GAP.count("\n")
        yield source, tree


def _compiled(statement: ast.stmt, filename: str, flags: int) -> CodeType:
    return compile(ast.Module([statement], []), filename, "exec", flags, dont_inherit=True)


def _future(statement: ast.stmt) -> int:
    """`from __future__ import x` holds for all that follows, as it does in a notebook."""
    if isinstance(statement, ast.ImportFrom) and statement.module == "__future__":
        found = [getattr(__future__, alias.name, None) for alias in statement.names]
        return sum(feature.compiler_flag for feature in found if feature is not None)
    return 0


def _note(notes: list[SkippedCell], source: str, error: BaseException) -> None:
    if len(notes) >= MAX_NOTES:
        return
    first = next((line.strip() for line in source.splitlines() if line.strip()), "")
    try:
        text = str(error)
    except BaseException:  # the submission's own exception
        text = ""
    notes.append(SkippedCell(first[:80], type(error).__name__[:80], text[:400]))


class _Clock:
    """Shares the time for scratch work among its statements, which are those of one file."""

    def __init__(self, filename: str) -> None:
        self.filename = filename
        self.left = SCRATCH_SECONDS

    @contextmanager
    def limited(self) -> Iterator[None]:
        """Raise OutOfTime in this block when its time is up. Only Unix's main thread has the timer for it."""
        if not hasattr(signal, "setitimer") or threading.current_thread() is not threading.main_thread():
            yield
            return
        seconds = max(LEAST_SECONDS, self.left)
        began = time.process_time()
        before = signal.signal(signal.SIGPROF, self._out_of_time)
        signal.setitimer(signal.ITIMER_PROF, seconds, AGAIN_SECONDS)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
            signal.signal(signal.SIGPROF, before)
            self.left -= time.process_time() - began

    def _out_of_time(self, number: int, frame: FrameType | None) -> None:
        if runs_inside(frame, self.filename.__eq__):
            raise OutOfTime(TOO_LONG)


def runs_inside(frame: FrameType | None, inside: Callable[[str], bool]) -> bool:
    """Whether the frame, or one that called it, is of a file that `inside` knows.

    A timer asks before it raises: between the end of what it watches and its own, it would hit what comes after.
    """
    while frame is not None:
        if inside(frame.f_code.co_filename):
            return True
        frame = frame.f_back
    return False
