"""From what is recorded to a score. Pure functions: changing a policy never runs anybody's code again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from autograder.gradebook.lateness import Deadline, Lateness, lateness_of
from autograder.results import (
    AttemptPolicy,
    ExerciseResult,
    Isolation,
    LateRule,
    Policy,
    Status,
    Submitted,
    TimeSource,
    total,
)
from autograder.text import Text

if TYPE_CHECKING:
    from autograder.gradebook.adjustments import Adjustment
    from autograder.gradebook.attempts import Attempt

RUN = (Status.GRADED, Status.NOT_BEGUN)  # what tests were run on: its points are out of those tests'


class Version(Struct, frozen=True):
    """An exercise as it is graded now. `bundle` is its fingerprint, "" where its solution is not at hand."""

    bundle: str
    max_score: float


class ScoredAssignment(Struct, frozen=True):
    """What is handed in together, and how much of the final grade it makes.

    exercises: full names, in the course's order. worth: what each is worth now. begun: whether anybody in the class has
    anything on it. bonus: exercises whose points count above the maximum. extra_credit: it adds to the final grade and is
    not among what can be had. late: the rule for late work, whole.
    """

    id: str
    title: Text
    exercises: tuple[str, ...]
    due: datetime | None = None
    weight: float = 1.0
    worth: Mapping[str, float] = {}
    begun: bool = True
    bonus: frozenset[str] = frozenset()
    extra_credit: bool = False
    late: LateRule = LateRule()


class Rules(Struct, frozen=True):
    """What course.toml says of scores, apart from its exercises."""

    policy: Policy = Policy()
    assignments: tuple[ScoredAssignment, ...] = ()


class GradingScheme(Struct, frozen=True):
    """What scores follow from beside the record: the course's rules, and its exercises as they are now.

    versions: exercise -> its version, in the course's order. titles: unit -> its title. assignments: in the course's
    order; all of the course's, whatever `versions` is narrowed to.
    """

    versions: Mapping[str, Version] = {}
    policy: Policy = Policy()
    titles: Mapping[str, Text] = {}
    assignments: tuple[ScoredAssignment, ...] = ()

    @property
    def rules(self) -> Rules:
        """What of it holds for every exercise: a regrade is told what other rules held before."""
        return Rules(self.policy, tuple(replace(one, worth={}, begun=True) for one in self.assignments))

    def under(self, rules: Rules) -> GradingScheme:
        """The same exercises under other rules. What they are worth, and which are begun, is no rule."""
        worth = {name: points for one in self.assignments for name, points in one.worth.items()}
        begun = {one.id: one.begun for one in self.assignments}
        assignments = tuple(
            replace(
                one,
                worth={name: worth[name] for name in one.exercises if name in worth},
                begun=begun.get(one.id, False),
            )
            for one in rules.assignments
        )
        return replace(self, policy=rules.policy, assignments=assignments)

    def of_unit(self, unit: str | None) -> GradingScheme:
        """The same for one unit's exercises, or for all."""
        chosen = {name: version for name, version in self.versions.items() if unit in (None, unit_of(name))}
        return replace(self, versions=chosen)

    @property
    def weighs(self) -> bool:
        """Whether the final grade follows from more than the sum of all points: something is said of it."""
        plain = replace(self.policy, attempts=AttemptPolicy.LATEST, timezone="UTC", max_attempts=None)
        return bool(self.assignments) and (
            plain != Policy()
            or any(
                one.weight != 1.0 or one.extra_credit or one.bonus or one.late != LateRule()
                for one in self.assignments
            )
        )

    def without_lateness(self) -> GradingScheme:
        """The same without due dates: for a platform that keeps its own."""
        return replace(self, assignments=tuple(replace(one, due=None) for one in self.assignments))

    def due_with(self) -> dict[str, ScoredAssignment]:
        """Exercise -> the assignment with whose due date it is due: the first that has one and lists it."""
        found: dict[str, ScoredAssignment] = {}
        for assignment in self.assignments:
            for name in assignment.exercises if assignment.due else ():
                found.setdefault(name, assignment)
        return found


