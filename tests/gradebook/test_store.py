"""The gradebook's promises, the same on SQLite and PostgreSQL."""

from __future__ import annotations

import sqlite3
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from msgspec.structs import replace

from autograder.errors import UserError
from autograder.gradebook import Gradebook, GradebookError, GradingScheme, Version, score_of
from autograder.gradebook.database import database_url
from autograder.gradebook.scores import current_scores
from autograder.gradebook.tables import table
from autograder.results import (
    AttemptPolicy,
    ExerciseResult,
    Isolation,
    Outcome,
    Policy,
    Status,
    TestResult,
    Visibility,
)
from autograder.text import Text, escape_formula

IDS = ["basics/affine", "extras/vowels"]
VERSIONS = {name: Version("", 10.0) for name in IDS}
LATEST = GradingScheme(VERSIONS, Policy(AttemptPolicy.LATEST))
BEST = GradingScheme(VERSIONS, Policy(AttemptPolicy.BEST))
TESTS = (
    TestResult(name="test_a[1]", visibility=Visibility.PUBLIC, outcome=Outcome.PASSED, score=1 / 3, max_score=1 / 3),
    TestResult(
        name="test_b", visibility=Visibility.HIDDEN, outcome=Outcome.FAILED, score=0.0, max_score=2.0,
        message=Text("The hint.", "提示。"), diagnosis="unscaled",
    ),
    TestResult(
        name="test_c", visibility=Visibility.HIDDEN, outcome=Outcome.NOT_IMPLEMENTED, score=0.0, max_score=1.0, question="A.b",
    ),
)  # fmt: skip


def result(student: str = "s001", score: float | None = 5.0, key: str = "k1", **more: Any) -> ExerciseResult:
    values: dict[str, Any] = {
        "exercise": "basics/affine", "status": Status.GRADED, "max_score": 10.0, "isolation": Isolation.FULL,
        "path": f"{student}/affine.py", "message": Text("Well.", "好。"), "output": "printed 你好", "tests": TESTS,
    }  # fmt: skip
    return ExerciseResult(student=student, score=score, key=key, **{**values, **more})


def test_what_is_recorded_comes_back(book: Gradebook, reopen: Callable[[], Gradebook]) -> None:
    book.record(result())
    with reopen() as again:
        ((place, attempts),) = again.attempts().items()
        assert place == ("s001", "basics/affine")
        assert again.in_full(attempts) == [result()]
        known = again.known("k1")
    assert known == replace(result(), student="", path="")
    assert known is not None
    assert known.tests[0].score == pytest.approx(1 / 3, abs=1e-15)


def test_unknown_key(book: Gradebook) -> None:
    assert book.known("nothing") is None


def test_recording_twice_changes_nothing(book: Gradebook) -> None:
    for _ in range(3):
        book.record(result())
    assert len(book.attempts()["s001", "basics/affine"]) == 1


def test_attempts_in_order(book: Gradebook) -> None:
    for key, score in (("k1", 5.0), ("k2", 9.0), ("k1", 5.0)):
        book.record(result(key=key, score=score))
    assert [a.result.key for a in book.attempts()["s001", "basics/affine"]] == ["k1", "k2", "k1"]


def test_the_same_content_of_two_students_is_stored_once(book: Gradebook) -> None:
    book.record(result("s001"))
    book.record(result("s002"))
    attempts = book.attempts()
    assert book.in_full(attempts["s002", "basics/affine"]) == [result("s002")]
    with book._engine.connect() as connection:
        assert connection.scalar(sa.text("SELECT count(*) FROM results")) == 1
        assert connection.scalar(sa.text("SELECT count(*) FROM tests")) == len(TESTS)


def test_students_without_attempts(book: Gradebook) -> None:
    book.add_students(["s002", "s001", "s002"])
    book.add_students(["s001", "名字"])
    assert set(book.students()) == {"s001", "s002", "名字"}
    assert book.attempts() == {}


def unreadable(text: str) -> ExerciseResult:
    return result(
        status=Status.INVALID, score=0.0, key="", isolation=Isolation.NONE, tests=(), message=Text(text, text)
    )


def test_invalid_attempts(book: Gradebook) -> None:
    for text in ("two files", "two files", "empty"):
        book.record(unreadable(text))
    history = book.attempts()["s001", "basics/affine"]
    assert [attempt.result.message.en for attempt in history] == ["two files", "empty"]
    assert book.known("") is None


def ungraded(key: str = "k9", detail: str = "") -> ExerciseResult:
    return result(status=Status.UNGRADED, score=None, key=key, tests=(), detail=detail)


