"""Whose score a regrade moves, from what to what, and why. Pure functions over what is recorded and what was found."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from autograder.feedback.labels import label
from autograder.gradebook.attempts import Attempt
from autograder.gradebook.final_grade import final_grades
from autograder.gradebook.policy import GradingScheme, Score, share_of
from autograder.gradebook.regrades import Regraded
from autograder.gradebook.scores import Scores, exercises_read, extensions_of, scores_from
from autograder.gradebook.store import Gradebook
from autograder.results import ExerciseResult, Outcome, TestResult, by_function, total
from autograder.text import Text, joined, number, shortened

Place = tuple[str, str]  # (student, exercise)
LEAST = 1e-6  # of a share or of points: less is the dust of binary fractions
TOGETHER = 250  # pairs of results compared at once: their tests are in memory
NAMES_SHOWN = 4  # tests of a kind
NOW_PASS, NOW_FAIL = (
    Text("passes now: {names}", "现在通过：{names}"),
    Text("fails now: {names}", "现在不通过：{names}"),
)
PARTLY = Text("partly otherwise: {names}", "部分结果不同：{names}")
WEIGHS = Text("weighs otherwise: {names}", "分值不同：{names}")
ADDED, GONE = Text("new: {names}", "新增：{names}"), Text("no longer there: {names}", "已不存在：{names}")
OTHER_ATTEMPT = Text(
    "another attempt counts: {path} in place of {old}", "计入的提交变了：由 {old} 变为 {path}"
)
OLD_VERSION = Text(
    "{old} earned more with an older version of the exercise, and is not at hand to be graded again",
    "{old} 用练习的旧版本得分更高，但它不在所给的提交中，无法重新评分",
)
KEEPS = Text("lower, but keeps what it had", "变低，但保留原有得分")
FIRST_GRADE = Text("could not be graded before", "之前未能评分")
ALL_IN_ALL = Text("its status was {old}, and is {new}", "状态由 {old} 变为 {new}")
RULES = Text("the course's rules", "课程规则")


class Direction(StrEnum):
    """Which way a score moves, as a share of what it is out of."""

    UP = "up"
    DOWN = "down"
    SAME = "same share of another maximum"


class Move(Struct, frozen=True):
    """One student's score on one exercise, before and after. `before` is None while it was unknown."""

    student: str
    exercise: str
    before: float | None
    before_max: float
    after: float
    after_max: float
    why: Text = Text()

    @property
    def direction(self) -> Direction:
        old = (self.before or 0.0) / self.before_max if self.before_max else 0.0
        new = self.after / self.after_max if self.after_max else 0.0
        if self.before is None or new > old + LEAST:
            return Direction.UP
        return Direction.DOWN if new < old - LEAST else Direction.SAME


class FinalMove(Struct, frozen=True):
    """One student's grade for the course, as a share, before and after."""

    student: str
    before: float | None
    after: float | None


class Outlook(Struct, frozen=True):
    """What a regrade comes to. `found` and `kept` are what applying it records.

    other_feedback: hand-ins whose tests say something else, and whose score stays. left: whose score stays that of an
    older version, because the work is not among what was found.
    """

    moves: tuple[Move, ...]
    final_moves: tuple[FinalMove, ...]
    found: tuple[Regraded, ...]
    kept: Mapping[int, float]
    other_feedback: int = 0
    left: tuple[Place, ...] = ()


def outlook(
    book: Gradebook,
    scheme: GradingScheme,
    before: GradingScheme,
    found: Sequence[Regraded],
    results: Mapping[int, ExerciseResult],
    never_lower: bool,
) -> Outlook:
    """Compare the scores as they are recorded under the scheme `before` with those that follow from what was found.

    Args:
        found: results of what was handed in, those that are recorded already left out.
        results: the number of each of these results -> the result in brief.
        never_lower: what was handed in keeps the share of the points that it had.
    """
    exercises = list(scheme.versions)
    read = None if any(exercises_read(one, exercises) is None for one in (before, scheme)) else exercises
    attempts, adjustments = book.attempts(exercises=read), book.adjustments(exercises=read)
    extensions = extensions_of(book, scheme)
    under_old, shown = (
        scores_from(attempts, adjustments, extensions, rules, exercises) for rules in (before, scheme)
    )
    later = with_regraded(attempts, found, results)
    new = scores_from(later, adjustments, extensions, scheme, exercises)
    kept: dict[int, float] = {}
    if never_lower:
        for place, score in new.items():
            lost = [_lost(old.get(place), score) for old in (under_old, shown)]
            if score.attempt is not None and any(lost):
                kept[score.attempt.handed_in] = max(lost)
        later = {
            place: [replace(a, kept=max(a.kept, kept.get(a.handed_in, 0.0))) for a in history]
            for place, history in later.items()
        }
        new = scores_from(later, adjustments, extensions, scheme, exercises)
    # Where the old rules gave what comes out now, what the new ones have shown in between may still be another score.
    old = {
        place: score if place not in new or _differs(score, new[place]) else shown[place]
        for place, score in under_old.items()
    }
    moved = [
        place for place, score in new.items() if score.score is not None and _differs(old.get(place), score)
    ]
    regraded = {(one.student, one.exercise) for one in found}
    compared = {place: (old.get(place), new[place]) for place in (*moved, *(regraded - set(moved)))}
    why, other = _reasons(book, compared, kept, set(moved))
    order = {name: n for n, name in enumerate(exercises)}
    moves = [_move(place, old.get(place), new[place], why.get(place, Text())) for place in moved]
    moves.sort(key=lambda move: (order[move.exercise], move.student))
    finals = _final_moves(book, old, new, scheme, before)
    left = tuple(place for place, score in new.items() if score.outdated)
    return Outlook(tuple(moves), tuple(finals), tuple(found), kept, other, left)


