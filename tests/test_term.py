"""The simulated term (examples/term): its grades follow from its script, by the program as by plain loops."""

from __future__ import annotations

import csv
import importlib
import re
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from autograder.course import Course
from autograder.gradebook import Adjustment, Attempt, Gradebook
from autograder.gradebook.extensions import Extension
from autograder.gradebook.final_grade import final_grade
from autograder.gradebook.student_scores import StudentRecord, scores_of
from autograder.grading.scheme import scheme_of
from autograder.results import AttemptPolicy, ExerciseResult, Isolation, Status, Submitted, TimeSource

ROOT = Path(__file__).resolve().parents[1]
TERM = ROOT / "examples" / "term"
NOW = datetime(2026, 1, 1)
BY_HAND = re.compile(r"^\| (s\d{3}) \|.*\| ([\d.]+) \|$", re.MULTILINE)


@pytest.fixture(scope="module")
def term() -> Iterator[Any]:
    """The modules beside the example, by name."""
    sys.path.insert(0, str(TERM))
    try:
        yield {name: importlib.import_module(name) for name in ("contents", "make", "expected", "run")}
    finally:
        sys.path.remove(str(TERM))


@pytest.fixture(scope="module")
def whole(term: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The term of 200 students, written out."""
    out = Path(tmp_path_factory.mktemp("term")) / "out"
    term["make"].make(out)
    return out


def test_a_content_is_worth_what_its_lost_tests_leave() -> None:
    for row in csv.DictReader((TERM / "contents.csv").open(encoding="utf-8")):
        lost = sum(float(pair.partition(":")[2]) for pair in row["lost"].split())
        left = float(row["out_of"]) - lost if row["status"] == "graded" else 0.0
        assert float(row["points"]) == pytest.approx(left, abs=1e-6), row


def test_the_expected_gradebook_follows_from_the_script(term: Any, whole: Path) -> None:
    table = term["expected"].Term(whole).table()
    with (TERM / "expected.csv").open(encoding="utf-8", newline="") as file:
        assert list(csv.reader(file)) == table
    found = {row[0]: row[-1] for row in table}
    by_hand = dict(BY_HAND.findall((TERM / "README.md").read_text(encoding="utf-8")))
    assert len(by_hand) > 24
    assert {student: found[student] for student in by_hand} == by_hand


@pytest.mark.parametrize("attempts", ["latest", "best"])
def test_the_rules_give_what_plain_loops_give(term: Any, whole: Path, attempts: str) -> None:
    """All 200 students, without running anything: what was handed in, and what contents.csv says it is worth."""
    expected = term["expected"].Term(whole, attempts)
    course = Course.load(whole / "course")
    policy = replace(course.policy, attempts=AttemptPolicy(attempts))
    with Gradebook(str(whole / f"{attempts}.db")) as book:
        scheme = scheme_of(book, course)
    begun = tuple(replace(one, begun=True) for one in scheme.assignments)
    scheme = replace(scheme, policy=policy, assignments=begun)
    for student in expected.students():
        attempted = {
            exercise: [_attempt(student, exercise, one, expected.worth[exercise]) for one in hand_ins]
            for (whose, exercise), hand_ins in expected.hand_ins.items()
            if whose == student
        }
        given = {
            exercise: [Adjustment(student, exercise, points, "why", "who", NOW, 1)]
            for (whose, exercise), points in expected.adjusted.items()
            if whose == student
        }
        longer = [
            Extension(
                assignment=row["assignment"],
                student=student,
                until=datetime.fromisoformat(f"{row['until']}+08:00") if row["until"] else None,
                days=float(row["days"]) if row["days"] else None,
                reason=row["reason"],
            )
            for row in expected.extensions
            if row["student"] == student or row["section"] == expected.section[student]
        ]
        scores = scores_of(StudentRecord(attempted, given, longer), scheme)
        found, wanted = final_grade(student, scores, scheme), expected.grade(student)
        assert found.share == pytest.approx(wanted.share, abs=1e-9), student
        assert {one.id: one.score for one in found.assignments} == pytest.approx(wanted.points), student


def _attempt(student: str, exercise: str, one: Any, worth: float) -> Attempt:
    result = ExerciseResult(
        student=student,
        exercise=exercise,
        status=Status(one.status),
        score=one.points,
        max_score=worth,
        isolation=Isolation.FULL,
        key="" if one.status == "invalid" else f"bundle-{one.content}",
        submitted=Submitted(one.at.astimezone(UTC), TimeSource.GIVEN),
    )
    return Attempt(result, NOW, 0)


def test_the_same_seed_writes_the_same_term(term: Any, whole: Path, tmp_path: Path) -> None:
    term["make"].make(tmp_path / "again")
    for path in (*whole.glob("*.csv"), *whole.glob("collected/*.csv"), *whole.glob("collected/05/*.zip")):
        assert path.read_bytes() == (tmp_path / "again" / path.relative_to(whole)).read_bytes(), path.name
    assert sum(1 for _ in csv.DictReader((whole / "events.csv").open(encoding="utf-8"))) > 1400


def test_a_small_class_by_the_real_commands(
    term: Any, cli: Callable[..., Any], shared_sandbox: Any, tmp_path: Path
) -> None:
    """32 students, who meet every rule: grading, extensions, a fault, a regrade, points by hand, both kinds of attempts."""
    out, run = tmp_path / "out", term["run"]
    term["make"].make(out, small=True)
    book, course = ("--gradebook", out / "term.db"), ("--course", out / "course")
    for step in run.steps(out):
        if step.change is not None:
            step.change(out)
            continue
        said = cli(*step.arguments, *(book if "roster" in step.arguments else (*book, *course)))
        assert said.code == step.status, f"{step.name}: {said.err}{said.out}"
    for attempts in ("best", "latest"):
        run.count(out, attempts)
        exported = out / f"{attempts}.csv"
        assert cli("gradebook", "export", exported, *book, *course).code == 0
        assert run.graded_as(out, exported, attempts) == []
