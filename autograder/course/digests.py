"""Digests by which a file that holds somebody's work is told from one that is still as it was given out."""

from __future__ import annotations

import hashlib

SHORT = 16  # hexadecimal digits that tell the cells of one exercise apart


def file_digest(text: str) -> str:
    """The digest of a text as it stands."""
    return hashlib.sha256(text.encode()).hexdigest()


def code_digest(source: str) -> str:
    """The digest of the lines of code, without comments and empty lines; "" where there are none.

    Comments don't count: Jupytext writes some of its own, and nbgrader's "YOUR CODE HERE" is one.
    """
    lines = (line.rstrip() for line in source.splitlines())
    code = [line for line in lines if line and not line.lstrip().startswith("#")]
    return hashlib.sha256("\n".join(code).encode("utf-8", "replace")).hexdigest()[:SHORT] if code else ""
