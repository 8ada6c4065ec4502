"""Why something stayed ungraded, in words for the instructor. No student reads them: they may hold anything."""

from __future__ import annotations

import traceback

from autograder.text import printable

LINE_LIMIT = 300  # characters of the first line, which lists show by itself
TRACE_LINES = 8
DETAIL_LIMIT = 4000


def internal_error(what: str, error: BaseException | None) -> str:
    """`what` went wrong and the exception that says why, on one line; then the last lines of its traceback."""
    if error is None:
        return what
    words = str(error).strip().splitlines()
    kind = type(error).__name__
    first = printable(f"{what}: {kind}: {words[0]}" if words else f"{what}: {kind}", LINE_LIMIT)
    lines = [line for entry in traceback.format_exception(error) for line in entry.rstrip().splitlines()]
    last = "\n".join(f"  {line}" for line in lines[-TRACE_LINES:])
    return printable(f"{first}\n{last}", DETAIL_LIMIT)
