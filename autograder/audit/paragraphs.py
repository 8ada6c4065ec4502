"""Is a Chinese paragraph one line? A wrapped line is shown with a space in the middle of a sentence."""

from __future__ import annotations

import re
from itertools import pairwise

# What is no paragraph: front matter, fenced cells, comments, and formulas that stand by themselves.
NOT_PARAGRAPHS = re.compile(
    r"\A---\n.*?^---$|^```.*?^```\s*?$|<!--.*?-->|^ *\$\$.*?\$\$", re.MULTILINE | re.DOTALL
)
# What begins something new: an entry of a list, a heading, a table's row, a tag, a quotation.
BEGINS = re.compile(r" *([*+-] |\d+[.)] |#{1,6} |\||<|>)")
# What ends something, whatever comes next: a heading, a table's row, a tag; two spaces or \ break the line on purpose.
ENDS = re.compile(r" *(#{1,6} |\|)|.*(>|\\|  )$")
CHINESE = re.compile(r"[\u3000-\u303f\u3400-\u9fff\uff00-\uffef]")


def wrapped_lines(page: str) -> list[int]:
    """The lines (from 1) of a Markdown page that go on with the Chinese paragraph of the line before."""
    text = NOT_PARAGRAPHS.sub(lambda found: "\n" * found[0].count("\n"), page)
    return [
        number
        for number, (line, following) in enumerate(pairwise(text.splitlines()), 2)
        if line.strip()
        and following.strip()
        and not ENDS.match(line)
        and not BEGINS.match(following)
        and CHINESE.search(line + following)
    ]


def paragraph_problems(page: str) -> list[str]:
    """Each paragraph of a Chinese page that goes over several lines."""
    return [
        f"line {number} goes on with the paragraph before it; in Chinese write each paragraph as one line, since a line "
        "break is shown as a space"
        for number in wrapped_lines(page)
    ]
