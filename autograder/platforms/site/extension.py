"""What Sphinx is told for this site: how Chinese is searched, how formulas are left alone, and a theme's words in Chinese."""

from __future__ import annotations

import gettext
import re
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.search import SearchLanguage
from sphinx.search._stopwords.en import ENGLISH_STOPWORDS

CHINESE = re.compile(r"[\u3400-\u9fff]+")
LATIN = re.compile(r"[^\W\u3400-\u9fff]+")
# What the theme says and Sphinx's own catalogue lacks.
THEME_WORDS = {
    "On this page": "本页目录",
    "Back to top": "回到顶部",
    "Skip to content": "跳到正文",
    "Contents": "目录",
    "Home": "首页",
    "Next": "下一页",
    "Previous": "上一页",
    "Made with ": "制作工具：",
}


class ChineseSearch(SearchLanguage):
    """Chinese text by pairs of neighbouring characters: every word of two or more is found, whatever a dictionary says.

    A query is cut in the same way, so a page is found that holds all of its pairs. Latin words are taken whole.
    """

    lang = "zh"
    language_name = "Chinese"
    stopwords = ENGLISH_STOPWORDS
    js_splitter_code = r"""
var splitQuery = (query) => {
  const terms = query.match(/[^\W\u3400-\u9fff]+/gu) ?? [];
  for (const run of query.match(/[\u3400-\u9fff]+/gu) ?? []) {
    if (run.length === 1) terms.push(run);
    for (let i = 0; i + 1 < run.length; i++) terms.push(run.slice(i, i + 2));
  }
  return terms;
};
"""

    def split(self, input: str) -> list[str]:
        terms = LATIN.findall(input)
        for run in CHINESE.findall(input):
            terms += [*run, *(run[i : i + 2] for i in range(len(run) - 1))]
        return terms


class ThemeWords(gettext.NullTranslations):
    """The theme's words, where Sphinx's catalogue has none."""

    def gettext(self, message: str) -> str:
        return THEME_WORDS.get(message.strip("\n") if message not in THEME_WORDS else message, message)


def _keep_formulas(app: Sphinx, doctree: nodes.document) -> None:
    r"""Leave a formula as its page writes it: Sphinx would put one with `\\` into an environment that takes no `\tag`."""
    for formula in doctree.findall(nodes.math_block):
        if not formula.get("no-wrap"):
            text = rf"\[{formula.astext()}\]"
            formula["no-wrap"] = True
            formula.children = [nodes.Text(text)]


def _add_words(app: Sphinx) -> None:
    if app.config.language.startswith("zh"):
        app.translator.add_fallback(ThemeWords())


def _name_levels(
    app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: nodes.document | None
) -> None:
    """Say of the navigation's captions, which Sphinx calls headings, of which level they are."""
    tree = context.get("furo_navigation_tree", "")
    context["furo_navigation_tree"] = tree.replace('role="heading"', 'role="heading" aria-level="2"')


def setup(app: Sphinx) -> dict[str, Any]:
    """Sphinx calls this."""
    app.add_search_language(ChineseSearch)
    app.connect("doctree-read", _keep_formulas)
    app.connect("builder-inited", _add_words, priority=1)
    app.connect("html-page-context", _name_levels, priority=900)  # after the theme
    return {"parallel_read_safe": True, "parallel_write_safe": True}
