"""A lesson's text as the site shows it: its equations can be followed, and a figure's code is folded away above it.

Files of lessons hold no more than notebooks and GitHub show, too, so both are added here.
"""

from __future__ import annotations

import re

from autograder.platforms.site.links import FENCE, outside_code

EQUATION = re.compile(
    r"^\$\$(?:(?!^\$\$).)*?\\tag\{(\d+)\}(?:(?!^\$\$).)*?\$\$[ \t]*$", re.MULTILINE | re.DOTALL
)
# Not in the head of a fold-out, which is HTML.
REFERENCE = re.compile(r"^.*<summary>.*$|(?<!\[)((?:\b[Ee]quation|式)[ \u00a0]?\((\d+)\))", re.MULTILINE)
CELL = re.compile(r"\A```\{code-cell\}[^\n]*\n(?!:)")
DRAWS = "plt."


def site_text(text: str, page: str) -> str:
    """The text as it stands on a page, `U/T.md`."""
    return _with_links(_with_folded_figures(text), page)


def _with_folded_figures(text: str) -> str:
    """Every cell that draws is shown by its figure; whoever wants to see the code unfolds it."""

    def fold(block: str) -> str:
        return (
            CELL.sub(lambda found: f"{found[0]}:tags: [hide-input]\n\n", block) if DRAWS in block else block
        )

    return "".join(fold(part) if FENCE.fullmatch(part) else part for part in FENCE.split(text))


def _with_links(text: str, page: str) -> str:
    """Each numbered equation has a name, and each "equation (2)" leads to the one of that number."""
    name = re.sub(r"\W+", "-", page.removesuffix(".md"))
    numbers: set[str] = set()

    def named(found: re.Match[str]) -> str:
        if found[1] in numbers:
            return found[0]
        numbers.add(found[1])
        return f"({name}-equation-{found[1]})=\n{found[0]}"

    def linked(found: re.Match[str]) -> str:
        known = found[2] in numbers  # nor is there a number in a line that is left alone
        return f"[{found[1]}](#{name}-equation-{found[2]})" if known else found[0]

    text = outside_code(text, lambda part: EQUATION.sub(named, part))
    return outside_code(text, lambda part: REFERENCE.sub(linked, part))