def test_why_it_is_ungraded(book: Gradebook, reopen: Callable[[], Gradebook]) -> None:
    """The reason is kept; the same one again is no other attempt, another one is."""
    for detail in ("no zygote\n  in /tmp/a", "no zygote\n  in /tmp/b", "", "no fork"):
        book.record(ungraded(detail=detail))
    with reopen() as again:
        history = again.in_full(again.attempts()["s001", "basics/affine"])
    assert [found.detail for found in history] == ["no zygote\n  in /tmp/a", "", "no fork"]
    assert [found.key for found in history] == [""] * 3


def test_a_gradebook_from_before_reasons_were_kept(book: Gradebook, reopen: Callable[[], Gradebook]) -> None:
    book.record(ungraded())
    with book._engine.begin() as connection:
        connection.execute(sa.text("DROP TABLE faults"))
    with reopen() as again:
        again.record(ungraded(detail="no fork"))
        history = again.in_full(again.attempts()["s001", "basics/affine"])
    assert [found.detail for found in history] == ["", "no fork"]


def test_ungraded_is_never_known(book: Gradebook) -> None:
    book.record(ungraded())
    assert book.known("k9") is None  # so the next run grades it
    assert current_scores(book, LATEST)["s001", "basics/affine"].score is None
    book.record(result(key="k9", score=7.0))
    assert current_scores(book, LATEST)["s001", "basics/affine"].score == 7.0


def test_a_fault_of_ours_takes_nothing_away(book: Gradebook) -> None:
    book.record(result(score=7.0))
    book.record(ungraded())
    for scheme in (LATEST, BEST):
        assert current_scores(book, scheme)["s001", "basics/affine"].score == 7.0


@pytest.mark.parametrize(("scheme", "score"), [(LATEST, 4.0), (BEST, 9.0)])
def test_policy(book: Gradebook, scheme: GradingScheme, score: float) -> None:
    for key, points in (("k1", 5.0), ("k2", 9.0), ("k3", 4.0)):
        book.record(result(key=key, score=points))
    assert current_scores(book, scheme)["s001", "basics/affine"].score == score


def test_adjustments(book: Gradebook) -> None:
    book.record(result(score=5.0))
    book.adjust("s001", "basics/affine", 1.5, reason="a bug of ours", who="instructor")
    book.adjust("s001", "basics/affine", -0.5, reason="late", who="assistant")
    found = book.adjustments()["s001", "basics/affine"]
    assert [(a.points, a.reason, a.who) for a in found] == [
        (1.5, "a bug of ours", "instructor"),
        (-0.5, "late", "assistant"),
    ]
    score = current_scores(book, LATEST)["s001", "basics/affine"]
    assert (score.score, score.adjusted, score.max_score) == (6.0, 1.0, 10.0)
    assert score.result is not None and score.result.score == 5.0  # the attempt stays as it was


@pytest.mark.parametrize(("points", "score"), [(-20.0, 0.0), (20.0, 25.0)])
def test_floor_and_no_ceiling(book: Gradebook, points: float, score: float) -> None:
    book.record(result(score=5.0))
    book.adjust("s001", "basics/affine", points, reason="r", who="w")
    assert current_scores(book, LATEST)["s001", "basics/affine"].score == score


def test_adjusting_a_stranger(book: Gradebook) -> None:
    with pytest.raises(
        GradebookError, match=r"no student 's404'; `autograder gradebook show` lists them.*--new-student"
    ):
        book.adjust("s404", "basics/affine", 1, reason="r", who="w")


@pytest.mark.parametrize(
    ("points", "reason", "problem"),
    [
        (float("inf"), "r", "s001, basics/affine: inf is no number of points; give one, as 1.5 or -1"),
        (float("nan"), "r", "nan is no number of points"),
        (1.0, " \t", "s001, basics/affine: the reason is blank; say in a few words why"),
    ],
)
def test_what_is_no_adjustment(book: Gradebook, points: float, reason: str, problem: str) -> None:
    """Nothing can be taken back out of the record, so what makes no sense does not get in."""
    book.record(result())
    with pytest.raises(GradebookError, match=problem):
        book.adjust("s001", "basics/affine", points, reason=reason, who="w")
    assert book.adjustments() == {}


def test_no_attempts_no_score() -> None:
    assert score_of([], [], Policy()) is None


def test_hostile_text(book: Gradebook) -> None:
    nasty = "'; DROP TABLE students; -- \U0001f600 \\ \" \n"
    book.record(result(student=nasty, key="n", output="nul \0 inside", message=Text(nasty, nasty)))
    (found,) = book.in_full(book.attempts()[nasty, "basics/affine"])
    assert found.message.en == nasty
    assert found.output == "nul  inside"
    assert book.students() == [nasty]


