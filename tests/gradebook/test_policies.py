"""Deadlines, late days, extensions, weights and final grades, as an instructor meets them on the command line."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from autograder.course import Course, CourseError
from autograder.gradebook import Gradebook
from autograder.gradebook.roster import Person
from autograder.gradebook.scores import current_scores
from autograder.grading.scheme import scheme_of
from autograder.results import ExerciseResult, Isolation, Status, Submitted, TimeSource

Cli = Callable[..., Any]
Edit = Callable[[Path, str, str], None]
DUE = datetime(2026, 9, 8, 15, 59, tzinfo=UTC)  # 23:59 in Shanghai
GOOD = "def vowels(text):\n    return sum(text.lower().count(c) for c in 'aeiou')\n"
COURSE = """title.en = "Toys"
title.zh = "玩具"
units = ["basics", "extras"]

[[assignment]]
id = "week1"
title.en = "First week"
title.zh = "第一周"
exercises = ["basics/affine"]
due = 2026-09-08T23:59:00+08:00

[[assignment]]
id = "week2"
title.en = "Second week"
title.zh = "第二周"
exercises = ["extras/vowels"]
due = 2026-09-15T23:59:00+08:00
weight = 2

[policy]
timezone = "Asia/Shanghai"
late_days = 1
late = { grace_minutes = 15, penalty = 0.1, cap = 0.5, cutoff_days = 7 }
"""


def hand_in(
    book: Gradebook, student: str, exercise: str, score: float, late: timedelta, key: str = "", **more: Any
) -> None:
    """So long after its due date."""
    due = DUE if exercise == "basics/affine" else DUE + timedelta(days=7)
    result = ExerciseResult(
        student=student,
        exercise=exercise,
        status=Status.GRADED,
        score=score,
        max_score=12.0 if exercise == "basics/affine" else 4.0,
        isolation=Isolation.FULL,
        key=f"b-{key or student + exercise}",
        submitted=Submitted(due + late, TimeSource.COMMIT),
        **more,
    )
    book.record(result)


@pytest.fixture
def course(toy: Path) -> Path:
    (toy / "course/course.toml").write_text(COURSE, encoding="utf-8")
    return toy


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """s001: week 1 two days late, week 2 ten minutes; s002: week 2 in time, in section B; s003 nothing."""
    path = tmp_path / "book.db"
    with Gradebook(str(path)) as book:
        book.import_roster([Person(student=f"s00{n}", section="AB"[n == 2]) for n in (1, 2, 3)])
        hand_in(book, "s001", "basics/affine", 10.0, timedelta(days=2))
        hand_in(book, "s001", "extras/vowels", 4.0, timedelta(minutes=10))
        hand_in(book, "s002", "extras/vowels", 2.0, timedelta(days=-1))
    return path


@pytest.fixture
def book(cli: Cli, course: Path, place: Path) -> Cli:
    """`book("show")`: a gradebook command on that class."""
    without = ("adjustments", "extensions")
    return lambda name, *arguments: cli(
        "gradebook",
        name,
        *arguments,
        *(() if name in without else ("--course", course)),
        "--gradebook",
        place,
    )


def grade(book: Cli, student: str = "s001") -> Any:
    return json.loads(book("explain", student, "--json").out)


def test_a_final_grade_is_explained_line_by_line(book: Cli) -> None:
    said = book("explain", "s001")
    assert said.code == 0, said.err
    assert said.out.splitlines() == [
        "week1  First week",
        "  basics/affine: 9 of 12 points",
        "    handed in 2026-09-10 23:59 CST (the commit's date)",
        "    due 2026-09-08 23:59 CST",
        "    2 d late",
        "    late days spent: 1",
        "    1 started day(s) at 10 %, at most 50 %: 10 % taken, 10 -> 9",
        "  sum: 9 of 12 = 75 %",
        "week2  Second week",
        "  extras/vowels: 4 of 4 points",
        "    handed in 2026-09-16 00:09 CST (the commit's date)",
        "    due 2026-09-15 23:59 CST",
        "    10 min late, within the grace of 15 min: in time",
        "  sum: 4 of 4 = 100 %",
        "First week: 75 % x weight 1",
        "Second week: 100 % x weight 2",
        "late days spent: 1 of 1",
        "final grade: (75 % x 1 + 100 % x 2) / 3 = 91.67 %",
    ]
    chinese = book("explain", "s001", "--lang", "zh", "--assignment", "week1").out
    assert "提交于 2026-09-10 23:59 CST（提交（commit）的日期）" in chinese and "总评" not in chinese
    assert "choose one of week1, week2" in book("explain", "s001", "--assignment", "week9").err
    nothing = book("explain", "s003").out
    assert "basics/affine: nothing handed in" in nothing and "final grade: (0 % x 1 + 0 % x 2)" in nothing


def test_it_is_in_tables_and_exports(book: Cli, tmp_path: Path) -> None:
    shown = book("show").out
    row = next(line for line in shown.splitlines() if line.startswith(" s001"))
    assert [cell.strip() for cell in row.split("│")] == ["s001", "9~L", "4~", "13", "91.67 %"]
    assert "L points lost by lateness" in shown
    assert "handed in 2026-09-10 23:59 CST" in book("show", "--student", "s001").out
    assert book("export", tmp_path / "grades.csv").code == 0
    with (tmp_path / "grades.csv").open(newline="") as file:
        rows = {row["student"]: row for row in csv.DictReader(file)}
    one = rows["s001"]
    assert (one["total"], one["points:week1"], one["points:week2"], one["late_days"]) == (
        "13.0",
        "9.0",
        "4.0",
        "1",
    )
    assert float(one["final_percent"]) == pytest.approx(91.666667)
    assert book("export", tmp_path / "grades.csv").code == 0  # over its own earlier file
    assert book("export", tmp_path / "each.csv", "--per", "exercise").code == 0
    with (tmp_path / "each.csv").open(newline="") as file:
        late = next(row for row in csv.DictReader(file) if row["student"] == "s001")
    assert late["submitted_at"].startswith("2026-09-10") and late["submitted_source"] == "commit"
    assert (float(late["seconds_late"]), float(late["taken"])) == (2 * 86400, 0.1)
    for option, points in (((), "9"), (("--ignore-lateness",), "10")):
        assert book("export", tmp_path / "canvas.csv", "--format", "canvas", *option).code == 0
        assert f"s001,,,s001,A,{points},4" in (tmp_path / "canvas.csv").read_text()


def test_late_days_go_where_they_help_most(course: Path, place: Path, book: Cli, edited: Edit) -> None:
    with Gradebook(str(place)) as opened:
        hand_in(opened, "s002", "basics/affine", 12.0, timedelta(hours=5))
        hand_in(opened, "s002", "extras/vowels", 4.0, timedelta(hours=5), "later")
    assert [one["late_days"] for one in grade(book, "s002")["assignments"]] == [0, 1]
    edited(course / "course/course.toml", "weight = 2", "weight = 0.5")
    assert [one["late_days"] for one in grade(book, "s002")["assignments"]] == [1, 0]


@pytest.mark.parametrize(
    "more", [("s001", "week1", "--days", "2"), ("--section", "A", "week1", "--until", "2026-09-11T00:00")]
)
def test_an_extension(book: Cli, more: tuple[str, ...]) -> None:
    said = book("extend", *more, "--reason", "ill {so}", "--who", "ann")
    assert said.code == 0 and "week1: due 2026-09-08 23:59 CST -> 2026-09-1" in said.out
    assert grade(book)["share"] == pytest.approx(1 - (1 - 10 / 12) / 3)
    assert "ill {so}" in book("explain", "s001").out
    listed = json.loads(book("extensions", "--json").out)["extensions"]
    assert [(one["number"], one["who"]) for one in listed] == [(1, "ann")]
    assert "ill {so}" in book("extensions").out
    assert book("undo", "1", "--extension").code == 0
    assert grade(book)["share"] == pytest.approx(0.9166667)
    assert "undone already, by 2" in book("undo", "1", "--extension").err
    assert "itself undoes 1" in book("undo", "2", "--extension").err
    assert "no extension 9" in book("undo", "9", "--extension").err


def test_extensions_from_a_file(book: Cli, tmp_path: Path) -> None:
    path = tmp_path / "more.csv"
    path.write_text(
        "student,section,assignment,days,until,reason\ns001,,week1,1,,ill\n,A,week1,,2026-09-10T23:59,trip\n"
    )
    assert book("extend", "--from", path).code == 0
    assert "extended to 2026-09-10 23:59 CST: trip" in book("explain", "s001").out  # the latest holds
    for row, problem in (
        ("s001,,week9,1,,ill", "there is no assignment 'week9'; the course has week1, week2"),
        ("s001,A,week1,1,,ill", "name a student or a section, and one of the two"),
        ("s001,,week1,1,2026-09-10T23:59,ill", "say until when or by how many days"),
        ("s001,,week1,-1,,ill", "days are a number above 0"),
        ("s001,,week1,two,,ill", "'two' is no number of days"),
        ("s001,,week1,,tomorrow,ill", "'tomorrow' is no time"),
        ("s001,,week1,1,, ", "the reason is blank"),
        ("s009,,week1,1,,ill", "has no student 's009'"),
        (",C,week1,1,,ill", "nobody in a section 'C'; its sections: A, B"),
    ):
        path.write_text(f"student,section,assignment,days,until,reason\ns002,,week1,1,,fine\n{row}\n")
        said = book("extend", "--from", path)
        assert said.code == 2 and problem in said.err.replace("\n", " "), row
    assert len(json.loads(book("extensions", "--json").out)["extensions"]) == 2  # all of a file, or nothing
    assert "STUDENT ASSIGNMENT" in book("extend", "s001", "--reason", "x").err


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("penalty = 0.1", "penalty = 10", "0.1 takes 10 %` (at policy.late)"),
        ('per = "day"', 'per = "week"', "(at policy.late.per)"),
        ("late_days = 1", "late_days = -1", "`late_days` is a whole number from 0"),
        ("late_days = 1", "max_attempts = 0", "`max_attempts` is at least 1"),
        ("late_days = 1", "drop = 1", "unknown field `drop` (at policy)"),
        ("Asia/Shanghai", "China", "there is no time zone 'China'"),
        ("weight = 2", "weight = -2", "`weight` is a number from 0"),
        (
            "weight = 2",
            'bonus = ["basics/affine"]',
            "'basics/affine' in `bonus` is not among its `exercises`",
        ),
        ("weight = 2", 'bonus = ["extras/vowels"]', "all of its exercises are in `bonus`"),
        ("weight = 2", 'bonus = ["vowel"]', "there is no exercise 'vowel'; did you mean"),
    ],
)
def test_a_policy_that_says_nothing_is_refused(
    course: Path, edited: Edit, old: str, new: str, problem: str
) -> None:
    path = course / "course/course.toml"
    edited(path, "penalty = 0.1,", 'penalty = 0.1, per = "day",')
    edited(path, old, new)
    with pytest.raises(CourseError) as raised:
        Course.load(course)
    assert problem.replace("%`", "%") in str(raised.value) and str(path) in str(raised.value)


def standing(course: Path, place: Path, student: str, exercise: str) -> tuple[float | None, float]:
    with Gradebook(str(place)) as book:
        score = current_scores(book, scheme_of(book, Course.load(course).graded))[student, exercise]
    assert score.lateness is not None
    return score.score, score.lateness.taken


def test_attempts_limits_and_hard_stop(course: Path, place: Path, edited: Edit) -> None:
    path = course / "course/course.toml"
    edited(path, "late_days = 1", "late_days = 0")
    with Gradebook(str(place)) as book:
        hand_in(book, "s003", "basics/affine", 6.0, timedelta(hours=-1), "first")
        hand_in(book, "s003", "basics/affine", 8.0, timedelta(hours=30), "second")
        hand_in(book, "s003", "basics/affine", 12.0, timedelta(days=8), "third")
    assert standing(course, place, "s003", "basics/affine") == (6.4, 0.2)
    edited(path, "late_days = 0", "max_attempts = 1")
    assert standing(course, place, "s003", "basics/affine") == (6.0, 0.0)
    edited(path, "max_attempts = 1", "late_days = 0")
    with Gradebook(str(place)) as book:  # the first one again, when it would be late
        hand_in(book, "s003", "basics/affine", 6.0, timedelta(days=6), "first")
    assert standing(course, place, "s003", "basics/affine") == (6.0, 0.0)
    edited(path, "late_days = 0", 'attempts = "best"')
    assert standing(course, place, "s003", "basics/affine") == (6.4, 0.2)
    edited(path, 'attempts = "best"', "max_attempts = 1")
    assert standing(course, place, "s003", "basics/affine") == (6.0, 0.0)
    edited(path, "max_attempts = 1", "late_days = 0")
    edited(
        path,
        "due = 2026-09-15T23:59:00+08:00",
        'due = 2026-09-15T23:59:00+08:00\nlate = { per = "hour", cap = 1 }',
    )
    with Gradebook(str(place)) as book:
        hand_in(book, "s003", "extras/vowels", 4.0, timedelta(hours=2, minutes=30))
    score, taken = standing(course, place, "s003", "extras/vowels")
    assert (score, round(taken, 9)) == (2.8, 0.3)


def test_bonus_extra_credit_and_dropped(course: Path, place: Path, book: Cli, edited: Edit) -> None:
    path = course / "course/course.toml"
    edited(path, "late_days = 1", "drop_lowest = 1")
    assert [one["dropped"] for one in grade(book)["assignments"]] == [True, False]
    assert grade(book)["share"] == 1.0
    assert "First week: 66.67 %, dropped" in book("explain", "s001").out
    edited(path, "weight = 2", "extra_credit = true")
    found = grade(book)
    assert found["share"] == pytest.approx(10 * 0.8 / 12 + 1)  # nothing to drop but all that counts
    edited(path, "cutoff_days = 7", "cutoff_days = 9")
    edited(path, 'exercises = ["basics/affine"]', 'exercises = ["basics", "vowels"]\nbonus = ["vowels"]')
    (week1, _) = grade(book)["assignments"]
    assert (week1["max_score"], week1["score"]) == (12.0, pytest.approx(8.0 + 4.0 * 0.5))


# ------------------------------------------------------------------------------------------ when it was handed in


def set_date(path: Path, moment: datetime) -> None:
    os.utime(path, (moment.timestamp(), moment.timestamp()))


def told(place: Path) -> dict[str, tuple[datetime, TimeSource]]:
    with Gradebook(str(place)) as book:
        found = {}
        for (student, _), attempts in book.attempts().items():
            said = attempts[-1].result.submitted
            assert said is not None
            found[student] = said.at, said.source
        return found


def test_when_it_was_handed_in_and_who_says_so(
    cli: Cli, course: Path, tmp_path: Path, shared_sandbox: Any
) -> None:
    """Files, archives and what Canvas and Moodle give have dates; the instructor's list holds against them."""
    folder, place = tmp_path / "submissions", tmp_path / "new.db"
    canvas = {"late": "lilei_LATE_11_21_vowels.py", "punctual": "janedoe_12_22_vowels.py"}
    for name in ("s001/vowels.py", *canvas.values(), "Ann Bee_7_assignsubmission_file_/vowels.py"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"{GOOD}# {name}\n")
        set_date(folder / name, DUE + timedelta(days=9))
    times = tmp_path / "times.csv"

    def run(*more: object) -> Any:
        return cli("grade", folder, "--course", course, "--gradebook", place, "--only", "extras", *more)

    assert run().code == 0
    when = DUE + timedelta(days=9)
    assert told(place) == {
        "s001": (when, TimeSource.FILE),
        "lilei": (when, TimeSource.CANVAS),
        "janedoe": (when, TimeSource.CANVAS_ON_TIME),
        "Ann Bee": (when, TimeSource.MOODLE),
    }
    taken = {name: standing(course, place, name, "extras/vowels")[1] for name in told(place)}
    assert taken == {"s001": 0.1, "lilei": 0.1, "janedoe": 0.0, "Ann Bee": 0.1}
    set_date(folder / "s001/vowels.py", DUE + timedelta(days=12))  # copied again: it was there before
    assert run().code == 0 and told(place)["s001"] == (when, TimeSource.FILE)
    times.write_text(
        "student,exercise,time\ns001,vowels,2026-09-12T10:00\nlilei,,2026-09-15T15:00Z\ns077,,2026-09-12T10:00\n"
    )
    said = run("--times", times)
    assert said.code == 0 and "0 graded, 4 known already" in said.err
    assert "times of students of whom nothing is here: s077" in said.err
    assert told(place)["s001"] == (datetime(2026, 9, 12, 2, tzinfo=UTC), TimeSource.GIVEN)
    assert told(place)["lilei"] == (datetime(2026, 9, 15, 15, tzinfo=UTC), TimeSource.GIVEN)
    for row, problem in (
        ("s001,,2099-01-01T00:00", "lies in the future"),
        ("s001,,yesterday", "'yesterday' is no time"),
        ("s001,vowel,2026-09-12T10:00", "there is no exercise 'vowel'"),
        (",,2026-09-12T10:00", "no student is named"),
    ):
        times.write_text(f"student,exercise,time\n{row}\n")
        said = run("--times", times)
        assert said.code == 2 and "row 2" in said.err and problem in said.err, row


def test_a_time_that_can_t_be_or_that_nobody_tells(course: Path, place: Path, book: Cli) -> None:
    with Gradebook(str(place)) as opened:
        hand_in(opened, "s002", "basics/affine", 6.0, timedelta(days=40_000))
        opened.record(
            ExerciseResult(
                student="s003", exercise="basics/affine", status=Status.GRADED, score=6.0, max_score=12.0,
                isolation=Isolation.FULL, key="b-old",
            )
        )  # fmt: skip
    future = book("explain", "s002").out
    assert "which is after it was graded, and is not used" in future and "after the hard stop" in future
    assert "when it was graded, because nothing tells when it was handed in" in book("explain", "s003").out
