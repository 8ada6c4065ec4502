"""A student's Markdown on pages that others open: laid out, and nothing in it runs, loads or leads away unasked.

nbgrader's pages take a cell's Markdown as it is: links to scripts, pictures from anywhere, LaTeX that MathJax obeys
(`\\href`). So the HTML is made here, and cleaned by nh3, whose list says what may stay. It reaches the page unchanged:
Markdown leaves an HTML block alone up to the next blank line, and this one has none. MathJax passes it by, but for formulas
that are safe.
"""

from __future__ import annotations

import html
from functools import cache
from typing import Any

from autograder.platforms.nbgrader.safe_latex import is_safe

MAX_RENDERED = 20_000  # characters of one notebook; what hostile Markdown costs grows with them (1 s of CPU)
MAX_SHOWN = 200_000  # characters of one cell, beyond that as they were typed
TAGS = {
    "a", "blockquote", "br", "code", "em", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "li", "ol", "p", "pre", "s", "strong",
    "span", "table", "tbody", "td", "th", "thead", "tr", "ul",
}  # fmt: skip
ATTRIBUTES = {"a": {"href", "title"}, "ol": {"start"}}
SCHEMES = {"http", "https", "mailto"}
# What MathJax (2, and 3 or later) leaves as it is.
BLOCK = '<div class="tex2jax_ignore mathjax_ignore">{}</div>'
# And what it typesets inside of that.
PROCESSED = {"tex2jax_process", "mathjax_process"}
FORMULA = f'<span class="{" ".join(sorted(PROCESSED))}">{{}}</span>'
# What whoever reads the page's source takes for more than itself: formulas; links to files, of which nbconvert looks for
# the end at every bracket (200,000 of them held its feedback for minutes).
CODED = str.maketrans({c: f"&#{ord(c)};" for c in "\n\r\\$`[]"})


class ForeignMarkdown:
    """Makes the Markdown of one student's notebook harmless, cell by cell."""

    def __init__(self) -> None:
        self._left = MAX_RENDERED

    def __call__(self, source: str) -> str:
        """Markdown that shows `source`: laid out, or as it was typed where there is too much of it."""
        self._left -= len(source)
        if self._left < 0:
            return BLOCK.format(f"<pre>{html.escape(source[:MAX_SHOWN])}</pre>".translate(CODED))
        import nh3

        made = _renderer().render(source)
        clean = nh3.clean(
            made,
            tags=TAGS,
            attributes=ATTRIBUTES,
            allowed_classes={"span": PROCESSED},
            url_schemes=SCHEMES,
            url_relative="deny",
            strip_comments=True,
        )
        return BLOCK.format(clean.translate(CODED))


@cache
def _renderer() -> Any:
    """Markdown as students know it. Tags are shown as they were typed, and a picture is a link to it."""
    from markdown_it import MarkdownIt
    from mdit_py_plugins.dollarmath import dollarmath_plugin

    made = MarkdownIt("js-default").disable("image")
    made.use(dollarmath_plugin, allow_labels=False, allow_space=False, allow_digits=False, double_inline=True)
    for kind in ("math_inline", "math_inline_double", "math_block"):
        made.add_render_rule(kind, _formula)
    made.validateLink = lambda url: True  # type: ignore[method-assign]  # nh3 decides, and takes the address away
    return made


def _formula(renderer: Any, tokens: Any, index: int, options: Any, env: Any) -> str:
    """A formula as MathJax finds it, or as it was typed."""
    token = tokens[index]
    mark = "$" if token.type == "math_inline" else "$$"
    typed = html.escape(f"{mark}{token.content}{mark}")
    shown = FORMULA.format(typed) if is_safe(token.content) else typed
    return f"<p>{shown}</p>" if token.block else shown
