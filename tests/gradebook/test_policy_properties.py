"""What holds of every course, class and policy: nobody loses by more time, by more points, or by handing in early."""

from __future__ import annotations

import dataclasses
import random
from datetime import UTC, datetime, timedelta

from hypothesis import example, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from autograder.gradebook import GradingScheme, Version
from autograder.gradebook.extensions import Extension
from autograder.gradebook.final_grade import final_grade
from autograder.gradebook.lateness import Deadline, lateness_of
from autograder.gradebook.policy import ScoredAssignment
from autograder.gradebook.store import Attempt
from autograder.gradebook.student_scores import StudentRecord, scores_of
from autograder.gradebook.weighing import Weighed, best_choice
from autograder.results import (
    AttemptPolicy,
    ExerciseResult,
    Isolation,
    LateRule,
    Policy,
    Status,
    Submitted,
    TimeSource,
)
from autograder.text import Text

START = datetime(2026, 9, 1, 12, tzinfo=UTC)
GRADED_LATER = datetime(2027, 1, 1)
FULL = 10
EQUAL = 1e-9
MANY = settings(max_examples=150, deadline=None, derandomize=True)  # the same ones in every run

hours = st.integers(-24, 24 * 6)  # after the due date
EARLY, LATER = (
    (-30, -2, 1, 23, 26, 50),
    (1, 25, 49, 75),
)  # the first hand-in of an exercise, and how much later the second is
rules = st.builds(
    LateRule,
    grace_minutes=st.sampled_from([None, 30.0, 180.0]),
    penalty=st.sampled_from([None, 0.1, 0.35, 1.0]),
    per=st.sampled_from([None, "day", "day", "hour"]),
    cap=st.sampled_from([None, None, 0.5]),
    cutoff_days=st.sampled_from([None, None, 0.0, 1.0, 3.0]),
)


@dataclasses.dataclass(frozen=True)
class HandIn:
    """One attempt: hours after the due date of the course, and what it earns."""

    late: int
    points: int


@dataclasses.dataclass(frozen=True)
class Case:
    """A course of some assignments with an exercise each, and what one student handed in."""

    policy: Policy
    assignments: tuple[ScoredAssignment, ...]
    hand_ins: tuple[tuple[HandIn, ...], ...]
    extensions: tuple[Extension, ...] = ()

    @property
    def record(self) -> StudentRecord:
        attempts = {
            one.exercises[0]: [attempt(one, number, hand_in) for number, hand_in in enumerate(hand_ins)]
            for one, hand_ins in zip(self.assignments, self.hand_ins, strict=True)
            if hand_ins
        }
        return StudentRecord(attempts, {}, self.extensions)

    @property
    def scheme(self) -> GradingScheme:
        versions = {one.exercises[0]: Version("v", FULL) for one in self.assignments}
        return GradingScheme(versions, self.policy, {}, self.assignments)

    def grade(self, record: StudentRecord | None = None) -> float:
        scores = scores_of(record or self.record, self.scheme)
        share = final_grade("s001", scores, self.scheme).share
        return -1.0 if share is None else share


def attempt(assignment: ScoredAssignment, number: int, hand_in: HandIn) -> Attempt:
    assert assignment.due is not None
    at = assignment.due + timedelta(hours=hand_in.late)
    result = ExerciseResult(
        student="s001",
        exercise=assignment.exercises[0],
        status=Status.GRADED,
        score=float(hand_in.points),
        max_score=FULL,
        isolation=Isolation.FULL,
        key=f"v-{assignment.id}{number}",
        submitted=Submitted(at, TimeSource.FILE),
    )
    return Attempt(result, GRADED_LATER, number)


