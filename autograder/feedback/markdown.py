"""Foreign text in Markdown, which shows it and obeys none of it."""

from __future__ import annotations

import re

MARKUP = re.compile(
    r"[\\`*\[\]<>&$]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])"
)  # an underscore inside a word is none
ZERO_WIDTH_SPACE = "\u200b"
TICKS = re.compile("`+")
STARTS = re.compile(r"[-+#=](?!\d)|\d+[.)](?=\s|$)")  # what begins a heading, a list or a rule


def literal(text: str) -> str:
    """A text as Markdown that shows it letter by letter: no tag, no link, no emphasis, no command of LaTeX.

    MathJax reads the page that comes of it, where no escape is left: what parts a backslash from its name does.
    """
    return MARKUP.sub(lambda m: f"\\{m[0]}{ZERO_WIDTH_SPACE}" if m[0] == "\\" else f"\\{m[0]}", text)


def paragraph(text: str) -> str:
    """A text on one line, which begins no list, heading or table either."""
    said = literal(" ".join(text.split())).replace("|", "\\|").replace("~", "\\~")
    return STARTS.sub(lambda m: f"{m[0][:-1]}\\{m[0][-1]}", said, count=1) if STARTS.match(said) else said


def code(text: str) -> str:
    """A text as code inside a line."""
    said = " ".join(text.split())
    fence = "`" * (max(map(len, TICKS.findall(said)), default=0) + 1)
    space = " " if len(fence) > 1 or not said else ""
    return f"{fence}{space}{said}{space}{fence}"


def block(text: str, indent: str = "") -> str:
    """Lines as they stand."""
    fence = "`" * max(3, max(map(len, TICKS.findall(text)), default=0) + 1)
    return "\n".join(f"{indent}{line}" for line in (f"{fence}text", *text.splitlines(), fence))
