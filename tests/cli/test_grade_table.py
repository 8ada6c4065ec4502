"""The grade table of a course of many exercises shows units, and one unit's exercises when it is asked to."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from autograder.cli.common import Lang, Speaker
from autograder.cli.grade_table import BY_EXERCISE, grade_table
from autograder.course import Course
from autograder.gradebook import Gradebook, GradingScheme, Version
from autograder.results import ExerciseResult, Isolation, Status
from autograder.text import Text, number

EN, ZH = Speaker(Lang.EN), Speaker(Lang.ZH)


def scheme_of(units: int, each: int) -> GradingScheme:
    """Every exercise is out of ten points."""
    names = [f"unit{n}/topic{k}" for n in range(units) for k in range(each)]
    titles = {f"unit{n}": Text(f"Title {n}", f"标题{n}") for n in range(units)}
    return GradingScheme({name: Version("now", 10.0) for name in names}, titles=titles)


@pytest.fixture
def book(tmp_path: Path) -> Iterator[Gradebook]:
    with Gradebook(str(tmp_path / "book.db")) as opened:
        yield opened


def record(book: Gradebook, student: str, exercise: str, score: float | None = 10.0, **more: Any) -> None:
    values: dict[str, Any] = {"status": Status.GRADED, "max_score": 10.0, "isolation": Isolation.FULL, **more}
    book.record(ExerciseResult(student=student, exercise=exercise, score=score, **values))


def rows(
    book: Gradebook,
    scheme: GradingScheme,
    say: Speaker = EN,
    width: int = 300,
) -> tuple[list[str], dict[str, list[str]], str]:
    """The maxima in the heads, each student's cells, and all that is printed."""
    out = io.StringIO()
    table = grade_table(book, scheme, book.students(), say)
    Console(file=out, width=width, highlight=False).print(table)
    lines = [
        [cell.strip() for cell in line.split("│")] for line in out.getvalue().splitlines() if "│" in line
    ]
    return re.findall(r"/([\d.]+) ", out.getvalue()), {line[0]: line[1:] for line in lines}, out.getvalue()


def test_many_exercises_are_shown_by_unit(book: Gradebook) -> None:
    scheme = scheme_of(3, 5)
    record(book, "s001", "unit0/topic0", 10.0)
    record(book, "s001", "unit0/topic1", 2.5)
    record(book, "s001", "unit2/topic4", 4.0)
    record(book, "s002", "unit1/topic0", 1.0)
    heads, cells, shown = rows(book, scheme)
    assert heads == ["50", "50", "50", "150"]
    assert cells == {"s001": ["12.5", "–", "4", "16.5"], "s002": ["–", "1", "–", "1"]}
    assert "  1  unit0  Title 0\n  2  unit1  Title 1\n" in shown and "topic" not in shown
    assert "  3  unit2  标题2\n" in rows(book, scheme, say=ZH)[2]


def test_few_exercises_and_one_unit_s_are_shown_each(book: Gradebook) -> None:
    record(book, "s001", "unit0/topic0")
    few = scheme_of(2, BY_EXERCISE // 2)
    heads, cells, shown = rows(book, few)
    assert len(heads) == BY_EXERCISE + 1 and " 12  unit1/topic5\n" in shown
    many = scheme_of(2, 20)
    heads, cells, shown = rows(book, many.of_unit("unit0"))
    assert len(heads) == 21 and " 20  unit0/topic19\n" in shown
    assert cells["s001"][0] == "10"


def test_a_unit_s_cell_tells_what_a_number_alone_would_not(book: Gradebook) -> None:
    scheme = scheme_of(7, 2)
    kinds: list[dict[str, Any]] = [
        {"score": None, "status": Status.UNGRADED},
        {"score": 0.0, "status": Status.INVALID},
        {"score": 0.0, "status": Status.NOT_BEGUN},
        {"isolation": Isolation.UNSAFE},
        {},
    ]
    for unit, kind in enumerate(kinds):
        record(book, "s001", f"unit{unit}/topic0", **kind)
        if unit < 2:
            record(book, "s001", f"unit{unit}/topic1", 3.0)
    book.adjust("s001", "unit4/topic0", -1.0, reason="late", who="ta")
    record(book, "s001", "unit5/topic0", None, status=Status.UNGRADED)
    assert rows(book, scheme)[1]["s001"] == ["3?", "3!", "0·", "10U", "9*", "?", "–", "25"]


def test_no_number_is_cut_by_unit(book: Gradebook) -> None:
    scheme = scheme_of(22, 8)
    for unit in range(22):
        record(book, "s001", f"unit{unit}/topic0", 5.01 + unit / 100)
    _, _, shown = rows(book, scheme, width=80)
    assert all(number(5.01 + unit / 100) in shown for unit in range(22))
    assert "112.53" in shown and "…" not in shown and max(map(len, shown.splitlines())) <= 80


def test_one_unit_on_request(cli: Callable[..., Any], toy_course: Course, tmp_path: Path) -> None:
    place = tmp_path / "toy.db"
    with Gradebook(str(place)) as toy_book:
        record(toy_book, "s001", "extras/vowels", 4.0, max_score=4.0)
    command = ("gradebook", "show", "--course", toy_course.root, "--gradebook", place)
    both, one = cli(*command).out, cli(*command, "--unit", "extras").out
    assert "basics/affine" in both
    assert "  1  extras/vowels" in one and "basics/affine" not in one
    wrong = cli(*command, "--unit", "extra")
    assert wrong.code != 0 and "--unit 'extra': choose one of basics, extras" in wrong.err


def test_grade_ends_with_one_unit_s_table(
    cli: Callable[..., Any],
    toy_course: Course,
    hand_in: Callable[..., Path],
    shared_sandbox: Any,
    tmp_path: Path,
) -> None:
    folder = hand_in("s001", {"vowels.py": "def vowels(text):\n    return 3\n"})
    command = ("grade", folder, "--course", toy_course.root, "--gradebook", tmp_path / "toy.db")
    said = cli(*command, "--unit", "basics")
    assert said.code == 0, said.err
    assert "basics/affine" in said.out and "  1  extras/vowels" not in said.out
    assert "1 graded" in said.err


def test_a_maximum_is_told_where_it_reads_otherwise(book: Gradebook) -> None:
    """Points in thirds add up to a little more or less; that is no other maximum."""
    record(book, "s001", "unit0/topic0", 5.0, max_score=10.000002)
    record(book, "s002", "unit0/topic0", 5.0, max_score=12.0)
    _, cells, _ = rows(book, scheme_of(1, 1))
    assert (cells["s001"], cells["s002"]) == (["5", "5"], ["5/12", "5/12"])
