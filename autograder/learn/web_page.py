"""The page of an exercise on a learner's own site, which `autograder site` makes."""

from __future__ import annotations

from pathlib import Path

from autograder.course import Exercise
from autograder.text import LANGUAGES, Text

OPENED = Text("Opened in the browser: {page}", "已在浏览器中打开：{page}")
UNOPENED = Text(
    "No browser could be opened. Open this page yourself: {page}", "无法打开浏览器，请自行打开：{page}"
)
ABSENT = Text(
    "There is no page of {exercise} in {folder}. Make the pages with `autograder site {folder}`.",
    "{folder} 里没有 {exercise} 的网页。请用 `autograder site {folder}` 生成。",
)


def page_of(exercise: Exercise, lang: str, site: Path) -> Path | None:
    """The exercise's page in this language, or in another that the site has; None where there is none."""
    languages = (lang, *(other for other in LANGUAGES if other != lang))
    pages = (site / one / exercise.unit / f"{exercise.topic}.html" for one in languages)
    return next((page.resolve() for page in pages if page.is_file()), None)


def open_page(page: Path) -> Text:
    """Open the page in the browser of this machine; what to say of it."""
    import webbrowser

    address = page.as_uri()
    try:
        opened = webbrowser.open(address)
    except (OSError, webbrowser.Error):
        opened = False
    return (OPENED if opened else UNOPENED).format(page=address)