def with_regraded(
    attempts: Mapping[Place, Sequence[Attempt]],
    found: Iterable[Regraded],
    results: Mapping[int, ExerciseResult],
) -> dict[Place, list[Attempt]]:
    """The attempts as they would be with these results, each in the place of the attempt that it stands for."""
    later = {place: list(history) for place, history in attempts.items()}
    for one in found:
        history = later[one.student, one.exercise]
        at = next(n for n, attempt in enumerate(history) if attempt.handed_in == one.stands_for)
        submitted = history[at].result.submitted
        result = replace(results[one.result_id], student=one.student, path=one.path, submitted=submitted)
        history[at] = replace(history[at], result=result, result_id=one.result_id)
    return later


def _lost(old: Score | None, new: Score) -> float:
    """The share of the points that the attempt that counted had, where the one that would count has less; else 0."""
    if old is None or old.score is None or old.attempt is None or new.attempt is None:
        return 0.0
    share = share_of(old.attempt)
    return share if share_of(new.attempt) < share - LEAST else 0.0


def _differs(old: Score | None, new: Score) -> bool:
    """Whether points, or what they are out of, moved. What was worth 3 and is worth 4 now moves, too."""
    if old is None or old.score is None or new.score is None:
        return True
    return abs(old.score - new.score) > LEAST or abs(old.max_score - new.max_score) > LEAST


def _move(place: Place, old: Score | None, new: Score, why: Text) -> Move:
    before, most = (old.score, old.max_score) if old else (None, new.max_score)
    return Move(*place, before, most, new.score or 0.0, new.max_score, why)


def _final_moves(
    book: Gradebook, old: Scores, new: Scores, scheme: GradingScheme, before: GradingScheme
) -> Iterator[FinalMove]:
    """Whose grade for the course moves: of scores on the exercises at hand."""
    if not (scheme.assignments or before.assignments):
        return
    students = book.students()
    was, now = final_grades(old, before, students), final_grades(new, scheme, students)
    for student in students:
        one, other = was[student].share, now[student].share
        if (one is None) != (other is None) or abs((one or 0.0) - (other or 0.0)) > LEAST:
            yield FinalMove(student, one, other)


def _reasons(
    book: Gradebook,
    compared: Mapping[Place, tuple[Score | None, Score]],
    kept: Mapping[int, float],
    moved: set[Place],
) -> tuple[dict[Place, Text], int]:
    """Why each score moves, and of how many that stay the tests say something else."""
    why: dict[Place, Text] = {}
    other = 0
    places = list(compared)
    for start in range(0, len(places), TOGETHER):
        part = places[start : start + TOGETHER]
        wanted = [
            s.attempt for place in part for s in compared[place] if s is not None and s.attempt is not None
        ]
        full = dict(zip((a.result_id for a in wanted), book.in_full(wanted), strict=True))
        for place in part:
            old, new = compared[place]
            was = full.get(old.attempt.result_id) if old and old.attempt else None
            now = full.get(new.attempt.result_id) if new.attempt else None
            if place in moved:
                why[place] = _why(old, new, was, now, kept)
            elif was is not None and now is not None:
                other += was.tests != now.tests
    return why, other


def _why(
    old: Score | None,
    new: Score,
    was: ExerciseResult | None,
    now: ExerciseResult | None,
    kept: Mapping[int, float],
) -> Text:
    """What moved one score."""
    if old is None or old.attempt is None or new.attempt is None or was is None or now is None:
        return RULES
    keeps = KEEPS if new.attempt.handed_in in kept else Text()
    if old.score is None:
        return FIRST_GRADE
    if old.attempt.handed_in != new.attempt.handed_in:
        names = {"old": shortened(old.attempt.result.path), "path": shortened(new.attempt.result.path)}
        left = any(one.handed_in == old.attempt.handed_in for one in new.left_out)
        return joined((OLD_VERSION if left else OTHER_ATTEMPT).format(**names), keeps)
    if was.status is not now.status and not (was.tests and now.tests):
        return joined(ALL_IN_ALL.format(old=label(was.status), new=label(now.status)), keeps)
    told = what_differs(was, now)
    return joined(*told, keeps) if told or keeps.en else RULES


def what_differs(was: ExerciseResult, now: ExerciseResult) -> list[Text]:
    """Which tests of two results of the same work pass, fail or weigh otherwise."""
    old, new = by_function(was.tests), by_function(now.tests)
    kinds: dict[Text, list[str]] = {NOW_PASS: [], NOW_FAIL: [], PARTLY: [], WEIGHS: [], ADDED: [], GONE: []}
    for name, tests in new.items():
        if name not in old:
            kinds[ADDED].append(name)
            continue
        before = old[name]
        passed, passes = _passing(before), _passing(tests)
        if passes != passed:
            kind = NOW_PASS if passes == 1 else NOW_FAIL if passed == 1 else PARTLY
            kinds[kind].append(name)
        worth, weighs = (total(test.max_score for test in some) for some in (before, tests))
        if worth != weighs:
            kinds[WEIGHS].append(f"{name} ({number(worth)} -> {number(weighs)})")
    kinds[GONE] = [name for name in old if name not in new]
    return [kind.format(names=_some(names)) for kind, names in kinds.items() if names]


def _passing(tests: Sequence[TestResult]) -> float:
    return sum(test.outcome is Outcome.PASSED for test in tests) / len(tests)


def _some(names: Sequence[str]) -> str:
    more = f" +{len(names) - NAMES_SHOWN}" if len(names) > NAMES_SHOWN else ""
    return ", ".join(names[:NAMES_SHOWN]) + more
