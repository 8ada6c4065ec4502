"""From what is recorded to a score. Pure functions: changing a policy never runs anybody's code again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from autograder.results import AttemptPolicy, ExerciseResult, Isolation, Policy, Status, total
from autograder.text import Text

if TYPE_CHECKING:
    from autograder.gradebook.adjustments import Adjustment
    from autograder.gradebook.store import Attempt

RUN = (Status.GRADED, Status.NOT_BEGUN)  # what tests were run on: its points are out of those tests'


class Version(Struct, frozen=True):
    """An exercise as it is graded now. `bundle` is its fingerprint, "" where its solution is not at hand."""

    bundle: str
    max_score: float


class ScoredAssignment(Struct, frozen=True):
    """What is handed in together, and how much of the final grade it makes. `exercises` are full names, in the course's order."""

    id: str
    title: Text
    exercises: tuple[str, ...]
    due: datetime | None = None
    weight: float = 1.0


class GradingScheme(Struct, frozen=True):
    """What scores follow from beside the record: the course's rules, and its exercises as they are now.

    versions: exercise -> its version, in the course's order. titles: unit -> its title. assignments: in the course's
    order; all of the course's, whatever `versions` is narrowed to.
    """

    versions: Mapping[str, Version] = {}
    policy: Policy = Policy()
    titles: Mapping[str, Text] = {}
    assignments: tuple[ScoredAssignment, ...] = ()

    def of_unit(self, unit: str | None) -> GradingScheme:
        """The same for one unit's exercises, or for all."""
        chosen = {name: version for name, version in self.versions.items() if unit in (None, unit_of(name))}
        return replace(self, versions=chosen)


def unit_of(exercise: str) -> str:
    """The unit of `UNIT/TOPIC`."""
    return exercise.partition("/")[0]


class Score(Struct, frozen=True):
    """One student's standing on one exercise. `score` is None while it is unknown (only ungraded attempts).

    max_score: what the attempt that counts was graded on; where no test was run, what the exercise is worth now.
    attempt: the one that counts; None where points were given by hand alone.
    stale: the attempt that counts was graded with another version of the exercise than the current one.
    left_out: under the policy `best`, attempts that earned a larger share, of another version than the one that counts.
    """

    score: float | None
    max_score: float
    adjusted: float
    attempt: Attempt | None
    stale: bool = False
    left_out: tuple[Attempt, ...] = ()

    @property
    def result(self) -> ExerciseResult | None:
        """The result that counts, in brief."""
        return self.attempt.result if self.attempt else None

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


def score_of(
    attempts: Sequence[Attempt],
    adjustments: Sequence[Adjustment],
    policy: Policy,
    version: Version | None = None,
) -> Score | None:
    """The score that these attempts (oldest first) and adjustments on one exercise give; None where there is nothing.

    An attempt that stayed ungraded counts only while there is no graded one: a fault of ours takes nothing away.
    Attempts are compared only where they were graded with the same version of the exercise: the current one, or where
    none was, or it is not known, the one of the latest attempt. A score is never below zero; adjustments may lift it
    above the maximum.
    """
    adjusted = total(adjustment.points for adjustment in adjustments)
    worth = version.max_score if version else 0.0
    if not attempts:
        return Score(max(0.0, adjusted), worth, adjusted, None) if adjusted else None
    graded = [attempt for attempt in attempts if attempt.result.status is not Status.UNGRADED]
    if not graded:
        return Score(None, worth or attempts[-1].result.max_score, adjusted, attempts[-1])
    left_out: tuple[Attempt, ...] = ()
    chosen = graded[-1]
    if policy.attempts is AttemptPolicy.BEST:
        compared = _of_one_version(graded, version)
        chosen = max(compared, key=lambda attempt: attempt.result.score or 0.0)
        known = {attempt.result.content for attempt in compared}
        left_out = tuple(
            a for a in graded if a.result.content not in known and _share(a.result) > _share(chosen.result)
        )
    result = chosen.result
    return Score(
        score=max(0.0, total((result.score or 0.0, adjusted))),
        max_score=result.max_score if result.status in RUN or not worth else worth,
        adjusted=adjusted,
        attempt=chosen,
        stale=bool(version and version.bundle and result.key and result.bundle != version.bundle),
        left_out=left_out,
    )


def _of_one_version(graded: Sequence[Attempt], version: Version | None) -> list[Attempt]:
    """Those of the current version, else of the latest; and what no test was run on, which is worth the same in each."""
    bundles = [attempt.result.bundle for attempt in graded if attempt.result.key]
    current = version.bundle if version else ""
    bundle = current if current in bundles or not bundles else bundles[-1]
    return [attempt for attempt in graded if not attempt.result.key or attempt.result.bundle == bundle]


def _share(result: ExerciseResult) -> float:
    return (result.score or 0.0) / result.max_score if result.max_score else 0.0