def unit_of(exercise: str) -> str:
    """The unit of `UNIT/TOPIC`."""
    return exercise.partition("/")[0]


class Score(Struct, frozen=True):
    """One student's standing on one exercise. `score` is None while it is unknown (only ungraded attempts).

    score: after what lateness takes, with what people added.
    max_score: what the attempt that counts was graded on; where no test was run, what the exercise is worth now.
    attempt: the one that counts; None where points were given by hand alone.
    stale: the attempt that counts was graded with another version of the exercise than the current one.
    left_out: under the policy `best`, attempts that earned a larger share, of another version than the one that counts.
    lateness: how late the attempt that counts is; None where nothing is due, or no attempt counts.
    of: how many attempts there are; beyond: how many of them are beyond the limit; unheard: how many came too late.
    """

    score: float | None
    max_score: float
    adjusted: float
    attempt: Attempt | None
    stale: bool = False
    left_out: tuple[Attempt, ...] = ()
    lateness: Lateness | None = None
    of: int = 0
    beyond: int = 0
    unheard: int = 0

    @property
    def result(self) -> ExerciseResult | None:
        """The result that counts, in brief."""
        return self.attempt.result if self.attempt else None

    @property
    def submitted(self) -> Submitted | None:
        """When the attempt that counts was handed in, and who says so."""
        if self.lateness is not None:
            return self.lateness.submitted
        return submitted_of(self.attempt) if self.attempt else None

    @property
    def status(self) -> Status:
        return self.attempt.result.status if self.attempt else Status.MISSING

    @property
    def isolation(self) -> Isolation:
        return self.attempt.result.isolation if self.attempt else Isolation.NONE

    @property
    def outdated(self) -> bool:
        """Whether grading again what was handed in may change it."""
        return self.stale or bool(self.left_out)


class _Standing(NamedTuple):
    """An attempt, how late it is, and what is left of its points."""

    attempt: Attempt
    lateness: Lateness | None
    points: float


def score_of(
    attempts: Sequence[Attempt],
    adjustments: Sequence[Adjustment],
    policy: Policy,
    version: Version | None = None,
    deadline: Deadline | None = None,
) -> Score | None:
    """The score that these attempts and adjustments on one exercise give, in any order; None where there is nothing.

    An attempt that stayed ungraded counts only while there is no graded one: a fault of ours takes nothing away.
    What lateness takes is taken from each attempt before they are compared; what came after the hard stop counts only
    where there is nothing else, and then nothing. Under `latest`, an attempt that is in time thanks to an extension alone
    does not replace a better one.
    Attempts are compared only where they were graded with the same version of the exercise: the current one, or where
    none was, or it is not known, the one of the latest attempt. Adjustments are not reduced by lateness. A score is never
    below zero; adjustments may lift it above the maximum.
    """
    adjusted = total(adjustment.points for adjustment in adjustments)
    worth = version.max_score if version else 0.0
    if not attempts:
        return Score(max(0.0, adjusted), worth, adjusted, None) if adjusted else None
    attempts = sorted(attempts, key=_when)
    graded = [attempt for attempt in attempts if attempt.result.status is not Status.UNGRADED]
    if not graded:
        return Score(None, worth or attempts[-1].result.max_score, adjusted, attempts[-1], of=len(attempts))
    within = _within_limit(graded, policy.max_attempts)
    standings = _standings(within, deadline)
    counting = [s for s in standings if not (s.lateness and s.lateness.too_late)] or standings[-1:]
    left_out: tuple[Attempt, ...] = ()
    if policy.attempts is AttemptPolicy.BEST:
        compared = _of_one_version(counting, version)
        chosen = max(compared, key=lambda standing: standing.points)
        known = {standing.attempt.result.content for standing in compared}
        left_out = tuple(
            s.attempt
            for s in counting
            if s.attempt.result.content not in known and _share(s) > _share(chosen)
        )
    else:
        chosen = _latest(counting)
    result = chosen.attempt.result
    return Score(
        score=max(0.0, total((chosen.points, adjusted))),
        max_score=result.max_score if result.status in RUN or not worth else worth,
        adjusted=adjusted,
        attempt=chosen.attempt,
        stale=bool(version and version.bundle and result.key and result.bundle != version.bundle),
        left_out=left_out,
        lateness=chosen.lateness,
        of=len({attempt.result.content or attempt.result_id for attempt in graded}),
        beyond=len(graded) - len(within),
        unheard=sum(bool(s.lateness and s.lateness.too_late) for s in standings),
    )


