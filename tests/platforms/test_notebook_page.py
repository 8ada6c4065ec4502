"""A released notebook as a student meets it: JupyterLab in a real Chromium, cells filled in, run, the table turning green."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from autograder.course import Course
from autograder.platforms.publish import release
from autograder.platforms.selection import select

COURSE = Path(__file__).resolve().parents[2] / "course"
SECONDS = (
    60_000  # milliseconds, as playwright counts: a kernel that imports torch on a busy machine takes its time
)
ATTEMPTS = 10
ANSWERS = {
    "affine": "def affine(x, scale, shift):\n    return x * scale + shift",
    "normalise": (
        "def normalise(x):\n    d = x - x.mean(-1, keepdim=True)\n    return d / d.square().mean(-1, keepdim=True).sqrt()"
    ),
}


@pytest.fixture
def lab(toy: Path, tmp_path: Path, jupyter: Callable[..., Any]) -> Iterator[Any]:
    release(select(Course.load(toy), None, "en"), "plain", tmp_path / "out")
    with jupyter(tmp_path / "out", {"jupyterlab": True}, "api/status") as server:
        yield server


def test_fill_in_run_and_see_green(lab: Any, browser: Any, tmp_path: Path) -> None:
    from playwright.sync_api import expect

    page = browser.new_page(viewport={"width": 1200, "height": 1600})
    requested: list[str] = []
    page.on("request", lambda request: requested.append(request.url))
    page.goto(f"{lab.url}/lab/tree/notebooks/basics/affine.ipynb?token={lab.token}")
    cells = page.locator(".jp-Notebook .jp-CodeCell")
    cells.first.wait_for(timeout=SECONDS)
    # Keys pressed before the kernel is there may be lost.
    page.locator(".jp-Notebook-ExecutionIndicator[data-status=idle]").first.wait_for(timeout=SECONDS)
    assert page.locator(".jp-RenderedMarkdown h1").inner_text().startswith("Affine maps")

    def cell(text: str) -> Any:
        return cells.filter(has_text=text).first

    def run(found: Any, source: str | None = None) -> None:
        """While JupyterLab lays the page out, a key may reach nothing: a student presses again, and so do we."""
        editor, prompt = found.locator(".cm-content"), found.locator(".jp-InputPrompt")
        before = prompt.inner_text()
        for _ in range(ATTEMPTS):
            editor.click()
            if source is not None:
                page.keyboard.press("Control+A")
                page.keyboard.insert_text(source)
                if editor.inner_text() != source:
                    continue
            page.keyboard.press("Control+Enter")
            try:
                # It turns into [*] at once, whatever the kernel is doing.
                expect(prompt).not_to_have_text(before, timeout=3_000)
                break
            except AssertionError:
                continue
        # The number beside the cell is there when the kernel is done with it.
        expect(prompt).to_have_text(re.compile(r"\[\d+\]:"), timeout=SECONDS)
        assert prompt.inner_text() != before
        page.keyboard.press("Escape")

    def checked(question: str, complete: str) -> Any:
        """The table below a question's cell, once it says this."""
        number = {"affine": 0, "normalise": 1}[question]
        found = cells.filter(has_text='check("basics/affine")').nth(number)
        run(found)
        table = found.locator(f'table.autograder-check[data-complete="{complete}"]')
        table.wait_for(timeout=SECONDS)
        return table

    run(cell("from autograder import check"))
    run(cell("import torch"))
    run(cell("def affine"), ANSWERS["affine"])
    first = checked("affine", "false")
    assert "2 of 4 points" in first.inner_text()
    assert "✓" in first.inner_text()
    assert "normalise" in first.locator("tr", has_text="not run yet").first.inner_text()

    run(cell("def normalise"), "def normalise(x):\n    return x")
    wrong = checked("normalise", "false")
    assert "✗" in wrong.inner_text()
    run(cell("def normalise"), ANSWERS["normalise"])
    done = checked("normalise", "true")
    assert "4 of 4 points" in done.inner_text()
    colours = done.locator("tbody td:first-child").evaluate_all(
        "all => all.map(td => getComputedStyle(td).color)"
    )
    assert set(colours) == {"rgb(26, 127, 55)"}  # green, all of them
    page.screenshot(path=tmp_path / "check.png")
    assert [url for url in requested if not url.startswith((lab.url, "data:", "blob:"))] == []
    page.close()


def test_every_page_of_the_course_opens_as_a_notebook(jupyter: Callable[..., Any], tmp_path: Path) -> None:
    """In the server behind JupyterLab, with Jupytext: there is a kernel, and nothing of the front matter is a cell."""
    course = shutil.copytree(COURSE, tmp_path / "course")
    pages = sorted(page.relative_to(course) for page in course.glob("*/*.md"))
    assert len(pages) >= 2 * 7
    with jupyter(course, {"jupytext": True}, "api/status") as server:
        for page in pages:
            notebook = server.request("GET", f"api/contents/{page.as_posix()}?type=notebook")["content"]
            assert notebook["metadata"]["kernelspec"]["display_name"] == "Python 3", page
            assert notebook["cells"][0]["source"].startswith("# "), page