@st.composite
def cases(draw: st.DrawFn, attempts: AttemptPolicy | None = None) -> Case:
    late = draw(rules)
    policy = Policy(
        attempts=attempts or draw(st.sampled_from(list(AttemptPolicy))),
        max_attempts=draw(st.sampled_from([None, None, 2])),
        late=late,
        late_days=draw(st.integers(0, 3)),
        drop_lowest=draw(st.sampled_from([0, 0, 1])),
    )
    assignments, hand_ins = [], []
    for number in range(draw(st.integers(2, 3))):
        own = draw(rules) if draw(st.integers(0, 3)) == 0 else LateRule()
        assignments.append(
            ScoredAssignment(
                f"week{number}",
                Text(f"Week {number}"),
                (f"unit/topic{number}",),
                START + timedelta(days=draw(st.integers(0, 6))),
                draw(st.sampled_from([1.0, 0.5, 3.0])),
                extra_credit=draw(st.integers(0, 5)) == 0,
                late=own.over(late),
            )
        )
        early, late_by = draw(st.sampled_from(EARLY)), draw(st.sampled_from(LATER))
        times = [early, early + late_by] if draw(st.booleans()) else [early]
        hand_ins.append(tuple(HandIn(time, draw(st.integers(0, FULL))) for time in times))
    case = Case(policy, tuple(assignments), tuple(hand_ins))
    return dataclasses.replace(case, extensions=tuple(draw(st.lists(extensions(case), max_size=2))))


@st.composite
def extensions(draw: st.DrawFn, case: Case) -> Extension:
    one = draw(st.sampled_from(case.assignments))
    assert one.due is not None
    days = draw(st.sampled_from([0.25, 1.0, 2.0, 5.0]))
    if draw(st.booleans()):
        return Extension(assignment=one.id, student="s001", days=days, reason="ill")
    return Extension(assignment=one.id, section="A", until=one.due + timedelta(days=days), reason="ill")


def changed(case: Case, place: int, number: int, other: HandIn) -> Case:
    """The same with another hand-in in the place of one."""
    hand_ins = [list(some) for some in case.hand_ins]
    hand_ins[place][number] = other
    return dataclasses.replace(case, hand_ins=tuple(map(tuple, hand_ins)))


def places(case: Case) -> list[tuple[int, int]]:
    return [(place, n) for place, some in enumerate(case.hand_ins) for n in range(len(some))]


@MANY
@given(rules, hours, st.integers(0, 100), st.integers(0, 5), st.integers(0, 5), st.floats(0, 100))
def test_a_later_submission_never_raises_a_late_score(
    rule: LateRule, late: int, later: int, days: int, more_days: int, points: float
) -> None:
    def left(hours_late: float, late_days: int) -> float:
        submitted = Submitted(START + timedelta(hours=hours_late), TimeSource.FILE)
        return lateness_of(submitted, Deadline(START, rule, late_days=late_days)).applied(points)

    assert left(late + later / 7, days) <= left(late, days) + EQUAL
    assert left(late, days + more_days) >= left(late, days) - EQUAL
    assert 0 <= left(late, days) <= points + EQUAL


def two_weeks(policy: Policy, *hand_ins: tuple[HandIn, ...]) -> Case:
    """Two assignments under one rule."""
    weeks = [
        ScoredAssignment(
            f"week{n}",
            Text(f"Week {n}"),
            (f"unit/topic{n}",),
            START + timedelta(days=7 * n),
            late=policy.late,
        )
        for n in range(2)
    ]
    return Case(policy, tuple(weeks), hand_ins)


# Late days that are spent in the order of due dates break what follows: here the first week would take the only one.
STRICT = Policy(late=LateRule(penalty=1.0, cutoff_days=1.0), late_days=1)
JUST_TOO_LATE = two_weeks(STRICT, (HandIn(30, 1),), (HandIn(20, 10),))
SECOND_TRY = two_weeks(
    replace(STRICT, attempts=AttemptPolicy.BEST), (HandIn(-2, 8), HandIn(20, 8)), (HandIn(20, 10),)
)


@MANY
@example(JUST_TOO_LATE, 0.25)
@given(cases(), st.sampled_from([0.25, 1.0, 2.0, 5.0]))
def test_more_time_never_lowers_a_grade(case: Case, days: float) -> None:
    before = case.grade()
    for one in case.assignments:
        more = Extension(assignment=one.id, student="s001", days=days, reason="ill")
        longer = dataclasses.replace(case, extensions=(*case.extensions, more))
        assert longer.grade() >= before - EQUAL, one.id
    generous = replace(case.policy, late_days=case.policy.late_days + 1)
    assert dataclasses.replace(case, policy=generous).grade() >= before - EQUAL