def test_two_graders_record_the_same_thing(place: str) -> None:
    Gradebook(place).__exit__()
    problems: list[BaseException] = []

    def grade(student: str) -> None:
        try:
            with Gradebook(place) as own:
                for key in range(10):
                    own.record(result(student=student, key=f"k{key}"))
        except BaseException as error:
            problems.append(error)

    threads = [threading.Thread(target=grade, args=(name,)) for name in ("s001", "s002", "s003")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    with Gradebook(place) as book:
        assert {place: len(found) for place, found in book.attempts().items()} == {
            (name, "basics/affine"): 10 for name in ("s001", "s002", "s003")
        }
        with book._engine.connect() as connection:
            assert connection.scalar(sa.text("SELECT count(*) FROM results")) == 10


def test_two_programs_make_the_same_new_gradebook(place: str) -> None:
    problems: list[BaseException] = []
    together = threading.Barrier(4)

    def begin() -> None:
        together.wait()
        try:
            Gradebook(place).__exit__()
        except BaseException as error:
            problems.append(error)

    threads = [threading.Thread(target=begin) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []


def test_many_results(book: Gradebook) -> None:
    """More than a database takes as parameters of one query."""
    with book._engine.begin() as connection:
        from autograder.gradebook import schema

        connection.execute(sa.insert(schema.students_table), [{"name": "s001"}])
        now = __import__("datetime").datetime(2026, 1, 1)
        rows = [
            {"id": i, "key": f"k{i}", "exercise": "u/t", "status": "graded", "score": 1.0, "max_score": 1.0,
             "isolation": "full", "message_en": "", "message_zh": "", "output": "", "recorded_at": now}
            for i in range(1, 1201)
        ]  # fmt: skip
        connection.execute(sa.insert(schema.results_table), rows)
        connection.execute(
            sa.insert(schema.attempts_table),
            [
                {"student": "s001", "exercise": "u/t", "result_id": i, "path": "", "recorded_at": now}
                for i in range(1, 1201)
            ],
        )
    assert len(book.attempts()["s001", "u/t"]) == 1200


# ------------------------------------------------------------------------------------------- the export


@pytest.fixture
def filled(book: Gradebook) -> Gradebook:
    book.add_students(["s003"])
    book.record(result("s001", score=5.0, key="k1"))
    book.record(result("s002", score=None, key="k2", status=Status.UNGRADED, tests=()))
    book.record(result("s001", score=0.1, key="k3", exercise="extras/vowels"))
    book.adjust("s001", "extras/vowels", 0.2, reason="r", who="w")
    return book


def test_export_per_student(filled: Gradebook) -> None:
    frame = table(filled, LATEST, "student")
    assert list(frame.columns) == ["student", *IDS, "total", "max_score", "stale"]
    assert frame.to_csv(index=False).splitlines() == [
        "student,basics/affine,extras/vowels,total,max_score,stale",
        "s001,5.0,0.3,5.3,20.0,",
        "s002,,,0.0,20.0,",
        "s003,,,0.0,20.0,",
    ]


def test_export_per_exercise(filled: Gradebook) -> None:
    frame = table(filled, LATEST, "exercise")
    assert list(frame.columns[10:]) == [
        "submitted_at", "submitted_source", "due", "seconds_late", "late_days", "taken",
    ]  # fmt: skip
    assert set(frame["submitted_source"].dropna()) == {"recorded"}
    rows = frame.iloc[:, :10].to_csv(index=False).splitlines()
    assert rows == [
        "student,exercise,status,score,max_score,adjusted,isolation,file,bundle,stale",
        "s001,basics/affine,graded,5.0,10.0,0.0,full,s001/affine.py,,False",
        "s001,extras/vowels,graded,0.3,10.0,0.2,full,s001/affine.py,,False",
        "s002,basics/affine,ungraded,,10.0,0.0,full,s002/affine.py,,False",
        "s002,extras/vowels,missing,,10.0,0.0,,,,False",
        "s003,basics/affine,missing,,10.0,0.0,,,,False",
        "s003,extras/vowels,missing,,10.0,0.0,,,,False",
    ]


def test_export_per_test(filled: Gradebook) -> None:
    frame = table(filled, LATEST.of_unit("basics"), "test")
    assert list(frame["test"]) == ["test_a[1]", "test_b", "test_c", "", ""]
    assert list(frame["outcome"])[3:] == ["ungraded", "missing"]
    assert frame.loc[1, "diagnosis"] == "unscaled"
    assert "hint" not in frame.to_csv()


def test_export_of_nothing(book: Gradebook) -> None:
    for per in ("student", "exercise", "test"):
        assert table(book, LATEST, per).to_csv(index=False).startswith("student,")
        assert len(table(book, LATEST, per)) == 0
    with pytest.raises(UserError, match="choose student, exercise or test"):
        table(book, LATEST, "week")


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_formulas_are_inert(book: Gradebook, start: str) -> None:
    name = f"{start}HYPERLINK(1)"
    assert escape_formula(name) == f"'{name}"
    book.record(result(name, key=f"key {start}", path=name))
    for per in ("student", "exercise", "test"):
        assert set(table(book, LATEST, per)["student"]) == {f"'{name}"}
    assert list(table(book, LATEST, "exercise")["file"]) == [f"'{name}"]


def test_numbers_stay_numbers() -> None:
    assert escape_formula(-1.5) == -1.5
    assert escape_formula("s001") == "s001"
    assert escape_formula("") == ""


# ------------------------------------------------------------------------------------------- what can't be opened


def test_another_schema_version(book: Gradebook, reopen: Callable[[], Gradebook]) -> None:
    with book._engine.begin() as connection:
        connection.execute(sa.text("UPDATE gradebook SET value = '99' WHERE name = 'schema'"))
    with pytest.raises(GradebookError, match=r"schema 99, this one reads 1.*begin a new gradebook"):
        reopen()


def test_somebody_else_s_database(place: str) -> None:
    engine = sa.create_engine(database_url(place))
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE recipes (name TEXT)"))
    with pytest.raises(GradebookError, match=r"database of something else.*'recipes'.*choose another"):
        Gradebook(place)
    with engine.begin() as connection:
        assert sa.inspect(connection).get_table_names() == ["recipes"]
    engine.dispose()


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    path = tmp_path / "notes.db"
    path.write_text("not a database, but long enough to look like one" * 10)
    before = path.read_bytes()
    with pytest.raises(GradebookError, match="choose another file"):
        Gradebook(str(path))
    assert path.read_bytes() == before


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(GradebookError, match="check that its folder exists"):
        Gradebook(str(tmp_path / "nowhere" / "book.db"))


def test_a_locked_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("autograder.gradebook.database.BUSY_SECONDS", 0.1)
    path = str(tmp_path / "book.db")
    with Gradebook(path) as book:
        holder = sqlite3.connect(path)
        holder.execute("BEGIN EXCLUSIVE")
        with pytest.raises(
            GradebookError, match=r"locked; another program holds it.*run the same command again"
        ):
            book.record(result())
        holder.rollback()
        holder.close()
        book.record(result())
        assert len(book.attempts()) == 1


def test_a_server_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(GradebookError, match="check that the database is running") as caught:
        Gradebook(f"postgresql://grader:secret@/nobody?host={tmp_path}")
    assert "secret" not in str(caught.value)
    assert str(caught.value).startswith("postgresql://grader:***@/nobody")  # as it was typed


@pytest.mark.parametrize(
    ("place", "drivername", "database"),
    [
        ("grades.db", "sqlite", "grades.db"),
        ("/tmp/a b/成绩.db", "sqlite", "/tmp/a b/成绩.db"),
        ("sqlite:///grades.db", "sqlite", "grades.db"),
        ("postgresql://me@host:5/name", "postgresql+psycopg", "name"),
        ("postgres://me@host/name", "postgresql+psycopg", "name"),
        ("postgresql+psycopg://me@host/name", "postgresql+psycopg", "name"),
    ],
)
def test_urls(place: str, drivername: str, database: str) -> None:
    url = database_url(place)
    assert (url.drivername, url.database) == (drivername, database)


@pytest.mark.parametrize("place", ["://", "postgresql://host:port/name"])
def test_bad_urls(place: str) -> None:
    with pytest.raises(
        GradebookError, match="is no database URL; write postgresql://user@host/name or a file name"
    ):
        database_url(place)


@pytest.mark.parametrize(
    ("place", "problem"),
    [
        (
            "nosuchdb://host/name",
            "^nosuchdb://host/name: no kind of database is called 'nosuchdb'; write postgres",
        ),
        ("mssql+pymssql://host/name", "no driver for this database .*; write postgresql://"),
    ],
)
def test_another_kind_of_database(place: str, problem: str) -> None:
    with pytest.raises(GradebookError, match=problem):
        Gradebook(place)


def test_a_driver_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(GradebookError, match=r"^postgresql://host/name: .*install the instructor extra"):
        Gradebook("postgresql://host/name")


def test_passwords_are_not_shown(postgresql: str) -> None:
    with Gradebook(postgresql.replace("postgres@", "postgres:secret@")) as book:
        assert "secret" not in book.name
