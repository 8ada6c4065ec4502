"""Exercises that an assignment derives from another: tests of one's own for it, and a mistake to find in it.

No author writes a file for them. `attention/own_test_multi_head` or `attention/debug_multi_head` in the list of an
assignment makes one of attention/multi_head; its file is called as `autograder write-tests` and `autograder debug` call theirs.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from msgspec.structs import replace

from autograder.course.digests import code_digest, file_digest
from autograder.course.exercise import Exercise
from autograder.course.spec import (
    BasicSpec,
    BothLanguages,
    DerivedKind,
    ExerciseSpec,
    Kind,
    PristineDigests,
    PublicSpec,
    QuestionPoints,
)
from autograder.text import Text

PREFIXES: dict[DerivedKind, str] = {"tests": "own_test_", "debug": "debug_"}
POINTS = 10.0
TITLES: dict[DerivedKind, Text] = {
    "tests": Text("Your own tests: {title}", "自己写测试：{title}"),
    "debug": Text("Find the bug: {title}", "找错误：{title}"),
}
TEMPLATE = '''"""Your own tests of {exercise}.

Write functions called test_...; `student` is the program under test. They must pass on every right answer, and
fail on a program with a mistake in it. They see what a program answers, and not how it is written.

    pytest exercises/{unit}/{file}    # on your own answer
    autograder write-tests {exercise}    # what they catch

给 {exercise} 写你自己的测试：编写名为 test_... 的函数，`student` 是被测程序。所有正确的答案都必须通过，
带有错误的程序则应当失败。测试只能看到程序的输出，看不到它的代码。
"""

import pytest
import torch

from autograder.testing import assert_close


def test_that_it_is_there(student):
    assert callable(student.{question})
'''


@dataclass(frozen=True)
class Derived(Exercise):
    """An exercise of kind "tests" or "debug". Its name says which, and of what."""

    @cached_property
    def kind(self) -> Kind | DerivedKind:
        return self.form

    @property
    def form(self) -> DerivedKind:
        return next(kind for kind, prefix in PREFIXES.items() if self.topic.startswith(prefix))

    @cached_property
    def base(self) -> Exercise:
        """The exercise that it is made of."""
        topic = self.topic.removeprefix(PREFIXES[self.form])
        return Exercise(self.root, self.unit, topic, languages=self.languages)

    @property
    def parts(self) -> list[Exercise]:
        """A student's tests are given the student's own answer as `reference`."""
        return [self.base] if self.kind == "tests" else []

    def lesson(self, lang: str) -> Path:
        return self.base.lesson(lang)

    @cached_property
    def public(self) -> PublicSpec:
        said = self.base.public
        title = TITLES[self.form]
        zh = title.zh.format(title=said.title.zh) if said.title.zh else ""
        pristine = PristineDigests()
        if self.kind == "tests":
            given = template_of(self.base)
            pristine = PristineDigests(file=file_digest(given), script=code_digest(given))
        return replace(
            said,
            title=BothLanguages(title.en.format(title=said.title.en), zh),
            kind="exercise",
            requires=(self.base.id,),
            parts=(),
            hint=(),
            points=(QuestionPoints(self.form, 0.0, POINTS),),
            pristine=pristine,
        )

    @property
    def basics(self) -> BasicSpec:
        return self.public

    @property
    def spec(self) -> ExerciseSpec:
        return self.base.spec


def template_of(exercise: Exercise) -> str:
    """What a file for a learner's own tests of an exercise begins with."""
    question = next(iter(exercise.public.questions), exercise.topic)
    return TEMPLATE.format(
        exercise=exercise.id, unit=exercise.unit, file=exercise.own_tests.name, question=question
    )


def derived_name(name: str) -> tuple[str, str] | None:
    """For `attention/debug_multi_head`: its prefix, and the name of what it is derived from. None for any other name."""
    unit, slash, topic = name.rpartition("/")
    for prefix in PREFIXES.values():
        if topic.startswith(prefix):
            return prefix, f"{unit}{slash}{topic.removeprefix(prefix)}"
    return None
