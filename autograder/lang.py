"""Which of the course's two languages to speak."""

from __future__ import annotations

import os

LANGUAGES = ("en", "zh")
VARIABLES = ("AUTOGRADER_LANG", "LC_ALL", "LC_MESSAGES", "LANG")


def language(given: str | None = None) -> str:
    """`given`, or what the environment says first of AUTOGRADER_LANG, LC_ALL, LC_MESSAGES and LANG; else English."""
    for value in (given, *(os.environ.get(name) for name in VARIABLES)):
        if value:
            return "zh" if value.lower().startswith("zh") else "en"
    return "en"
