"""What the TOML file beside a solution holds, and the part of it that students receive."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct, field

from autograder.results import Limits, total
from autograder.text import Text

Name = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]*$")]
Filled = Annotated[str, Meta(min_length=1)]


class BothLanguages(Struct, frozen=True, forbid_unknown_fields=True):
    """A text that an author must give in English and in Chinese."""

    en: Filled
    zh: Filled

    @property
    def text(self) -> Text:
        return Text(en=self.en, zh=self.zh)


class Hint(BothLanguages, frozen=True, forbid_unknown_fields=True):
    """One step of help on one question, shown by `autograder learn` when it is asked for."""

    question: Filled


class Misconception(Struct, frozen=True, forbid_unknown_fields=True):
    """A mistake students make, as an exact edit of the reference, with the hint that names it."""

    name: Name
    replace: Filled
    with_: str = field(name="with")
    caught: Filled  # the hidden test that must lose points
    hint: BothLanguages

    def apply(self, solution: str) -> str:
        """The reference with this mistake in it. ValueError unless the edit matches exactly once."""
        matches = solution.count(self.replace)
        if matches != 1:
            raise ValueError(
                f"misconception {self.name!r}: its `replace` text occurs {matches} times in the solution; "
                "it must occur exactly once"
            )
        return solution.replace(self.replace, self.with_)


class BasicSpec(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What both files of an exercise hold."""

    title: BothLanguages
    minutes: Annotated[int, Meta(ge=1)]
    difficulty: Annotated[int, Meta(ge=1, le=5)]
    limits: Limits = Limits()
    forbidden: tuple[str, ...] = ()
    hint: tuple[Hint, ...] = ()


class QuestionPoints(Struct, frozen=True, forbid_unknown_fields=True):
    """What the tests of one question are worth."""

    question: str
    public: float
    hidden: float


class PristineDigests(Struct, frozen=True, forbid_unknown_fields=True):
    """By which the forms of an exercise are known that hold nobody's work; see `autograder.course.digests`.

    file: of the skeleton's text. script: of its code. cells: of the code of each of its cells.
    """

    file: str = ""
    script: str = ""
    cells: tuple[str, ...] = ()


class PublicSpec(BasicSpec, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`exercises/U/T.toml`, written by `build`: everything about an exercise that a student may know."""

    points: tuple[QuestionPoints, ...] = ()  # in the skeleton's order
    pristine: PristineDigests = PristineDigests()

    @property
    def questions(self) -> tuple[str, ...]:
        return tuple(share.question for share in self.points)

    @property
    def max_score(self) -> float:
        return total(points for share in self.points for points in (share.public, share.hidden))


class ExerciseSpec(BasicSpec, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`solutions/U/T.toml`: the part that is public, the oracle and the misconceptions."""

    oracle: Filled
    misconception: tuple[Misconception, ...] = ()
