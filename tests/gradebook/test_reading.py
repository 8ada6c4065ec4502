"""A reader of the gradebook loads what it shows: which tables its statements name, and how many statements there are."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from msgspec.structs import replace

from autograder.course import Course
from autograder.gradebook import Gradebook, GradingScheme, Version
from autograder.gradebook.scores import counted_results, current_scores
from autograder.gradebook.tables import table
from autograder.results import (
    AttemptPolicy,
    ExerciseResult,
    Isolation,
    Outcome,
    Policy,
    Status,
    Submitted,
    TestResult,
    TimeSource,
    Visibility,
)

Statements = Callable[[], AbstractContextManager[list[str]]]
EXERCISES = ["basics/affine", "extras/vowels"]
VERSIONS = {name: Version("", 10.0) for name in EXERCISES}
LATEST, BEST = GradingScheme(VERSIONS), GradingScheme(VERSIONS, Policy(AttemptPolicy.BEST))
STUDENTS = [f"s{number:03}" for number in range(1, 21)]


def result(student: str, exercise: str, score: float, **more: Any) -> ExerciseResult:
    test = TestResult(
        name=f"test_of_{student}", visibility=Visibility.HIDDEN, outcome=Outcome.FAILED, score=score, max_score=10.0
    )  # fmt: skip
    values: dict[str, Any] = {
        "status": Status.GRADED, "max_score": 10.0, "isolation": Isolation.FULL, "path": f"{student}/file.py",
        "key": f"{student} {exercise} {score}", "output": "much", "tests": (test,), **more,
    }  # fmt: skip
    return ExerciseResult(student=student, exercise=exercise, score=score, **values)


def fill(book: Gradebook) -> None:
    for student in STUDENTS:
        for exercise in EXERCISES:
            for score in (3.0, 7.0, 5.0):
                book.record(result(student, exercise, score))


def naming(seen: list[str], name: str) -> list[str]:
    return [statement for statement in seen if re.search(rf"\b{name}\b", statement)]


def test_scores_need_no_tests_and_no_output(book: Gradebook, statements: Statements) -> None:
    fill(book)
    with statements() as seen:
        scores = current_scores(book, LATEST)
    assert len(scores) == len(STUDENTS) * len(EXERCISES)
    assert {score.score for score in scores.values()} == {5.0}
    assert naming(seen, "attempts") and not naming(seen, "tests") and not naming(seen, "output")
    assert len(seen) == 3  # the attempts, what regrades leave of them, and the adjustments


def test_one_student_s_attempts(book: Gradebook) -> None:
    fill(book)
    book.adjust("s007", "basics/affine", 1.0, reason="late", who="ta")
    book.adjust("s008", "basics/affine", 1.0, reason="late", who="ta")
    attempts = book.attempts("s007", ["basics/affine"])
    assert list(attempts) == [("s007", "basics/affine")]
    assert [attempt.result.score for attempt in attempts["s007", "basics/affine"]] == [3.0, 7.0, 5.0]
    assert {exercise for _, exercise in book.attempts(exercises=["extras/vowels"])} == {"extras/vowels"}
    assert book.attempts("nobody") == {} and book.attempts(exercises=[]) == {}
    assert list(book.adjustments("s007")) == [("s007", "basics/affine")]
    assert book.adjustments(exercises=["extras/vowels"]) == {}
    scores = current_scores(book, LATEST, "s007")
    assert {place: score.score for place, score in scores.items()} == {
        ("s007", "basics/affine"): 6.0,
        ("s007", "extras/vowels"): 5.0,
    }


def test_in_full_is_what_was_recorded(book: Gradebook) -> None:
    """In the order that is asked for, also where several attempts share a result, and where a fault has a reason."""
    first, second = result("s001", "basics/affine", 3.0), result("s002", "basics/affine", 4.0)
    fault = result("s001", "basics/affine", 0.0, key="", status=Status.UNGRADED, detail="no zygote", tests=())
    again = replace(first, student="s003", path="s003/file.py")
    for one in (first, second, fault, again):
        book.record(one)
    by_student = {name: history for (name, _), history in book.attempts().items()}
    brief = [by_student["s003"][0], *by_student["s001"], by_student["s002"][0]]
    assert [(a.result.tests, a.result.output, a.result.detail) for a in brief] == [((), "", "")] * 4
    assert book.in_full(brief) == [again, first, fault, second]
    assert book.in_full([]) == []


def test_in_full_asks_in_bulk(
    book: Gradebook, statements: Statements, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(book)
    with statements() as seen:
        counted = counted_results(book, BEST)
    assert [(one.student, one.exercise, one.score) for one, _, _ in counted[:3]] == [
        ("s001", "basics/affine", 7.0),
        ("s001", "extras/vowels", 7.0),
        ("s002", "basics/affine", 7.0),
    ]
    assert all(one.tests[0].name == f"test_of_{one.student}" for one, _, _ in counted)
    assert len(seen) == 7  # attempts, shares, adjustments, students, exercises; output, tests
    monkeypatch.setattr("autograder.gradebook.store.PARAMETERS", 7)
    assert counted_results(book, BEST) == counted


def test_the_export_by_test_has_the_counted_results_only(book: Gradebook, statements: Statements) -> None:
    fill(book)
    frame = table(book, LATEST, "test")
    assert len(frame) == len(STUDENTS) * len(EXERCISES)
    assert set(frame["score"]) == {5.0}
    with statements() as seen:
        assert len(table(book, LATEST, "exercise")) == len(frame)
        assert len(table(book, LATEST, "student")) == len(STUDENTS)
    assert not naming(seen, "tests")


Cli = Callable[..., Any]


@pytest.fixture
def shown(
    cli: Cli, toy_course: Course, tmp_path: Path, statements: Statements
) -> Iterator[Callable[..., tuple[Any, list[str]]]]:
    """`shown("show", ...)`: what a gradebook command prints, and the statements it sends."""
    place = tmp_path / "book.db"
    with Gradebook(str(place)) as book:
        fill(book)

    def call(*arguments: object) -> tuple[Any, list[str]]:
        with statements() as seen:
            said = cli("gradebook", *arguments, "--gradebook", place, "--course", toy_course.root)
        assert said.code == 0, said.err
        return said, seen

    yield call


def test_show_reads_no_test(shown: Callable[..., Any]) -> None:
    said, seen = shown("show")
    assert all(student in said.out for student in STUDENTS)
    assert not naming(seen, "tests")


def test_a_student_s_page_reads_that_student_s_tests(shown: Callable[..., Any]) -> None:
    said, seen = shown("show", "--student", "s007")
    assert "test_of_s007" in said.out and "test_of_s008" not in said.out
    assert len(naming(seen, "tests")) <= 2
    # What is read of everybody is which exercises anybody has begun.
    of_results = naming(naming(seen, "attempts"), "results")
    assert of_results and all("student =" in one for one in of_results)


def test_adjusting_reads_one_exercise(shown: Callable[..., Any]) -> None:
    said, seen = shown("adjust", "s007", "affine", "1", "--reason", "late")
    assert "5 -> 6 of 10" in said.out
    assert not naming(seen, "tests")
    of_results = naming(naming(seen, "attempts"), "results")
    assert of_results and all("exercise IN" in one for one in of_results)


def test_show_as_json_tells_the_last_attempt(shown: Callable[..., Any]) -> None:
    said, seen = shown("show", "--json", "--student", "s007")
    assert said.out.count('"test_of_s007"') == len(EXERCISES)
    assert len(naming(seen, "tests")) == 1


def test_reading_attempts_costs_a_constant_for_each(tmp_path: Path) -> None:
    """Counted in steps of SQLite's virtual machine, by tens: four times the attempts take about four times the steps."""
    steps = []
    for attempts in (100, 400):
        with Gradebook(str(tmp_path / f"{attempts}.db")) as book:
            for number in range(attempts):
                at = Submitted(datetime(2026, 9, 1, tzinfo=UTC) + timedelta(minutes=number), TimeSource.FILE)
                book.record(replace(result(f"s{number:03}", "basics/affine", 5.0), submitted=at))
            with counted_steps() as counter:
                assert len(book.attempts()) == attempts
            steps.append(next(counter))
    assert 100 < steps[1] < 6 * steps[0], steps


@contextmanager
def counted_steps() -> Iterator[Iterator[int]]:
    """A counter whose next number is how many tens of steps SQLite took until then."""
    counter = itertools.count()

    def watch(connection: Any, *more: Any) -> None:
        connection.connection.driver_connection.set_progress_handler(lambda: next(counter) < 0, 10)

    sa.event.listen(sa.Engine, "before_cursor_execute", watch)
    try:
        yield counter
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", watch)
