"""The links of a lesson or a guide, which lead from file to file, as links from page to page."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Mapping

FENCE = re.compile(r"(^```.*?^```[ \t]*$)", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"(?<!`)(`+)(?!`).+?(?<!`)\1(?!`)", re.DOTALL)
LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^)\s]+)\)")
FRONT_MATTER = re.compile(r"\A---\n.*?^---\n", re.MULTILINE | re.DOTALL)
TITLE = re.compile(r"\A\s*# (.+)\n")
HEADING = re.compile(r"^(#+) ", re.MULTILINE)
SPECIAL = re.compile(r"([\\*_<>$\[\]|#~])")


def outside_code(text: str, change: Callable[[str], str]) -> str:
    """The text with everything changed but fenced blocks."""
    return "".join(part if FENCE.fullmatch(part) else change(part) for part in FENCE.split(text))


def relink(text: str, file: str, page: str, pages: Mapping[str, str]) -> str:
    """The text of `file` as it stands on `page`. A link to a file that has no page here becomes plain text.

    Args:
        file: its path in the course, from which its links lead.
        page: its page's path in the site.
        pages: file -> page, both from their roots; a page may carry a heading, `U/T.md#the-exercise`.
    """

    def change(found: re.Match[str]) -> str:
        image, label, target = found[1], found[2], found[3]
        path, _, heading = target.partition("#")
        if "://" in target or target.startswith("mailto:") or not path:
            return found[0]
        known = pages.get(posixpath.normpath(posixpath.join(posixpath.dirname(file), path)))
        if known is None:
            return "" if image else label
        there, _, own_heading = known.partition("#")
        relative = posixpath.relpath(there, posixpath.dirname(page) or ".")
        heading = heading or own_heading
        return f"{image}[{label}]({relative}{f'#{heading}' if heading else ''})"

    return outside_code(text, lambda part: LINK.sub(change, part))


def body_of(text: str) -> tuple[str, str]:
    """A page's title, and its text without front matter and title."""
    text = FRONT_MATTER.sub("", text)
    title = TITLE.match(text)
    return (title[1].strip(), text[title.end() :].strip("\n")) if title else ("", text.strip("\n"))


def demoted(text: str, levels: int = 1) -> str:
    """The text with its headings `levels` deeper."""
    return outside_code(text, lambda part: HEADING.sub("#" * levels + r"\1 ", part))


def plain(text: str) -> str:
    """A sentence as Markdown that shows it as it is; only `code` stays code."""
    parts, last = [], 0
    for found in CODE.finditer(text):
        parts += [SPECIAL.sub(r"\\\1", text[last : found.start()]), found[0]]
        last = found.end()
    return "".join([*parts, SPECIAL.sub(r"\\\1", text[last:])])
