"""What students put into notebooks and error messages, on the pages that nbgrader makes of what we wrote."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from bs4 import BeautifulSoup

Autograder = Callable[..., tuple[int, str]]

LINKS = """\
[one](javascript:window.evil=1) [two](JaVaScRiPt&colon;window.evil=1) [three](data:text/html,<script>1</script>)
[four](//evil.example/x) [five][ref] <javascript:window.evil=1> [fine](https://fine.example/page?q=$1$)
<a href="javascript:window.evil=1" onclick="window.evil=1" style="position:fixed;inset:0">six</a>

[ref]: vbscript:window.evil=1 "seven"
"""
LOADS = """\
![a](https://evil.example/x.png) ![b](data:image/svg+xml,<svg/onload=1>) <img src=https://evil.example/y.png>
<iframe src=https://evil.example></iframe> <style>* { background: url(https://evil.example/z) }</style>
"""
LATEX = r"$\href{javascript:window.evil=1}{click}$ \\(\url{javascript:1}\\) $\style{position:fixed}{x}$"
DISPLAYED = (
    "$$\n\\href{javascript:window.evil=1}{a}\n\n<b>$$\n\n\\begin{align}\\href{javascript:1}{b}\\end{align}"
)
# Formulas that are only that, and some that are not.
FORMULAS = [
    r"$\frac{a}{b}$", r"$\sum_{i<n} \mathbb{E}\left[x_i\right] \text{ if } \hat{y} \le 1$", "$$x^2$$",
    "$$\n\\begin{pmatrix} a & b \\\\\nc & d \\end{pmatrix}\n$$",
]  # fmt: skip
HOSTILE = [
    r"$\frac{\href{javascript:window.evil=1}{a}}{b}$", r"$\style{position:fixed;inset:0}{x}$", r"$\class{autograder-check}{x}$",
    r"$\cssId{x}{y}$", r"$\require{action}$", r"$\def\frac{\href}\frac{javascript:window.evil=1}{b}$",
    r"$\newcommand{\x}{\href{javascript:window.evil=1}{y}}\x$", r"$\let\frac\href\frac{javascript:window.evil=1}{y}$",
    r"$\begin{href}{javascript:window.evil=1}\end{href}$", r"$\begin %\n{href}\end{matrix}$", r"$\begin{mat\rix}\end{matrix}$",
    r"$\text{\(\href{javascript:window.evil=1}{y}\)}$", r"$\unicode[evil]{x41}$", r"$\bbox[url(//evil.example)]{x}$",
    r"$\frac{a}{b}\\href{javascript:window.evil=1}{y}\url{x}$", "$" + r"\frac{a}{b}" * 300 + "$",
]  # fmt: skip
# Markdown that is harmless once, and a link when what came of it is taken for Markdown again.
TWICE = "\\[c\\]\\(javascript:window.evil=1\\)\n\n    [d](javascript:window.evil=1)\n\n    ![e](https://evil.example/e.png)"
HONEST = (
    "# A *heading*\n\n* one\n* two\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n```python\nx = [1]\n\ny = 2\n```"
)
RAISES = r'    raise ValueError("$\\href{javascript:window.evil=1}{click}$ \\(\\url{x}\\) <img src=x onerror=window.evil=1>")'
MATHJAX_PASSES = ("pre", "code", "script", "style", "textarea")
OURS = (
    "#",
    "course/",
    "https://fine.example/page?q=$1$",
    "https://evil.example/x.png",
)  # a picture is a link to it


@pytest.fixture(scope="module")
def pages(
    _graded: Any, nbgrader: Any, autograder: Autograder, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, str]:
    """Student -> their feedback page on one notebook: s004 writes hostile Markdown, o'brien raises a hostile error."""
    made = _graded.copied(tmp_path_factory.mktemp("hostile") / "class")
    submitted = made.nbgrader / "submitted"
    path = submitted / "s004/week1/affine.ipynb"
    notebook = json.loads(path.read_text(encoding="utf-8"))
    kinds = {LINKS: "markdown", LOADS: "raw", LATEX: "markdown", DISPLAYED: "heading", TWICE: "markdown"}
    kinds |= {"\n\n".join(FORMULAS): "markdown", "\n\n".join(HOSTILE): "markdown"}
    for source, kind in {**kinds, HONEST: "markdown", "[" * 200_000: "markdown"}.items():
        notebook["cells"].append(
            {"cell_type": kind, "metadata": {"raw_mimetype": "text/html"}, "source": source}
        )
    path.write_text(json.dumps(notebook), encoding="utf-8")
    path = submitted / "o'brien/week1/affine.ipynb"
    text = json.loads(path.read_text(encoding="utf-8"))
    for cell in text["cells"]:
        if cell["metadata"].get("nbgrader", {}).get("grade_id") == "affine":
            cell["source"] = "".join(cell["source"]).replace("    return x * scale + shift", RAISES)
    path.write_text(json.dumps(text), encoding="utf-8")
    code, said = autograder("grade", *made.options)
    assert code == 0, said
    nbgrader((made.nbgrader, "generate_feedback week1 --force"))
    feedback = made.nbgrader / "feedback"
    return {
        student: (feedback / student / "week1/affine.html").read_text(encoding="utf-8")
        for student in ("s004", "o'brien", "s001")
    }


@pytest.mark.parametrize("student", ["s004", "o'brien"])
def test_nothing_runs_or_loads(pages: dict[str, str], student: str) -> None:
    """Beyond what nbgrader's page of an honest notebook has: no link but to the web, no image but PNG data, no script."""
    body = BeautifulSoup(pages[student], "html.parser").body
    assert body is not None
    for link in body.find_all(href=True):
        assert link["href"].startswith(OURS), link
    for loaded in body.find_all(src=True):
        assert loaded.name == "img" and loaded["src"].startswith("data:image/png;base64,"), loaded
    assert not body.find_all(["iframe", "style", "script", "object", "embed", "form", "svg", "base", "meta"])
    assert not [tag for tag in body.find_all(True) for name in tag.attrs if name.startswith("on")]
    outside = [
        tag for tag in body.find_all(style=True) if not tag.find_parent("table", class_="autograder-check")
    ]
    assert outside == []


@pytest.mark.parametrize("student", ["s004", "o'brien"])
def test_mathjax_obeys_nothing(pages: dict[str, str], student: str) -> None:
    """A LaTeX command of a student's stands where MathJax typesets nothing, or is none any more."""
    body = BeautifulSoup(pages[student], "html.parser").body
    assert body is not None
    named = (
        "href",
        "url",
        "style",
        "class",
        "cssId",
        "require",
        "def",
        "newcommand",
        "let",
        "unicode",
        "bbox",
        "(",
    )
    commands = [text for text in body.find_all(string=True) if any(f"\\{c}" in text for c in named)]
    assert len(commands) >= 1
    for text in commands:
        ignored = text.find_parent(class_="tex2jax_ignore") and text.find_parent(class_="mathjax_ignore")
        assert ignored or text.find_parent(MATHJAX_PASSES), text
        assert not text.find_parent(class_=("tex2jax_process", "mathjax_process")), text
    assert "href{javascript" in body.get_text()  # it is still there to be read


def test_what_is_honest_is_shown(pages: dict[str, str]) -> None:
    """A student's own Markdown is laid out, and our statements, unchanged in their notebook, keep their formulas."""
    body = BeautifulSoup(pages["s004"], "html.parser").body
    assert body is not None
    (heading,) = [found for found in body.find_all("h1") if "heading" in found.get_text()]
    assert heading.em is not None
    assert "x = [1]\n\ny = 2" in body.get_text()
    assert [
        cell.get_text()
        for table in body.select(".tex2jax_ignore table:not(.autograder-check)")
        for cell in table.find_all("td")
    ] == ["1", "2"]
    assert "fine" in [link.get_text() for link in body.find_all("a")]
    assert len(body.select("table.autograder-check")) == 2
    assert len(body.select("img[src^='data:image/png']")) == 1
    for student in ("s001", "s004"):
        (lesson,) = BeautifulSoup(pages[student], "html.parser").find_all("a", string="lesson")
        assert lesson.find_parent(class_="tex2jax_ignore") is None


def test_formulas_stay_formulas(pages: dict[str, str], browser: Any) -> None:
    """Those whose every control word is in our list stand where MathJax typesets, as they were typed; others do not."""
    page = browser.new_page()
    page.route("**/*", lambda route: route.abort())
    page.set_content(pages["s004"])
    shown = page.locator(".tex2jax_ignore .tex2jax_process.mathjax_process").all_text_contents()
    assert shown == FORMULAS
    assert page.locator(".tex2jax_process *").count() == 0
    text = page.locator("body").text_content()
    assert all(" ".join(formula.split()) in " ".join(text.split()) for formula in HOSTILE)
    page.close()


def test_in_a_browser(pages: dict[str, str], browser: Any) -> None:
    """Every link clicked in a real browser: nothing runs, nothing is asked of another server, our table is there."""
    for student in ("s004", "o'brien"):
        page = browser.new_page()
        asked: list[str] = []

        page.on("request", lambda request, asked=asked: asked.append(request.url))
        page.route("**/*", lambda route: route.abort())
        page.set_content(pages[student])
        assert page.locator("table.autograder-check").first.is_visible()
        loaded = [url for url in asked if "cdnjs" not in url and not url.startswith("data:image/png")]
        assert loaded == []  # nbgrader's own pages name MathJax's and others' scripts
        page.evaluate(
            "document.querySelectorAll('a:not([href^=http], [href^=course])').forEach(a => a.click())"
        )
        assert page.evaluate("window.evil") is None
        page.close()