def submitted_of(attempt: Attempt) -> Submitted:
    """When an attempt was handed in: never after it was recorded, which is all that is known where nobody says."""
    recorded = attempt.recorded_at.replace(tzinfo=UTC)
    told = attempt.result.submitted
    return told if told is not None and told.at <= recorded else Submitted(recorded, TimeSource.RECORDED)


def _when(attempt: Attempt) -> tuple[datetime, datetime, int]:
    return submitted_of(attempt).at, attempt.recorded_at, attempt.result_id


def first_handed_in(attempts: Iterable[Attempt]) -> dict[str, Submitted]:
    """Content -> when it was handed in for the first time. What an instructor says of that holds against all others."""
    found: dict[str, Submitted] = {}
    for attempt in attempts:
        said = submitted_of(attempt)
        content = attempt.result.content
        if content:
            found[content] = min(found.get(content, said), said, key=_trust)
    return found


def _trust(said: Submitted) -> tuple[int, datetime]:
    rank = {TimeSource.GIVEN: 0, TimeSource.RECORDED: 2}
    return rank.get(said.source, 1), said.at


def _within_limit(graded: Sequence[Attempt], most: int | None) -> list[Attempt]:
    """The attempts until so many different contents were graded. What is not begun or can't be read is no attempt."""
    within: list[Attempt] = []
    contents: set[str] = set()
    for attempt in graded:
        content = attempt.result.content
        if most is not None and len(contents) >= most and content not in contents:
            continue
        within.append(attempt)
        if attempt.result.status is Status.GRADED:
            contents.add(content)
    return within


def _standings(attempts: Sequence[Attempt], deadline: Deadline | None) -> list[_Standing]:
    if deadline is None:
        return [_Standing(attempt, None, points_of(attempt)) for attempt in attempts]
    first = first_handed_in(attempts)
    found = []
    for attempt in attempts:
        late = lateness_of(first.get(attempt.result.content) or submitted_of(attempt), deadline)
        found.append(_Standing(attempt, late, late.applied(points_of(attempt))))
    return found


def _latest(counting: Sequence[_Standing]) -> _Standing:
    """The last one; where an extension has moved the hard stop, the best of those after it and the last before it."""
    before = [standing for standing in counting if not _by_extension(standing)]
    candidates = [*before[-1:], *(standing for standing in counting if _by_extension(standing))]
    return max(enumerate(candidates), key=lambda pair: (_share(pair[1]), pair[0]))[1]


def _by_extension(standing: _Standing) -> bool:
    """Whether it would have come after the hard stop, were it not for an extension."""
    late = standing.lateness
    if late is None or late.deadline.extended is None:
        return False
    return lateness_of(late.submitted, replace(late.deadline, extended=None)).too_late


def _of_one_version(standings: Sequence[_Standing], version: Version | None) -> list[_Standing]:
    """Those of the current version, else of the latest; and what no test was run on, which is worth the same in each."""
    bundles = [s.attempt.result.bundle for s in standings if s.attempt.result.key]
    current = version.bundle if version else ""
    bundle = current if current in bundles or not bundles else bundles[-1]
    return [s for s in standings if not s.attempt.result.key or s.attempt.result.bundle == bundle]


def _share(standing: _Standing) -> float:
    most = standing.attempt.result.max_score
    return standing.points / most if most else 0.0


def points_of(attempt: Attempt) -> float:
    """What an attempt earned: its tests' points, or what a regrade has left it."""
    return max(attempt.result.score or 0.0, total((attempt.kept * attempt.result.max_score,)))


def share_of(attempt: Attempt) -> float:
    """The part of what its exercise is worth that an attempt earned, before what lateness takes."""
    most = attempt.result.max_score
    return points_of(attempt) / most if most else 0.0