@MANY
@example(SECOND_TRY, 1, 20)
@given(cases(AttemptPolicy.BEST), st.integers(1, FULL), hours)
def test_under_best_more_points_and_earlier_hand_ins_never_lower_a_grade(
    case: Case, more: int, late: int
) -> None:
    before = case.grade()
    for place, number in places(case):
        one = case.hand_ins[place][number]
        better = changed(case, place, number, HandIn(one.late, min(FULL, one.points + more)))
        assert better.grade() >= before - EQUAL
        # No earlier than the hand-in before it: which of them are within the limit does not change.
        earliest = case.hand_ins[place][number - 1].late if number else -48
        early = changed(case, place, number, HandIn(max(earliest, min(one.late, late)), one.points))
        assert early.grade() >= before - EQUAL
    case = dataclasses.replace(case, policy=replace(case.policy, max_attempts=None))
    for place, some in enumerate(case.hand_ins):
        again = (*case.hand_ins[:place], (*some, HandIn(late, more)), *case.hand_ins[place + 1 :])
        assert dataclasses.replace(case, hand_ins=again).grade() >= case.grade() - EQUAL


@MANY
@given(cases(AttemptPolicy.LATEST), hours)
def test_under_latest_nobody_loses_by_handing_in_what_counts_earlier(case: Case, late: int) -> None:
    """Of each exercise, one hand-in: which of several is the latest is no matter of lateness."""
    case = dataclasses.replace(case, hand_ins=tuple(some[-1:] for some in case.hand_ins))
    for place, number in places(case):
        one = case.hand_ins[place][number]
        early = changed(case, place, number, HandIn(min(one.late, late), one.points))
        assert early.grade() >= case.grade() - EQUAL


@MANY
@given(cases(), st.randoms(use_true_random=False))
def test_the_order_of_events_does_not_matter(case: Case, chance: random.Random) -> None:
    record = case.record
    attempts = {name: chance.sample(list(some), len(some)) for name, some in record.attempts.items()}
    names = chance.sample(list(attempts), len(attempts))
    given = [replace(one, number=number) for number, one in enumerate(case.extensions, 1)]
    shuffled = StudentRecord({name: attempts[name] for name in names}, {}, chance.sample(given, len(given)))
    in_order = StudentRecord(record.attempts, {}, given)
    assert scores_of(shuffled, case.scheme) == scores_of(in_order, case.scheme)
    assert case.grade(shuffled) == case.grade(in_order)


@MANY
@given(cases(), st.data())
def test_the_same_content_again_makes_nothing_late(case: Case, data: st.DataObject) -> None:
    place, _ = data.draw(st.sampled_from(places(case)))
    one, hand_ins = case.assignments[place], case.hand_ins[place]
    record = case.record
    last = record.attempts[one.exercises[0]][-1]
    again = attempt(one, 9, HandIn(hand_ins[-1].late + data.draw(st.integers(0, 400)), hand_ins[-1].points))
    again = replace(again, result=replace(again.result, key=last.result.key))
    with_it = {**record.attempts, one.exercises[0]: [*record.attempts[one.exercises[0]], again]}
    assert abs(case.grade(replace(record, attempts=with_it)) - case.grade()) < EQUAL


@st.composite
def weighed(draw: st.DrawFn) -> Weighed:
    shares = draw(st.lists(st.integers(0, 10), min_size=1, max_size=4).map(sorted))
    weight = draw(st.sampled_from([0.0, 0.5, 1.0, 2.0]))
    return Weighed(weight, tuple(share / 10 for share in shares), draw(st.booleans()))


@MANY
@given(st.lists(weighed(), min_size=1, max_size=4), st.integers(0, 4), st.integers(0, 2))
def test_no_other_choice_gives_a_higher_grade(items: list[Weighed], days: int, drop: int) -> None:
    """Against all of them, one by one."""
    import itertools

    regular = [place for place, one in enumerate(items) if one.weight and not one.extra]
    found = best_choice(items, days, drop)
    if not regular:
        assert found is None
        return
    grades = []
    for spent in itertools.product(*(range(len(one.shares)) for one in items)):
        for gone in itertools.combinations(regular, min(drop, len(regular) - 1)):
            if sum(spent) <= days:
                kept = [place for place in range(len(items)) if place not in gone]
                points = sum(items[place].weight * items[place].shares[spent[place]] for place in kept)
                grades.append(points / sum(items[place].weight for place in kept if place in regular))
    assert found is not None
    assert abs(found.share - max(grades)) < EQUAL
    assert sum(found.late_days) <= days and len(found.dropped) == min(drop, len(regular) - 1)
