"""The report's pages in a browser: on a phone and on a desk, light and dark, in both languages."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe

from autograder.gradebook import Gradebook
from autograder.results import ExerciseResult, Isolation, Outcome, Status, TestResult, Visibility
from autograder.text import Text


@pytest.fixture
def place(tmp_path: Path) -> Path:
    path = tmp_path / "book.db"
    with Gradebook(str(path)) as book:
        for number in range(60):
            passed = number % 3 > 0
            test = TestResult(
                name="test_with_a_name_that_is_as_long_as_names_are", visibility=Visibility.HIDDEN, score=3.0 * passed,
                max_score=3.0, outcome=Outcome.PASSED if passed else Outcome.FAILED, message=Text("No.", "不对。"),
            )  # fmt: skip
            book.record(
                ExerciseResult(
                    student=f"student-{number}", exercise="extras/vowels", status=Status.GRADED, score=3.0 * passed,
                    max_score=3.0, isolation=Isolation.FULL, key=f"b-{number}", tests=(test,),
                )
            )  # fmt: skip
    return path


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_pages(
    browser: Any, cli: Callable[..., Any], toy: Path, place: Path, tmp_path: Path, lang: str
) -> None:
    out = tmp_path / "out"
    assert cli("report", out, "--gradebook", place, "--course", toy, "--lang", lang).code == 0
    for name in ("index.html", "assignment-week1.html"):
        for width, scheme in ((390, "light"), (1280, "dark")):
            page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
            asked: list[str] = []
            page.on("request", lambda request, asked=asked: asked.append(request.url))
            page.goto((out / name).as_uri())
            found = Axe().run(page).response["violations"]
            assert not [one["id"] for one in found if one["impact"] in ("serious", "critical")]
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
            assert asked == [(out / name).as_uri()]  # nothing is loaded from elsewhere
            page.close()
