"""What the terminal shows, as HTML: rich's tables and texts, with their styles as classes. All text is escaped."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from markupsafe import Markup, escape
from rich.console import Group
from rich.markup import render
from rich.table import Table

CLASSES = {"green": "good", "red": "bad", "yellow": "warn", "dim": "faint", "bold": "strong"}


def as_html(shown: object) -> Markup:
    """A table, a text with rich's markup, or several of them."""
    return Markup("\n").join(_blocks(shown))


def _blocks(shown: object) -> Iterator[Markup]:
    if isinstance(shown, Group):
        for one in shown.renderables:
            yield from _blocks(one)
    elif isinstance(shown, Table):
        yield _table(shown)
    elif isinstance(shown, str):
        yield Markup("<p>{}</p>").format(inline(shown))
    elif shown is not None:
        yield Markup("<p>{}</p>").format(str(shown))


def inline(markup: str) -> Markup:
    """A text with rich's markup."""
    text = render(markup)
    classes = [name for span in text.spans for word in str(span.style).split() if (name := CLASSES.get(word))]
    said = Markup("<br>").join(text.plain.split("\n"))
    return Markup('<span class="{}">{}</span>').format(" ".join(classes), said) if classes else said


def _table(table: Table) -> Markup:
    title = Markup("<h2>{}</h2>").format(_said(table.title)) if table.title else ""
    heads = [(column.header, column.justify == "right") for column in table.columns]
    rows = zip(*(column.cells for column in table.columns), strict=True)
    body = html_table(
        [(_said(head), right) for head, right in heads], ([_said(cell) for cell in row] for row in rows)
    )
    caption = Markup("<p>{}</p>").format(_said(table.caption)) if table.caption else ""
    return Markup("").join((title, body, caption))


def _said(cell: object) -> Markup:
    return inline(cell) if isinstance(cell, str) else escape(str(cell))


def html_table(heads: Iterable[tuple[Markup, bool]], rows: Iterable[Iterable[Markup]]) -> Markup:
    """A table that scrolls by itself where it is wider than the page; (head, whether numbers are below)."""
    heads = list(heads)
    kinds = [Markup(' class="number"') if right else Markup("") for _, right in heads]
    head = Markup("").join(
        Markup('<th scope="col"{}>{}</th>').format(kind, said)
        for kind, (said, _) in zip(kinds, heads, strict=True)
    )
    body = Markup("\n").join(
        Markup("<tr>{}</tr>").format(
            Markup("").join(
                Markup("<td{}>{}</td>").format(kind, cell) for kind, cell in zip(kinds, row, strict=True)
            )
        )
        for row in rows
    )
    return Markup(
        '<div class="scroll" tabindex="0"><table><thead><tr>{}</tr></thead><tbody>\n{}\n</tbody></table></div>'
    ).format(head, body)
