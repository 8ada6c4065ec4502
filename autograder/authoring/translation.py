"""What ties a Chinese lesson to the English page that it was written for."""

from __future__ import annotations

import hashlib

DIGITS = 12


def translates_line(english: str) -> str:
    """The line in the Chinese page's front matter: the beginning of the English page's SHA-256."""
    return f"translates: {hashlib.sha256(english.encode()).hexdigest()[:DIGITS]}"
