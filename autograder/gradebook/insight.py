"""What a gradebook tells of its class: every student's share of the points, and how each test of an exercise went.

One query at a time: the grades of one student, the attempts on one exercise. What is kept of them are numbers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice

import numpy as np
from msgspec import Struct

from autograder.gradebook.analysis import (
    Alpha,
    Interval,
    cronbach_alpha,
    doubtful,
    item_rest_correlations,
    kaplan_meier,
    wilson_interval,
)
from autograder.gradebook.final_grade import final_grades
from autograder.gradebook.policy import GradingScheme, submitted_of
from autograder.gradebook.scores import current_scores
from autograder.gradebook.store import Attempt, Gradebook
from autograder.results import ExerciseResult, Outcome, Status, TestResult, Visibility, by_function, total
from autograder.text import Text

TOGETHER = 200  # students whose results are in memory at once


class Shares(Struct, frozen=True):
    """Shares of the full points, a row for each student; nan where nothing was handed in or the score is not known.

    students: as in the rows. exercises, assignments: as in the columns. course: of all that anybody has begun.
    final: whether `course` is the final grade, because every assignment is begun.
    """

    students: tuple[str, ...]
    exercises: tuple[str, ...]
    assignments: tuple[str, ...]
    of_exercises: np.ndarray
    of_assignments: np.ndarray
    course: np.ndarray
    final: bool


class Diagnosed(Struct, frozen=True):
    """A way in which a test was failed: the misconception, or None; by how many students; what one of them was told."""

    name: str | None
    students: int
    example: Text


class TestInsight(Struct, frozen=True):
    """How one test function went. Attempts are those in which its question was begun; nan: too few of them.

    n: students who have one; right: those who passed at their first. correlation: of its points with those of all other
    tests, at the first attempt on the exercise. attempts, hours: medians until it was passed; never: who has not passed.
    """

    __test__ = False  # not a test class, whatever pytest makes of the name

    name: str
    visibility: Visibility
    n: int
    right: int
    interval: Interval
    correlation: float
    attempts: float
    hours: float
    never: int
    check_key: bool
    diagnoses: tuple[Diagnosed, ...]


class ExerciseInsight(Struct, frozen=True):
    """How one exercise went. earlier: students whose first attempt was graded with another version of it."""

    exercise: str
    students: int
    earlier: int
    alpha: Alpha
    tests: tuple[TestInsight, ...]


def shares(book: Gradebook, scheme: GradingScheme, exercises: Sequence[str]) -> Shares:
    """Everybody's shares of the points on these exercises, and on the scheme's assignments."""
    students = book.students()
    begun = book.exercises()
    assignments = [one for one in scheme.assignments if not begun.isdisjoint(one.exercises)]
    names = [one.id for one in assignments]
    of_exercises = np.full((len(students), len(exercises)), np.nan)
    of_assignments = np.full((len(students), len(names)), np.nan)
    course = np.full(len(students), np.nan)
    everything = list(scheme.versions)
    final = len(names) == len(scheme.assignments) > 0
    for row, student in enumerate(students):
        scores = current_scores(book, scheme, student, everything)
        for column, name in enumerate(exercises):
            score = scores.get((student, name))
            if score is not None and score.score is not None and score.max_score:
                of_exercises[row, column] = score.score / score.max_score
        if not scores:
            continue
        if not scheme.assignments:
            known = of_exercises[row]
            course[row] = np.nansum(known) / len(known) if len(known) else np.nan
            continue
        grade = final_grades(scores, scheme, [student])[student]
        graded = {one.id: one for one in grade.assignments}
        for column, one in enumerate(assignments):
            points = graded[one.id]
            if (
                points.max_score
                and points.score is not None
                and any((student, e) in scores for e in one.exercises)
            ):
                of_assignments[row, column] = points.score / points.max_score
        counted = [graded[name] for name in names if graded[name].counted and graded[name].max_score]
        weight = total(one.weight for one in counted)
        if final:
            course[row] = np.nan if grade.share is None else grade.share
        elif weight and all(one.score is not None for one in counted):
            course[row] = total(one.weight * (one.score or 0.0) / one.max_score for one in counted) / weight
    return Shares(
        tuple(students), tuple(exercises), tuple(names), of_exercises, of_assignments, course, final
    )


def exercise_insight(book: Gradebook, scheme: GradingScheme, exercise: str) -> ExerciseInsight:
    """How each test of one exercise went, over all attempts of everybody."""
    seen = _Seen()
    version = scheme.versions.get(exercise)
    earlier = 0
    for hand_ins in _class_hand_ins(book, exercise):
        seen.add(hand_ins)
        bundle = hand_ins[0][1].bundle
        earlier += bool(version and version.bundle and bundle and bundle != version.bundle)
    points = np.array([[row.get(name, np.nan) for name in seen.tests] for row in seen.first])
    points = points.reshape(len(seen.first), len(seen.tests))
    correlations = item_rest_correlations(points)
    return ExerciseInsight(
        exercise,
        len(seen.first),
        earlier,
        cronbach_alpha(points),
        tuple(seen.insight(name, float(r)) for name, r in zip(seen.tests, correlations, strict=True)),
    )


HandIn = tuple[datetime, ExerciseResult]


def _class_hand_ins(book: Gradebook, exercise: str) -> Iterator[list[HandIn]]:
    """What each student handed in that tests were run on, in order, with its result in full; some students at a time."""
    histories = iter([_hand_ins(attempts) for attempts in book.attempts(None, [exercise]).values()])
    while some := list(islice(histories, TOGETHER)):
        full = iter(book.in_full(attempt for history in some for _, attempt in history))
        for history in some:
            if history:
                yield [(moment, next(full)) for moment, _ in history]


def _hand_ins(attempts: Sequence[Attempt]) -> list[tuple[datetime, Attempt]]:
    """When each content was first handed in, and what was found when it was graded last.

    An attempt is what a student handed in: what was graded again, after the exercise was changed, is no new one.
    """
    found: dict[object, tuple[datetime, Attempt]] = {}
    for attempt in attempts:
        if attempt.result.status is Status.GRADED:
            content = attempt.result.content or attempt.result_id
            moment = found[content][0] if content in found else submitted_of(attempt).at
            found[content] = moment, attempt
    return sorted(found.values(), key=lambda one: one[0])


@dataclass
class _Test:
    """What was seen of one test: for each student, until when it was tried, and whether it was passed then."""

    visibility: Visibility
    attempts: list[int] = field(default_factory=list)
    hours: list[float] = field(default_factory=list)
    passed: list[bool] = field(default_factory=list)
    otherwise_right: int = 0
    of_them_passed: int = 0
    diagnoses: Counter[str | None] = field(default_factory=Counter)
    examples: dict[str | None, Text] = field(default_factory=dict)


class _Seen:
    """The tests of one exercise, student by student."""

    def __init__(self) -> None:
        self.tests: dict[str, _Test] = {}
        self.first: list[dict[str, float]] = []  # of each student: test -> points at the first attempt

    def add(self, hand_ins: Sequence[HandIn]) -> None:
        """One student's attempts."""
        runs = [(moment, by_function(result.tests)) for moment, result in hand_ins]
        self.first.append({name: total(test.score for test in tests) for name, tests in runs[0][1].items()})
        wrong = [{name for name, tests in found.items() if not _passed(tests)} for _, found in runs]
        for name in dict.fromkeys(name for _, found in runs for name in found):
            tried = [(moment, found[name]) for moment, found in runs if name in found and _begun(found[name])]
            if not tried:
                continue
            test = self.tests.setdefault(name, _Test(tried[0][1][0].visibility))
            until = next((i for i, (_, tests) in enumerate(tried) if _passed(tests)), None)
            last = len(tried) - 1 if until is None else until
            test.attempts.append(last + 1)
            test.hours.append((tried[last][0] - tried[0][0]).total_seconds() / 3600)
            test.passed.append(until is not None)
            if any(lost <= {name} for lost in wrong):
                test.otherwise_right += 1
                test.of_them_passed += until is not None
            ways = {one.diagnosis: one.message for _, tests in tried for one in tests if _failed(one)}
            test.diagnoses.update(ways.keys())
            for way, message in ways.items():
                test.examples.setdefault(way, message)

    def insight(self, name: str, correlation: float) -> TestInsight:
        test = self.tests[name]
        n = len(test.passed)
        right = sum(
            passed and attempts == 1 for passed, attempts in zip(test.passed, test.attempts, strict=True)
        )
        return TestInsight(
            name,
            test.visibility,
            n,
            right,
            wilson_interval(right, n),
            correlation,
            kaplan_meier(test.attempts, test.passed).median,
            kaplan_meier(test.hours, test.passed).median,
            n - sum(test.passed),
            doubtful(correlation, n, test.otherwise_right, test.of_them_passed),
            tuple(Diagnosed(way, count, test.examples[way]) for way, count in test.diagnoses.most_common()),
        )


def _passed(tests: Sequence[TestResult]) -> bool:
    return all(test.outcome is Outcome.PASSED for test in tests)


def _begun(tests: Sequence[TestResult]) -> bool:
    return any(test.outcome is not Outcome.NOT_IMPLEMENTED for test in tests)


def _failed(test: TestResult) -> bool:
    return test.outcome not in (Outcome.PASSED, Outcome.NOT_IMPLEMENTED, Outcome.NOT_RUN)
