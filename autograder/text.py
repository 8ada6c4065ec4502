"""Texts in the course's two languages, which of the two to speak, and text that is safe to print."""

from __future__ import annotations

import os
from typing import Any

from msgspec import Struct

LANGUAGES = ("en", "zh")
VARIABLES = ("AUTOGRADER_LANG", "LC_ALL", "LC_MESSAGES", "LANG")
MARKS = "✓✗·█░"
NAME_SHOWN = 200  # characters of a file's path: students choose it, and it may have thousands
MARK = "│ "  # what a line of foreign text begins with
PLAIN = str.maketrans(MARKS, "+x-#.")
# What a formula may begin with; in East Asian locales the wide forms as well.
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def language(given: str | None = None) -> str:
    """`given`, or what the environment says first of AUTOGRADER_LANG, LC_ALL, LC_MESSAGES and LANG; else English."""
    for value in (given, *(os.environ.get(name) for name in VARIABLES)):
        if value:
            return "zh" if value.lower().startswith("zh") else "en"
    return "en"


class Text(Struct, frozen=True):
    """One message in the course's two languages."""

    en: str = ""
    zh: str = ""

    def pick(self, lang: str) -> str:
        """The text in `lang` ("en" or "zh"), or in the other language where that one is missing."""
        return (self.zh or self.en) if lang == "zh" else (self.en or self.zh)

    def format(self, **values: object) -> Text:
        """Both texts with their `{placeholders}` filled. A value may itself be a Text."""
        return Text(
            *(
                self.pick(lang).format(
                    **{k: v.pick(lang) if isinstance(v, Text) else v for k, v in values.items()}
                )
                for lang in ("en", "zh")
            )
        )


def joined(*texts: Text) -> Text:
    """The texts one below the other, without those that are empty."""
    filled = [text for text in texts if text.en or text.zh]
    return Text("\n".join(text.en for text in filled), "\n".join(text.zh for text in filled))


def printable(text: str, limit: int) -> str:
    """`text` without control characters (a terminal would obey them) or lone surrogates, cut to `limit`."""
    cut = text[: limit + 1]
    if len(cut) > limit:
        cut = cut[: limit - 1] + "…"
    if cut.isprintable():
        return cut
    return "".join(c if c.isprintable() or c in "\n\t" else "\N{REPLACEMENT CHARACTER}" for c in cut)


def marked(text: str, limit: int) -> str:
    """Foreign text for a log: cut to `limit`, and each line of it behind a mark, so that none is a command to GitHub's runner.

    That obeys a line that begins with `::command::` behind any blanks, and `##[command]` anywhere in one.
    """
    cut = text if len(text) <= limit else f"{text[: limit - 1]}…"
    return "\n".join(f"{MARK}{defused(line)}" for line in cut.splitlines() or [""])


def defused(line: str) -> str:
    """A line without `##[` and without control characters, which move about in it."""
    return "".join(c if c.isprintable() else " " for c in line).replace("##[", "## [")


def shortened(name: str) -> str:
    """A file's name as a sentence tells it: of a very long one, the beginning and the end."""
    half = NAME_SHOWN // 2
    return name if len(name) <= NAME_SHOWN else f"{name[:half]}…{name[-half:]}"


def number(value: float) -> str:
    """Points as people write them: 2, 0.5, 1.33."""
    return f"{value:.2f}".rstrip("0").rstrip(".")


def machine_number(points: float) -> str:
    """Points for a machine: 2, 0.5, 1.3333."""
    return f"{round(points, 9):.4f}".rstrip("0").rstrip(".")


def encodable(text: str, encoding: str | None) -> str:
    """The text for a stream of this encoding: marks in ASCII where it lacks ours, and "?" for what else it lacks."""
    encoding = encoding or "utf-8"
    try:
        MARKS.encode(encoding)
    except UnicodeEncodeError:
        text = text.translate(PLAIN)
    return text.encode(encoding, errors="replace").decode(encoding)


def escape_formula(cell: Any) -> Any:
    """A text that no spreadsheet takes for a formula: one that begins like a formula gets an apostrophe before it."""
    return f"'{cell}" if isinstance(cell, str) and cell[:1] in FORMULA else cell
