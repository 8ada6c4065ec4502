"""The CSV files of `autograder report`: all that its pages show."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

import numpy as np
from msgspec import Struct

from autograder.gradebook.analysis import histogram, mean
from autograder.gradebook.insight import ExerciseInsight, Shares
from autograder.text import escape_formula, machine_number

HEADS = {
    "students.csv": ("student",),
    "distribution.csv": ("page", "from", "to", "students"),
    "exercises.csv": ("exercise", "students", "mean", "alpha", "alpha_error", "alpha_students", "earlier_version"),
    "tests.csv": (
        "exercise", "test", "visibility", "n", "right_first", "share", "low", "high", "correlation",
        "median_attempts", "median_hours", "never_passed", "check_key",
    ),
    "diagnoses.csv": ("exercise", "test", "diagnosis", "students", "example"),
    "clusters.csv": ("exercise", "group", "students", "tests", "tells", "nearest", "difference"),
}  # fmt: skip


class Group(Struct, frozen=True):
    """Submissions to one exercise that fail in the same way, which no misconception explains.

    tests: those that fail. tells: whether a wrong answer among them says much. nearest: the right answer that the
    difference is from. It is for instructors: it shows lines of it.
    """

    exercise: str
    students: int
    tests: tuple[str, ...]
    tells: bool
    nearest: str
    difference: str


def report_tables(
    shares: Shares,
    students: Sequence[tuple[str, int]],
    distributions: Mapping[str, np.ndarray],
    insights: Mapping[str, ExerciseInsight],
    groups: Mapping[str, Sequence[Group]] | None,
    lang: str,
) -> dict[str, bytes]:
    """File name -> content.

    Args:
        students: as what each is shown, and their row of `shares`, in the order in which they are shown.
        distributions: page -> the shares whose distribution it shows.
    """
    heads = dict(HEADS)
    heads["students.csv"] = ("student", *shares.exercises, *shares.assignments, "course")
    rows: dict[str, list[Sequence[Any]]] = {name: [] for name in HEADS}
    for page, of_page in distributions.items():
        for low, n in enumerate(histogram(of_page)):
            rows["distribution.csv"].append((page, low / 10, (low + 1) / 10, n))
    for name, row in students:
        cells = (*shares.of_exercises[row], *shares.of_assignments[row], shares.course[row])
        rows["students.csv"].append((name, *map(_cell, cells)))
    for column, exercise in enumerate(shares.exercises):
        _add_rows(rows, insights[exercise], shares.of_exercises[:, column], lang)
        for number, group in enumerate((groups or {}).get(exercise, ()), 1):
            told = (" ".join(group.tests), group.tells, group.nearest, group.difference)
            rows["clusters.csv"].append((exercise, number, group.students, *told))
    if groups is None:
        del heads["clusters.csv"]
    return {name: _csv(head, rows[name]) for name, head in heads.items()}


def _add_rows(
    rows: Mapping[str, list[Sequence[Any]]], one: ExerciseInsight, shares: np.ndarray, lang: str
) -> None:
    alpha = (_cell(one.alpha.value), _cell(one.alpha.error), one.alpha.students)
    rows["exercises.csv"].append((one.exercise, one.students, _cell(mean(shares)), *alpha, one.earlier))
    for test in one.tests:
        share = test.right / test.n
        numbers = (share, *test.interval, test.correlation, test.attempts, test.hours)
        rows["tests.csv"].append(
            (one.exercise, test.name, test.visibility.value, test.n, test.right, *map(_cell, numbers), test.never, test.check_key)
        )  # fmt: skip
        for way in test.diagnoses:
            told = (one.exercise, test.name, way.name or "", way.students, way.example.pick(lang))
            rows["diagnoses.csv"].append(told)


def _csv(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(head)
    writer.writerows([escape_formula(cell) for cell in row] for row in rows)
    return text.getvalue().encode()


def _cell(value: float) -> Decimal | str:
    """A number as one, so that a minus is not taken for a formula."""
    return "" if math.isnan(value) else Decimal(machine_number(float(value)))
