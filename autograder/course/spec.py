"""What the TOML file beside a solution holds, and the part of it that students receive."""

from __future__ import annotations

from collections.abc import Collection
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from autograder.course.toml import CourseError
from autograder.guest.forbidden_groups import expanded
from autograder.results import Limits, total
from autograder.text import Text

Name = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]*$")]
Filled = Annotated[str, Meta(min_length=1)]
Kind = Literal["exercise", "quiz", "capstone"]
DerivedKind = Literal["tests", "debug"]  # which no author writes: see `autograder.course.derived`
Tier = Literal["core", "standard", "short"]


class BothLanguages(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A text in English and in Chinese; only a course that says so (`languages = ["en"]`) may leave one out."""

    en: Filled
    zh: Filled = ""

    @property
    def text(self) -> Text:
        return Text(en=self.en, zh=self.zh)


class Hint(BothLanguages, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One step of help on one question, shown by `autograder learn` when it is asked for."""

    question: Filled


class Edit(Struct, frozen=True, forbid_unknown_fields=True):
    """One exact edit of the reference."""

    replace: Filled
    with_: str = field(name="with")


class Misconception(Struct, frozen=True, forbid_unknown_fields=True):
    """A mistake students make, as one exact edit of the reference or several, with the hint that names it."""

    name: Name
    caught: Filled  # the hidden test that must lose points
    hint: BothLanguages
    replace: str | None = None
    with_: str | None = field(name="with", default=None)
    edits: tuple[Edit, ...] = ()

    def __post_init__(self) -> None:
        one = self.replace is not None and self.with_ is not None
        if one == bool(self.edits) or (self.replace is None) != (self.with_ is None) or self.replace == "":
            raise ValueError(f"{self.name!r} takes `replace` and `with`, or `edits` that each have both")

    @property
    def changes(self) -> tuple[Edit, ...]:
        """The edits, however they are written."""
        return self.edits or (Edit(self.replace or "", self.with_ or ""),)

    def apply(self, solution: str) -> str:
        """The reference with this mistake in it. ValueError unless each edit matches exactly once."""
        changed = solution
        for edit in self.changes:
            matches = solution.count(edit.replace)
            if matches != 1 or edit.replace not in changed:
                raise ValueError(
                    f"misconception {self.name!r}: its `replace` text {edit.replace!r} occurs {matches} times in the "
                    "solution; it must occur exactly once, and no two edits may overlap"
                )
            changed = changed.replace(edit.replace, edit.with_)
        return changed


class Because(StrEnum):
    """Why a mutant that passes every test is no gap in the tests."""

    SAME_VALUE = (
        "same_value"  # it computes the same in another way, for every input that the statement allows
    )
    UNREACHABLE = "unreachable"  # only inputs that the statement excludes would show a difference
    PERFORMANCE = "performance"  # it does the same with more or less work, which the statement leaves open
    MESSAGE = "message"  # only the words of an error differ
    TOLERANCE = "tolerance"  # the values differ by less than the rounding that the statement allows


class Equivalent(Struct, frozen=True, forbid_unknown_fields=True):
    """A mutant of the reference that no test has to catch (`autograder audit --mutants`).

    line, to: the source line and the mutated line, both stripped, as the audit prints them; for several lines, joined
    by spaces. The entry holds for every mutant that reads so.
    """

    line: Filled
    to: Filled
    because: Because


class BasicSpec(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What both files of an exercise hold."""

    title: BothLanguages
    minutes: Annotated[int, Meta(ge=1)]
    difficulty: Annotated[int, Meta(ge=1, le=5)]
    kind: Kind = "exercise"
    tier: Tier = "standard"  # how large it is
    requires: tuple[str, ...] = ()  # ids of the exercises that come before it
    parts: tuple[
        str, ...
    ] = ()  # ids of the exercises whose answers a capstone's functions take as an argument
    limits: Limits = Limits()
    forbidden: tuple[str, ...] = ()  # dotted names, and groups of them
    hint: tuple[Hint, ...] = ()

    def __post_init__(self) -> None:
        try:
            expanded(self.forbidden)
        except LookupError as error:
            raise ValueError(str(error)) from None
        if bool(self.parts) != (self.kind == "capstone"):
            raise ValueError('`parts` belongs to kind = "capstone", which names at least one exercise there')

    @property
    def forbidden_calls(self) -> tuple[str, ...]:
        """Every dotted name that the student's functions may not call."""
        return expanded(self.forbidden)


def require_languages(path: Path, value: object, languages: Collection[str], place: str = "") -> None:
    """CourseError naming the first text in a file's content that lacks a language of the course."""
    if isinstance(value, BothLanguages):
        missing = next((lang for lang in languages if not getattr(value, lang)), None)
        if missing:
            raise CourseError(
                f"{path}: Object missing required field `{missing}` (at {place}); correct that key",
                f"{path}：缺少必填字段 `{missing}`（位置：{place}）；请改正这个键",
            )
    elif isinstance(value, Struct):
        for name in value.__struct_fields__:
            require_languages(path, getattr(value, name), languages, f"{place}.{name}".lstrip("."))
    elif isinstance(value, tuple):
        for number, item in enumerate(value):
            require_languages(path, item, languages, f"{place}[{number}]")


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
    equivalent: tuple[Equivalent, ...] = ()
