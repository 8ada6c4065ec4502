"""`autograder report`: what its pages and tables say of a class whose results are made up."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from autograder.course.own_folder import OwnFolder
from autograder.gradebook import Gradebook
from autograder.gradebook.analysis import FEWEST, wilson_interval
from autograder.gradebook.report_pages import LIST
from autograder.results import (
    ExerciseResult,
    Isolation,
    Outcome,
    Status,
    Submitted,
    TestResult,
    TimeSource,
    Visibility,
    total,
)
from autograder.text import Text

Cli = Callable[..., Any]
P, F, N = Outcome.PASSED, Outcome.FAILED, Outcome.NOT_IMPLEMENTED
TESTS = ("test_one", "test_two", "test_three", "test_wrong_key")


def attempt(
    book: Gradebook,
    student: str,
    outcomes: Sequence[Outcome],
    content: str,
    bundle: str = "made",
    exercise: str = "basics/affine",
    diagnosis: str | None = None,
    submitted: Submitted | None = None,
) -> None:
    tests = tuple(
        TestResult(
            name=name,
            visibility=Visibility.PUBLIC if name == "test_one" else Visibility.HIDDEN,
            outcome=outcome,
            score=float(outcome is P),
            max_score=1.0,
            diagnosis=diagnosis if outcome is F else None,
            message=Text("Scale <first>.", "先 <缩放>。") if outcome is F else Text(),
        )
        for name, outcome in zip(TESTS, outcomes, strict=True)
    )
    book.record(
        ExerciseResult(
            student=student, exercise=exercise, status=Status.GRADED, score=total(t.score for t in tests), max_score=4.0,
            isolation=Isolation.FULL, key=f"{bundle}-{content}", tests=tests, submitted=submitted,
        )
    )  # fmt: skip


def fill(place: Path, students: int) -> None:
    """Half are right but for the last test, whose key is wrong; half fail the second test once, and have a misconception."""
    with Gradebook(str(place)) as book:
        for number in range(students):
            name = f"s{number:02}<b>"
            if number % 2:
                attempt(book, name, (P, P, P, F), f"a{number}")
            else:
                attempt(book, name, (F, F, N, P), f"a{number}", diagnosis="shift_first")
                attempt(book, name, (F, F, N, P), f"a{number}", "made later")  # graded again: no new attempt
                attempt(book, name, (F, P, P, P), f"b{number}")
        book.add_students(["nothing"])


@pytest.fixture
def place(tmp_path: Path) -> Path:
    fill(tmp_path / "book.db", 24)
    return tmp_path / "book.db"


@pytest.fixture
def report(cli: Cli, toy: Path, place: Path) -> Cli:
    return lambda out, *more: cli("report", out, "--gradebook", place, "--course", toy, *more)


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_each_test_s_figures(report: Cli, tmp_path: Path) -> None:
    said = report(tmp_path / "out")
    assert said.code == 0, said.err
    tests = {row["test"]: row for row in rows(tmp_path / "out/tests.csv")}
    two, three, key = tests["test_two"], tests["test_three"], tests["test_wrong_key"]
    # Half were right at once, half at the second attempt, and grading one again was none.
    assert (two["n"], two["right_first"], two["median_attempts"], two["never_passed"]) == (
        "24",
        "12",
        "1",
        "0",
    )
    low, high = wilson_interval(12, 24)
    assert (float(two["low"]), float(two["high"])) == pytest.approx((low, high), abs=1e-4)
    # Who had not begun a question has not attempted it.
    assert (three["n"], three["right_first"]) == ("24", "24")
    assert (tests["test_one"]["never_passed"], tests["test_one"]["visibility"]) == ("12", "public")
    # Who is good at the rest fails it.
    assert (key["check_key"], two["check_key"]) == ("True", "False") and float(key["correlation"]) < 0
    ways = [row for row in rows(tmp_path / "out/diagnoses.csv") if row["test"] == "test_two"]
    assert [(row["diagnosis"], row["students"]) for row in ways] == [("", "12")]
    (exercise,) = rows(tmp_path / "out/exercises.csv")
    assert (exercise["students"], exercise["alpha_students"], exercise["earlier_version"]) == (
        "24",
        "24",
        "24",
    )
    everybody = rows(tmp_path / "out/students.csv")
    assert len(everybody) == 25 and everybody[0]["basics/affine"] == "0.75"
    assert [row["student"] for row in everybody if row["basics/affine"] == ""] == ["nothing"]


def test_time_to_pass_is_between_hand_ins(report: Cli, place: Path, tmp_path: Path) -> None:
    """Whenever they were graded."""
    place.unlink()
    now = datetime.now(UTC)
    with Gradebook(str(place)) as book:
        for hours, outcomes in ((10, (F, F, F, F)), (4, (P, P, P, P))):
            at = Submitted(now - timedelta(hours=hours), TimeSource.GIVEN)
            attempt(book, "s001", outcomes, f"{hours} hours ago", submitted=at)
    assert report(tmp_path / "out").code == 0
    assert [float(row["median_hours"]) for row in rows(tmp_path / "out/tests.csv")] == pytest.approx(
        [6.0] * 4
    )


def test_more_than_all_points(report: Cli, place: Path, tmp_path: Path) -> None:
    """Extra credit is in the last bar, and that says so."""
    report(tmp_path / "before")
    with Gradebook(str(place)) as book:
        book.adjust("s01<b>", "basics/affine", 50.0, reason="extra", who="me")
    report(tmp_path / "after")
    pages = [(tmp_path / name / "index.html").read_text(encoding="utf-8") for name in ("before", "after")]
    assert ["90 % and more" in page for page in pages] == [False, True]


def test_a_diagnosis_comes_with_an_example(report: Cli, place: Path, tmp_path: Path) -> None:
    with Gradebook(str(place)) as book:
        for number in range(3):
            attempt(book, f"t{number}", (F, P, P, P), f"c{number}", diagnosis="shift_first")
    assert report(tmp_path / "out", "--lang", "zh").code == 0
    ways = [row for row in rows(tmp_path / "out/diagnoses.csv") if row["test"] == "test_one"]
    assert ("shift_first", "3", "先 <缩放>。") in [
        (row["diagnosis"], row["students"], row["example"]) for row in ways
    ]
    page = (tmp_path / "out/assignment-week1.html").read_text(encoding="utf-8")
    assert "先 &lt;缩放&gt;。" in page and "先 <缩放>" not in page and '<html lang="zh-Hans">' in page


@pytest.mark.parametrize(
    ("students", "alpha", "said"), [(18, False, "under 20"), (24, True, "Under 100"), (100, True, "")]
)
def test_few_students(cli: Cli, toy: Path, tmp_path: Path, students: int, alpha: bool, said: str) -> None:
    """Under 20, no alpha and no doubt of a key; under 100, a warning."""
    fill(tmp_path / "small.db", students)
    done = cli("report", tmp_path / "out", "--gradebook", tmp_path / "small.db", "--course", toy)
    assert done.code == 0, done.err
    (exercise,) = rows(tmp_path / "out/exercises.csv")
    assert bool(exercise["alpha"]) == bool(exercise["alpha_error"]) == alpha
    page = (tmp_path / "out/assignment-week1.html").read_text(encoding="utf-8")
    assert [word for word in ("under 20", "Under 100") if word in page] == ([said] if said else [])
    assert ("Check the key" in page) == (students >= FEWEST)


def test_names_are_escaped_or_left_out(report: Cli, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert report(out).code == 0
    page = (out / "index.html").read_text(encoding="utf-8")
    assert "s01&lt;b&gt;" in page and "s01<b>" not in page
    with OwnFolder(out, LIST) as earlier:
        earlier.write("assignment-last_year.html", page.encode())
    (out / "notes.txt").write_text("mine")
    assert report(out, "--anonymous").code == 0
    # Of the earlier report nothing stays, or its names would.
    assert not (out / "assignment-last_year.html").exists() and (out / "notes.txt").read_text() == "mine"
    texts = [path.read_text(encoding="utf-8") for path in out.iterdir()]
    assert len(texts) > 5 and not [text for text in texts if re.search(r"s\d\d(<|&lt;)b", text)]


def test_nothing_is_written_over(report: Cli, toy: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "tests.csv").write_text("mine\n")
    for place in (out, toy, toy / "course", toy / "course/new", tmp_path / "book.db"):
        said = report(place)
        assert (said.code, said.out) == (2, "") and str(place) in said.err.replace("\n", "")
    assert [path.read_text() for path in out.iterdir()] == ["mine\n"]


def test_what_is_reported_on(report: Cli, cli: Cli, toy: Path, place: Path, tmp_path: Path) -> None:
    with Gradebook(str(place)) as book:
        attempt(book, "s01", (P, P, P, P), "v", exercise="extras/vowels")
    assert report(tmp_path / "one", "--only", "extras").code == 0
    assert [row["exercise"] for row in rows(tmp_path / "one/exercises.csv")] == ["extras/vowels"]
    assert report(tmp_path / "all", "--assignment", "week1").code == 0
    assert len(rows(tmp_path / "all/exercises.csv")) == 2
    said = report(tmp_path / "none", "--assignment", "extras")
    assert said.code == 2 and "week1" in said.err
    said = cli("report", tmp_path / "none", "--gradebook", tmp_path / "no.db", "--course", toy)
    assert said.code == 2 and not (tmp_path / "none").exists()


def test_no_course_at_hand(cli: Cli, place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli("report", "out", "--gradebook", place).code == 0
    assert "test_wrong_key" in (tmp_path / "out/index.html").read_text(encoding="utf-8")
    assert cli("report", "out", "--gradebook", place, "--only", "basics").code == 2
