"""The files of `autograder report`: a page for the course, one for each assignment, and all of it as CSV."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from msgspec import Struct

from autograder.feedback import insight_words as w
from autograder.feedback.html_page import html_page
from autograder.gradebook.analysis import ENOUGH, FEWEST, Alpha, cronbach_alpha, histogram, mean
from autograder.gradebook.insight import ExerciseInsight, Shares, TestInsight
from autograder.gradebook.report_tables import Group, report_tables
from autograder.results import Visibility
from autograder.text import Text

TEMPLATE = "report.html.j2"
LIST = ".autograder-report"  # of what the command has written into a folder
INDEX, OTHER = "index.html", "other.html"
BANDS = (0.2, 0.4, 0.6, 0.8, 1.0)  # where a colour of the map begins, after the first
SHOWN = 400  # rows of a map


class Page(Struct, frozen=True):
    """What one page is about. column: of the assignments; None: the course, or what belongs to none."""

    file: str
    title: Text
    exercises: tuple[str, ...]
    column: int | None = None


def report_files(
    shares: Shares,
    pages: Sequence[Page],
    insights: Mapping[str, ExerciseInsight],
    groups: Mapping[str, Sequence[Group]] | None,
    title: Text,
    lang: str,
    *,
    anonymous: bool = False,
) -> dict[str, bytes]:
    """File name -> content. `groups` is None where nobody asked for them."""
    order = sorted(
        range(len(shares.students)),
        key=lambda row: (-_known(float(shares.course[row])), shares.students[row]),
    )
    names = [str(place + 1) if anonymous else shares.students[row] for place, row in enumerate(order)]
    course = Page(INDEX, title, shares.exercises)
    where = {name: page.file for page in pages for name in page.exercises}
    files: dict[str, bytes] = {}
    distributions: dict[str, np.ndarray] = {}
    for page in (course, *pages):
        of_page = shares.course if page is course else _page_shares(shares, page)
        distributions[page.file.removesuffix(".html")] = of_page
        said = _Says(lang).page(page, shares, order, names, of_page, insights, groups, where, pages)
        files[page.file] = html_page(TEMPLATE, lang, w=w, **said).encode()
    students = list(zip(names, order, strict=True))
    return files | report_tables(shares, students, distributions, insights, groups, lang)


def _known(value: float) -> float:
    return -1.0 if math.isnan(value) else float(value)


def _page_shares(shares: Shares, page: Page) -> np.ndarray:
    if page.column is not None:
        return shares.of_assignments[:, page.column]
    return np.array([mean(row) for row in _columns(shares, page.exercises)])


def _columns(shares: Shares, exercises: Sequence[str]) -> np.ndarray:
    return shares.of_exercises[:, [shares.exercises.index(name) for name in exercises]]


# ------------------------------------------------------------------------------------------ pages


class _Says:
    """Puts numbers into words, in one language."""

    def __init__(self, lang: str) -> None:
        self.lang = lang

    def say(self, text: Text, **values: object) -> str:
        return (text.format(**values) if values else text).pick(self.lang)

    def page(
        self,
        page: Page,
        shares: Shares,
        order: Sequence[int],
        names: Sequence[str],
        of_page: np.ndarray,
        insights: Mapping[str, ExerciseInsight],
        groups: Mapping[str, Sequence[Group]] | None,
        where: Mapping[str, str],
        pages: Sequence[Page],
    ) -> dict[str, Any]:
        course = page.file == INDEX
        cells = _columns(shares, page.exercises)
        alpha = cronbach_alpha(cells)
        said = w.OF_ASSIGNMENT
        if course:
            said = w.OF_FINAL if shares.final else w.OF_BEGUN if shares.assignments else w.OF_MEAN
        elif page.column is None:
            said = w.OF_MEAN
        own = not course or not pages
        return {
            "title": self.say(w.TITLE, title=page.title),
            "size": self.say(
                w.CLASS, students=len(names), with_work=int((~np.isnan(cells)).any(axis=1).sum())
            ),
            "back": not course,
            "pages": [(other.file, self.say(other.title)) for other in pages] if course else [],
            "distribution": self.distribution(of_page, said),
            "map": self.heat_map(page.exercises, names, cells[order], of_page[order]),
            "exercises": [
                self.row(insights[name], cells[:, i], where, own) for i, name in enumerate(page.exercises)
            ],
            "reliability": self.reliability(alpha, w.ITEM_EXERCISES) if len(page.exercises) > 1 else "",
            "sections": [self.section(insights[name], groups) for name in page.exercises] if own else [],
        }

    def distribution(self, shares: np.ndarray, said: Text) -> dict[str, Any]:
        counts = histogram(shares)
        known = shares[~np.isnan(shares)]
        summary = ""
        if len(known):
            low, median, high = (self.percent(q) for q in np.quantile(known, (0.25, 0.5, 0.75)))
            summary = self.say(w.MEDIAN, low=low, median=median, high=high, n=len(known))
        most = max(int(counts.max()), 1)
        bins = [
            {"label": f"{10 * i}–{10 * i + 10} %", "n": int(n), "width": round(100 * int(n) / most, 1)}
            for i, n in enumerate(counts)
        ]
        if known.max(initial=0.0) > 1:  # extra credit
            bins[-1]["label"] = self.say(w.AND_MORE)
        return {"says": self.say(said), "summary": summary, "bins": bins}

    def heat_map(
        self, exercises: Sequence[str], names: Sequence[str], cells: np.ndarray, totals: np.ndarray
    ) -> dict[str, Any]:
        whole = np.column_stack([cells, totals])
        grouped = ""
        if len(names) > SHOWN:
            size = math.ceil(len(names) / SHOWN)
            grouped = self.say(w.GROUPED, students=len(names), size=size)
            places = range(0, len(names), size)
            names = [self.say(w.ROWS, first=i + 1, last=min(i + size, len(names))) for i in places]
            whole = np.array([[mean(column) for column in whole[i : i + size].T] for i in places])
        columns = [*exercises, self.say(w.ALL)]
        rows = [
            {
                "name": name,
                "cells": [self.cell(name, column, value) for column, value in zip(columns, row, strict=True)],
            }
            for name, row in zip(names, whole, strict=True)
        ]
        limits = [0, *(round(100 * limit) for limit in BANDS)]
        legend = [f"{low}–{high - 1}" for low, high in itertools.pairwise(limits)] + ["100"]
        return {"heads": columns, "rows": rows, "grouped": grouped, "legend": legend}

    def cell(self, student: str, exercise: str, value: float) -> dict[str, Any]:
        text = "" if math.isnan(value) else str(math.floor(100 * value + 1e-9))
        share = self.say(w.NOTHING) if math.isnan(value) else f"{text} %"
        band = None if math.isnan(value) else sum(value >= limit - 1e-9 for limit in BANDS)
        return {
            "text": text,
            "band": band,
            "title": self.say(w.CELL, student=student, exercise=exercise, share=share),
        }

    def row(
        self, one: ExerciseInsight, cells: np.ndarray, where: Mapping[str, str], own: bool
    ) -> dict[str, Any]:
        told = not math.isnan(one.alpha.value)
        return {
            "name": one.exercise,
            "href": f"#{_anchor(one.exercise)}" if own else f"{where[one.exercise]}#{_anchor(one.exercise)}",
            "students": one.students,
            "mean": self.percent(mean(cells)),
            "alpha": f"{one.alpha.value:.2f} ± {one.alpha.error:.2f}" if told else "–",
            "flags": sum(test.check_key for test in one.tests),
        }

    def reliability(self, alpha: Alpha, items: Text) -> str:
        what = self.say(items)
        if alpha.students < FEWEST:
            return self.say(w.ALPHA_REFUSED, fewest=FEWEST, n=alpha.students)
        if math.isnan(alpha.value):
            return self.say(w.ALPHA_NONE, items=what)
        value, error = f"{alpha.value:.2f}", f"{alpha.error:.2f}"
        told = self.say(w.ALPHA_IS, alpha=value, error=error, n=alpha.students, k=alpha.items, items=what)
        return told if alpha.students >= ENOUGH else f"{told} {self.say(w.ALPHA_WARNS, enough=ENOUGH)}"

    def section(self, one: ExerciseInsight, groups: Mapping[str, Sequence[Group]] | None) -> dict[str, Any]:
        attempted = self.say(w.ATTEMPTED, n=one.students)
        if one.earlier:
            attempted += " " + self.say(w.EARLIER, n=one.earlier)
        return {
            "id": _anchor(one.exercise),
            "name": one.exercise,
            "attempted": attempted,
            "reliability": self.reliability(one.alpha, w.ITEM_TESTS),
            "flags": any(test.check_key for test in one.tests),
            "tests": [self.test(test) for test in one.tests],
            "ways": [
                {
                    "test": test.name,
                    "name": way.name or self.say(w.NO_DIAGNOSIS),
                    "students": way.students,
                    "example": self.say(way.example),
                }
                for test in one.tests
                for way in test.diagnoses
            ],
            "clusters": None if groups is None else groups.get(one.exercise, ()),
        }

    def test(self, test: TestInsight) -> dict[str, Any]:
        share, (low, high) = test.right / test.n, test.interval
        right = f"{100 * share:.0f} % ({100 * low:.0f}–{100 * high:.0f})"
        return {
            "name": test.name,
            "visibility": self.say(w.PUBLIC if test.visibility is Visibility.PUBLIC else w.HIDDEN),
            "check": test.check_key,
            "n": test.n,
            "right": right,
            "low": round(100 * low, 1),
            "high": round(100 * high, 1),
            "middle": round(100 * share, 1),
            "correlation": "–" if math.isnan(test.correlation) else f"{test.correlation:.2f}",
            "attempts": self.say(w.NOT_HALF) if math.isnan(test.attempts) else f"{test.attempts:.0f}",
            "hours": self.hours(test.hours),
            "never": test.never,
        }

    def hours(self, hours: float) -> str:
        if math.isnan(hours):
            return self.say(w.NOT_HALF)
        if hours == 0:
            return self.say(w.NEXT_TO_NONE)
        return (
            self.say(w.TIME_HOURS, n=f"{hours:.1f}")
            if hours < 48
            else self.say(w.TIME_DAYS, n=f"{hours / 24:.1f}")
        )

    def percent(self, share: float) -> str:
        return "–" if math.isnan(share) else f"{100 * share:.0f} %"


def _anchor(exercise: str) -> str:
    return exercise.replace("/", "-")
