"""nbgrader's formgrader on what we wrote: its REST routes, and its page in a real browser."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from autograder.gradebook import Gradebook

Autograder = Callable[..., tuple[int, str]]


@dataclass(frozen=True)
class Server:
    """A Jupyter server in an nbgrader course directory."""

    made: Any  # the class, see conftest.py
    jupyter: Any

    @property
    def url(self) -> str:
        return self.jupyter.url

    def request(self, method: str, route: str, body: Any = None) -> Any:
        """One of the formgrader's REST routes, as its page calls it."""
        return self.jupyter.request(method, f"formgrader/api/{route}", body)

    def notebook(self, student: str, name: str) -> str:
        """The id of a submitted notebook."""
        found = self.request("GET", f"submitted_notebooks/week1/{name}")
        return next(row["id"] for row in found if row["student"] == student)


@pytest.fixture(scope="module")
def server(
    _graded: Any, jupyter: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """Its own copy of the class: what is decided here is seen by no other test."""
    made = _graded.copied(tmp_path_factory.mktemp("formgrader") / "class")
    extensions = {"nbgrader.server_extensions.formgrader": True}
    with jupyter(made.nbgrader, extensions, "formgrader/api/assignments") as running:
        yield Server(made, running)


def test_overview(server: Server) -> None:
    (assignment,) = server.request("GET", "assignments")
    assert assignment["name"] == "week1"
    assert assignment["num_submissions"] == 5
    assert assignment["max_score"] == 16
    assert assignment["average_score"] == pytest.approx(48 / 5)
    found = {row["student"]: row for row in server.request("GET", "submissions/week1")}
    assert {student: row["score"] for student, row in found.items()} == {
        "s001": 16, "s002": 0, "s003": 0, "s004": 16, "o'brien": 16,
    }  # fmt: skip
    assert all(row["autograded"] and row["submitted"] for row in found.values())
    assert not any(row["needs_manual_grade"] for row in found.values())


def test_decisions_by_its_routes(server: Server, autograder: Autograder) -> None:
    """What the page's buttons send, brought to our gradebook, and still there after grading again."""
    number = server.notebook("s002", "affine")
    listed = {row["name"]: row for row in server.request("GET", f"grades?submission_id={number}")}
    grade = listed["affine-points"]
    assert (grade["auto_score"], grade["max_score"], grade["needs_manual_grade"]) == (0, 6, False)
    sent = {**grade, "manual_score": 2.5, "extra_credit": 0.5}
    assert server.request("PUT", f"grade/{grade['id']}", sent)["manual_score"] == 2.5
    comments = {row["name"]: row for row in server.request("GET", f"comments?submission_id={number}")}
    assert comments["affine"]["auto_comment"].startswith("* test_affine_by_hand: The hint of unshifted.")
    sent = {**comments["affine"], "manual_comment": "Half of it is there."}
    server.request("PUT", f"comment/{comments['affine']['id']}", sent)

    for command in (("gradebook", "sync"), ("grade",), ("gradebook", "sync")):
        code, said = autograder(*command, *server.made.options)
        assert code == 0, said
    with Gradebook(str(server.made.book)) as book:
        (adjustment,) = book.adjustments()["s002", "basics/affine"]
    assert (adjustment.points, adjustment.who) == (3.0, "nbgrader")
    assert adjustment.reason == (
        "affine: 2.5 points by hand in place of 0, extra credit +0.5; Half of it is there."
    )
    again = {row["name"]: row for row in server.request("GET", f"grades?submission_id={number}")}
    assert (again["affine-points"]["manual_score"], again["affine-points"]["auto_score"]) == (2.5, 0)


def opened(server: Server, browser: Any, student: str, notebook: str) -> Any:
    """The page of a submitted notebook. Nothing from elsewhere is loaded: it must do without MathJax's server."""
    page = browser.new_page(extra_http_headers={"Authorization": f"token {server.jupyter.token}"})
    page.route(lambda url: not url.startswith(server.url), lambda route: route.abort())
    page.goto(f"{server.url}/formgrader/submissions/{server.notebook(student, notebook)}/")
    return page


def test_its_page(server: Server, browser: Any, autograder: Autograder) -> None:
    """A submission opened in Chromium: our table, our comment; a score typed there arrives in our gradebook."""
    from playwright.sync_api import expect

    page = opened(server, browser, "s003", "vowels")
    expect(page.get_by_text("vowels.ipynb was not handed in.")).to_be_visible(timeout=30_000)
    score = page.locator("input.score")
    expect(score).to_have_attribute("placeholder", "0", timeout=30_000)
    expect(page.locator("textarea.comment")).to_have_attribute("placeholder", "Not handed in.")
    score.fill("1.5")
    with page.expect_response(re.compile(r"/formgrader/api/grade/")) as saved:
        score.blur()
    assert saved.value.ok
    code, said = autograder("gradebook", "sync", *server.made.options)
    assert code == 0 and "1 adjustments" in said
    with Gradebook(str(server.made.book)) as book:
        (adjustment,) = book.adjustments()["s003", "extras/vowels"]
    assert (adjustment.points, adjustment.reason) == (1.5, "vowels: 1.5 points by hand in place of 0")
    page.close()


def test_its_page_shows_nothing_that_runs(server: Server, browser: Any) -> None:
    """What a student put into a notebook does nothing in the instructor's browser."""
    from playwright.sync_api import expect

    page = opened(server, browser, "s004", "affine")
    expect(page.locator("table.autograder-check").first).to_contain_text("6 of 6 points", timeout=30_000)
    expect(page.get_by_text("my own print")).to_be_visible()
    assert page.locator("img[src^='data:image/png']").count() == 1
    expect(page.get_by_text("My notes.")).to_be_visible()
    assert page.evaluate("window.evil") is None
    page.close()
