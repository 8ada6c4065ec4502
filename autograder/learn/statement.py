"""What the exercise's file says of one question: the heading above it, its statement, and what its function promises."""

from __future__ import annotations

import ast
import re

from msgspec import Struct

from autograder.course import Exercise

HEADER = re.compile(r"^# %%(.*)$", re.MULTILINE)
CHINESE = re.compile(r'\blang="zh"')
DEFINITION = r"^(?:(?:async )?def|class) {name}\b|^{name}\b\s*(?::[^=\n]+)?="
BULLET = re.compile(r"\s*(?:(?:[*-]|\d+\.) |\|)")  # also a row of a table
RULE = re.compile(r"\s*\|[-:| ]+\|\s*$")  # the line below a table's head
FENCE, INDENT = "```", "    "
CODE = r"(`[^`]*`|\$\$.*?\$\$|\$[^$]*\$)"  # and formulas: what looks like a mark in them is none
STRONG = re.compile(CODE + r"|\*\*(.+?)\*\*")
LINK = re.compile(CODE + r"|\[([^\]]*)\]\((?:[^()\s]|\([^()\s]*\))*\)")
EMPHASIS = re.compile(CODE + r"|(?<![A-Za-z0-9_*])\*(?=[^\s*])([^*]*)(?<!\s)\*(?![A-Za-z0-9_*])")


class Statement(Struct, frozen=True):
    """One question as a learner reads it; `paragraphs` in the order of the file."""

    heading: str
    paragraphs: list[str]


def statement_of(exercise: Exercise, question: str | None, lang: str) -> Statement:
    """The statement of a question, or where there is none that can be found, of the whole exercise.

    The file is the learner's: whatever they did to it, this is what is left of the text.
    """
    title = exercise.public.title.text.pick(lang)
    try:
        cells = _cells(exercise.skeleton.read_text(encoding="utf-8-sig", errors="replace"))
    except OSError:
        return Statement(title, [])
    place, code = _definition(cells, question)
    heading, paragraphs = _told(cells[:place], lang)
    promise = _promise(code, question)
    if promise and (lang != "zh" or not paragraphs):  # docstrings are written in English
        paragraphs = [promise, *paragraphs]
    return Statement(heading or title, paragraphs)


def _cells(text: str) -> list[tuple[str, str]]:
    """(header, body) of each cell."""
    parts = HEADER.split(text)[1:]
    return list(zip(parts[::2], parts[1::2], strict=True))


def _definition(cells: list[tuple[str, str]], question: str | None) -> tuple[int, str]:
    """The place and the code of the cell that holds the question; else the place after the first text, and no code."""
    if question is not None:
        pattern = re.compile(DEFINITION.format(name=re.escape(question)), re.MULTILINE)
        for place, (header, body) in enumerate(cells):
            if "[markdown]" not in header and pattern.search(body):
                return place, body
    texts = [
        place for place, (header, body) in enumerate(cells) if "[markdown]" in header and "# # " not in body
    ]
    code = (
        (place for place in range(texts[0], len(cells)) if "[markdown]" not in cells[place][0])
        if texts
        else iter(())
    )
    return next(code, len(cells)), ""


def _told(before: list[tuple[str, str]], lang: str) -> tuple[str, list[str]]:
    """Heading and paragraphs of the text in this language that stands last, before any code above it."""
    texts: list[tuple[bool, str]] = []
    for header, body in reversed(before):
        if "[markdown]" in header:
            texts.insert(0, (bool(CHINESE.search(header)), body))
        elif texts:
            break
    spoken = [body for chinese, body in texts if chinese == (lang == "zh")] or [body for _, body in texts]
    lines = [line.removeprefix("#").removeprefix(" ") for body in spoken for line in body.splitlines()]
    titles = [place for place, line in enumerate(lines) if line.startswith("#")]
    if not titles:
        return "", _paragraphs(lines)
    return lines[titles[-1]].lstrip("# ").replace("`", ""), _paragraphs(lines[titles[-1] + 1 :])


def _paragraphs(lines: list[str]) -> list[str]:
    """Markdown's paragraphs. What stands between two fences is one, indented, with its lines as they are."""
    found: list[str] = []
    begin, fenced = 0, False
    fences = [place for place, line in enumerate(lines) if line.lstrip().startswith(FENCE)]
    for place in [*fences, len(lines)]:
        part = lines[begin:place]
        found += ["\n".join(INDENT + line for line in part)] if fenced and part else []
        found += [] if fenced else _joined(part)
        begin, fenced = place + 1, not fenced
    return found


def _joined(lines: list[str]) -> list[str]:
    """Lines joined to paragraphs, without Markdown's marks; each item of a list, and each row of a table, is one."""
    found: list[str] = []
    begun = False
    for line in lines:
        if RULE.match(line):
            continue
        if BULLET.match(line) or not begun:
            found += [line.strip()] if line.strip() else []
        elif line.strip():
            found[-1] += f" {line.strip()}"
        begun = bool(line.strip())
    return [_plain(re.sub(r"^[*-] ", "• ", text)) for text in found]


def _plain(text: str) -> str:
    for mark in (STRONG, LINK, EMPHASIS):
        text = mark.sub(lambda match: match[1] or match[2], text)
    return text.replace("`", "")


def _promise(code: str, question: str | None) -> str:
    """The first paragraph of the docstring of what the question asks for; "" where it has none that can be read."""
    try:
        body = ast.parse(code).body
    except (SyntaxError, ValueError):
        return ""
    for node in body:
        named = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        if named and node.name == question:  # type: ignore[attr-defined]
            text = ast.get_docstring(node) or ""  # type: ignore[arg-type]
            return " ".join(text.partition("\n\n")[0].split())
    return ""
