"""Pages that stand alone: one file, no script or font from elsewhere, for a screen, a phone and paper.

A template extends `page.html.j2` and fills its blocks `title`, `style` and `main`. Whatever a template prints is escaped:
students choose the names of their files and the texts of their errors.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

from autograder.text import Text, number

if TYPE_CHECKING:
    import jinja2


def html_page(template: str, lang: str, **values: Any) -> str:
    """A page in one language, made of a template of `feedback/files`.

    In a template `say(text)` is a `Text` in the page's language, with the values to fill in, and `number` writes points.
    """

    def say(text: Text, **filled: object) -> str:
        return (text.format(**filled) if filled else text).pick(lang)

    known: Mapping[str, Any] = {"lang": lang, "say": say, "number": number}
    return _environment().get_template(template).render(**known, **values)


@cache
def _environment() -> jinja2.Environment:
    import jinja2

    files = resources.files(__package__) / "files"
    return jinja2.Environment(
        loader=jinja2.FunctionLoader(lambda name: (files / name).read_text(encoding="utf-8")),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
