"""One exercise: its name, the places of its files, and what stands in them.

An exercise `UNIT/TOPIC` has the same name in every tree of the course; nothing but that name links its files.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from msgspec import Struct

from autograder.course.quiz import Quiz, read_quiz
from autograder.course.spec import BasicSpec, DerivedKind, ExerciseSpec, Kind, PublicSpec, require_languages
from autograder.course.toml import CourseError, read_toml


class _KindOnly(Struct, frozen=True):
    kind: Kind = "exercise"


@dataclass(frozen=True)
class Exercise:
    """One exercise and the places of its files. Only what a student has is sure to exist."""

    root: Path
    unit: str
    topic: str
    languages: tuple[str, ...] = field(default=("en", "zh"), kw_only=True)  # that each text is written in

    @property
    def id(self) -> str:
        return f"{self.unit}/{self.topic}"

    @property
    def skeleton(self) -> Path:
        return self.root / "exercises" / self.unit / f"{self.topic}.py"

    @property
    def public_spec_file(self) -> Path:
        return self.skeleton.with_suffix(".toml")

    @property
    def mistakes_file(self) -> Path:
        """What known mistakes answer to the public tests. A quiz has none."""
        return self.skeleton.with_suffix(".mistakes.json")

    @property
    def weights_file(self) -> Path:
        """Weights that a capstone starts from, where it ships any."""
        return self.skeleton.with_suffix(".weights.npz")

    @property
    def weights(self) -> bytes:
        """What that file holds; nothing where there is none."""
        return self.weights_file.read_bytes() if self.weights_file.is_file() else b""

    @property
    def public_tests(self) -> Path:
        return self.skeleton.with_name(f"test_{self.topic}.py")

    @property
    def own_tests(self) -> Path:
        """Tests that a learner writes."""
        return self.skeleton.with_name(f"own_test_{self.topic}.py")

    @property
    def debugged(self) -> Path:
        """A program with a mistake in it, for a learner to find."""
        return self.skeleton.with_name(f"debug_{self.topic}.py")

    @property
    def solution(self) -> Path:
        return self.root / "solutions" / self.unit / f"{self.topic}.py"

    @property
    def spec_file(self) -> Path:
        return self.solution.with_suffix(".toml")

    @property
    def hidden_tests(self) -> Path:
        return self.solution.with_name(f"test_{self.topic}.py")

    @property
    def oracle_tests(self) -> Path:
        return self.root / "tests" / "oracles" / self.unit / f"test_{self.topic}.py"

    @property
    def parts(self) -> list[Exercise]:
        """For a capstone: the exercises whose answers it takes as an argument."""
        return [Exercise(self.root, *name.split("/"), languages=self.languages) for name in self.basics.parts]

    @property
    def accepted(self) -> list[Path]:
        """Other correct solutions, in other styles."""
        return sorted((self.root / "tests" / "accepted" / self.unit / self.topic).glob("*.py"))

    def lesson(self, lang: str) -> Path:
        """The page that teaches it: for a quiz, its unit's overview."""
        name = "overview" if self.kind == "quiz" else self.topic
        return self.root / "course" / self.unit / (f"{name}.zh.md" if lang == "zh" else f"{name}.md")

    @cached_property
    def kind(self) -> Kind | DerivedKind:
        """What its author's file says, or where that isn't at hand its public one; "exercise" before there is any."""
        path = next((path for path in (self.spec_file, self.public_spec_file) if path.is_file()), None)
        return read_toml(path, _KindOnly).kind if path else "exercise"

    @cached_property
    def quiz(self) -> Quiz:
        """The questions of a quiz. CourseError where there are none, or its file is not at hand."""
        quiz = read_quiz(self.spec_file)
        for question in quiz.questions:
            require_languages(self.spec_file, question, self.languages, f"question {question.name!r}")
        return quiz

    @cached_property
    def public(self) -> PublicSpec:
        """What students may know of it."""
        public = read_toml(self.public_spec_file, PublicSpec)
        require_languages(self.public_spec_file, public, self.languages)
        return public

    @property
    def basics(self) -> BasicSpec:
        """What both of its files hold: from the one that is here."""
        return self.public if self.public_spec_file.is_file() else self.spec

    @cached_property
    def spec(self) -> ExerciseSpec:
        """All that its author wrote. CourseError where solutions are not at hand."""
        spec = self.quiz.spec if self.kind == "quiz" else read_toml(self.spec_file, ExerciseSpec)
        require_languages(self.spec_file, spec, self.languages)
        repeated = [name for name, n in Counter(m.name for m in spec.misconception).items() if n > 1]
        if repeated:
            raise CourseError(
                f"{self.spec_file}: misconception {repeated[0]!r} is named twice; rename one",
                f"{self.spec_file}：误解 {repeated[0]!r} 重名；请给其中一个改名",
            )
        return spec
