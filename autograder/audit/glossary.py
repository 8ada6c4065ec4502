"""Does a Chinese page keep to the course's terms?"""

from __future__ import annotations

import re

from autograder.course.glossary import Term

# What is no Chinese prose: fenced cells, inline code, formulas, the targets of links.
NOT_PROSE = re.compile(
    r"^```.*?^```|`[^`\n]*`|\$\$.*?\$\$|\$[^$\n]*\$|(?<=\])\([^)\s]*\)", re.MULTILINE | re.DOTALL
)
# The page's title comes from the exercise's toml and may hold the word that learners search for.
TITLE = re.compile(r"^# [^\n]*", re.MULTILINE)
# Where an English word is right: in brackets behind a Chinese term, and in the title of a paper.
ENGLISH = re.compile(r"（[^（）]*）|\([^()]*\)|(?<![*\w])\*(?=[^\s*])[^*]+\*")


def glossary_problems(text: str, glossary: tuple[Term, ...]) -> list[str]:
    """Where a Chinese page uses a word that the glossary avoids, in words; empty if nowhere.

    Args:
        text: the page in Markdown, its title included.
        glossary: the course's terms.
    """
    prose = NOT_PROSE.sub(_blank, text)
    prose = TITLE.sub(_blank, prose, count=1)
    chinese_only = ENGLISH.sub(_blank, prose)
    found: dict[tuple[int, str], list[str]] = {}
    for term in glossary:
        for word in term.avoid:
            searched, pattern = prose, re.escape(word)
            if word.isascii():  # a whole word, also in the plural; `token` is no part of `tokenizer`
                searched, pattern = chinese_only, rf"(?<![A-Za-z0-9_-]){pattern}s?(?![A-Za-z0-9_-])"
            for match in re.finditer(pattern, searched, re.IGNORECASE):
                line = searched.count("\n", 0, match.start()) + 1
                found.setdefault((line, word), [])
                if term.zh not in found[line, word]:
                    found[line, word].append(term.zh)
    return [
        f"line {line}: the glossary avoids {word!r}; write {' or '.join(names)}"
        for (line, word), names in sorted(found.items())
    ]


def chinese_statement(solution: str) -> str:
    """The Chinese statement cells of a solution's source. Every other line is blank, so that line numbers hold."""
    lines, inside = [], False
    for line in solution.splitlines():
        if line.startswith("# %%"):
            inside = 'lang="zh"' in line
            lines.append("")
        else:
            lines.append(line.removeprefix("#").removeprefix(" ") if inside else "")
    return "\n".join(lines)


def _blank(match: re.Match[str]) -> str:
    """Space instead of what was matched, with its line breaks kept."""
    return re.sub(r"[^\n]", " ", match[0])
