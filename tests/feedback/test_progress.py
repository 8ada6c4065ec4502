"""The end of `pytest exercises/` in a course of any size: a line for each unit, and more of what was begun."""

from __future__ import annotations

import io
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from autograder.course import Course, Exercise, Unit
from autograder.course.spec import BothLanguages
from autograder.feedback.progress import print_progress, progress_of
from autograder.results import Policy

TITLE = BothLanguages("Some title", "某个标题")


def course_of(units: int, each: int) -> Course:
    listed = tuple(Unit(f"unit{n}", TITLE, tuple(f"topic{k}" for k in range(each))) for n in range(units))
    exercises = {
        f"{u.id}/{topic}": Exercise(Path("/c"), u.id, topic) for u in listed for topic in u.exercises
    }
    return Course(Path("/c"), TITLE, listed, exercises, (), Policy())


class Terminal:
    """What pytest's terminal reporter is to the summary."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.config = SimpleNamespace(get_terminal_writer=lambda: SimpleNamespace(_file=io.StringIO()))

    def write_line(self, line: str, **markup: bool) -> None:
        self.lines.append(line)

    def section(self, title: str, sep: str) -> None:
        self.lines.append(f"-- {title}")


def summary(course: Course, passed: set[str] = frozenset(), failed: set[str] = frozenset()) -> list[str]:  # type: ignore[assignment]
    """The summary's lines when these exercises' single tests passed or failed, and all others are not begun."""
    reports: list[Any] = [
        SimpleNamespace(
            exercise=name, place=place, nodeid=name, points=2.0, passed=name in passed,
            not_implemented=None if name in passed | failed else f"solve_{place}",
        )
        for place, name in enumerate(course.exercises)
    ]  # fmt: skip
    terminal = Terminal()
    print_progress(terminal, course, progress_of(course, reports))
    return terminal.lines


@pytest.fixture(autouse=True)
def english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTOGRADER_LANG", "en")


def test_a_course_not_begun_has_a_line_for_each_unit() -> None:
    lines = summary(course_of(22, 8))
    assert lines[:3] == ["-- not implemented", "unit0/topic0     solve_0", "-- points (public tests)"]
    units = lines[3:-1]
    assert [line.split()[0] for line in units] == [f"unit{n}" for n in range(22)]
    assert units[0] == f"unit0                 0/16  {'░' * 20}  Some title, next: topic0"
    assert lines[-1] == "Next: unit0/topic0, in exercises/unit0/topic0.py"


def test_what_is_begun_is_opened() -> None:
    """A unit that is done has its one line, as has one that is not begun."""
    done = {f"unit0/topic{n}" for n in range(3)}
    lines = summary(course_of(4, 3), passed={*done, "unit2/topic0"}, failed={"unit2/topic1"})
    table = lines[lines.index("-- points (public tests)") + 1 : -1]
    assert [line.split()[0] for line in table] == [
        "unit0", "unit1", "unit2", "unit2/topic0", "unit2/topic1", "unit2/topic2", "unit3",
    ]  # fmt: skip
    assert table[0].endswith(f"6/6  {'█' * 20}  Some title")
    assert "2/6" in table[2] and table[2].endswith("next: topic1")
    assert table[3].split()[1:] == ["2/2", "█" * 20]
    assert lines[-1].startswith("Next: unit2/topic1")


def test_questions_of_what_is_begun_are_named() -> None:
    course = course_of(2, 2)
    lines = summary(course, passed={"unit0/topic0"})
    assert lines[: lines.index("-- points (public tests)")] == [
        "-- not implemented",
        "unit0/topic1    solve_1",
    ]
    lines = summary(course, passed=set(course.exercises))
    assert (
        lines[0] == "-- points (public tests)"
        and lines[-1] == "All public tests pass. They are only a part: hidden tests decide."
    )


def test_a_unit_alone_is_opened() -> None:
    lines = summary(course_of(1, 3))
    assert [line.split()[0] for line in lines[3:-1]] == ["unit0", *(f"unit0/topic{n}" for n in range(3))]


def test_in_chinese(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTOGRADER_LANG", "zh")
    assert any(line.endswith("某个标题，下一题：topic0") for line in summary(course_of(2, 2)))
