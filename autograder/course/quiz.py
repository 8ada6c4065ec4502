"""`solutions/UNIT/quiz.toml`: a quiz's questions, their answers, and the mistake that each wrong answer stands for."""

from __future__ import annotations

import json
import keyword
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import replace

from autograder.course.spec import BasicSpec, BothLanguages, ExerciseSpec, Filled, Misconception, Name
from autograder.course.toml import CourseError, read_toml
from autograder.text import Text

ORACLE = "the pages that its questions link to"
RESERVED = {"check"}  # what the skeleton imports
ROUNDING = 1e-9  # relative: every number may be that far off

Answer = str | int | float
Problem = tuple[str, str]  # what is wrong and what to do about it, in English and in Chinese


class Wrong(Struct, frozen=True):
    """An answer that shows a mistake: as it would be written, and the mistake's name and hint."""

    answer: Answer
    name: str
    hint: BothLanguages


class Option(Struct, frozen=True, forbid_unknown_fields=True):
    """One of the statements to choose from or to put in order. A wrong one names the mistake behind it."""

    key: Annotated[str, Meta(pattern="^[a-z]$")]
    text: BothLanguages
    name: Name | None = None
    hint: BothLanguages | None = None


class WrongNumber(Struct, frozen=True, forbid_unknown_fields=True):
    """A number that a mistake leads to."""

    value: int | float
    name: Name
    hint: BothLanguages


class WrongOrder(Struct, frozen=True, forbid_unknown_fields=True):
    """An order that a mistake leads to."""

    order: str
    name: Name
    hint: BothLanguages


class Question(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind"):
    """What every question has. `link` is PAGE#HEADING in the course's folder of the unit, for each language.

    Each kind adds `right`, the right answer; `wrong_answers()`, those that stand for a mistake; and `problems()`, what
    contradicts itself.
    """

    name: Name  # of the variable that holds the answer
    text: BothLanguages
    explanation: BothLanguages  # why the answer is right; for practice pages, never shown after grading
    link: BothLanguages
    points: Annotated[float, Meta(gt=0)] = 1.0


class _WithOptions(Question, frozen=True, kw_only=True, forbid_unknown_fields=True):
    options: Annotated[tuple[Option, ...], Meta(min_length=2)]
    answer: Filled

    @property
    def keys(self) -> str:
        """The options' letters."""
        return "".join(option.key for option in self.options)

    @property
    def right(self) -> str:
        return self.answer

    def problems(self) -> Iterator[Problem]:
        if key := _repeated(self.keys):
            yield f"two options have the key {key!r}; rename one", f"有两个选项都叫 {key!r}；请给其中一个改名"
        if unknown := [letter for letter in self.answer if letter not in self.keys]:
            yield (
                f"the answer {self.answer!r} names {unknown[0]!r}, which is no option; write letters of {self.keys!r}",
                f"答案 {self.answer!r} 中的 {unknown[0]!r} 不是选项；请使用 {self.keys!r} 中的字母",
            )
        if letter := _repeated(self.answer):
            yield (
                f"the answer names {letter!r} twice; take one out",
                f"答案中 {letter!r} 出现两次；请去掉一个",
            )
        for option in self.options:
            if (option.name is None) != (option.hint is None):
                yield (
                    f"option {option.key!r} has one of `name` and `hint` only; write both or neither",
                    f"选项 {option.key!r} 只有 `name` 和 `hint` 之一；请两者都写，或都不写",
                )

    def unnamed(self) -> Iterator[Problem]:
        """Wrong options without a mistake."""
        for option in self.options:
            if option.key not in self.answer and option.name is None:
                yield (
                    f"the wrong option {option.key!r} stands for no mistake; give it a `name` and a `hint`",
                    f"错误选项 {option.key!r} 没有对应的误解；请写上 `name` 和 `hint`",
                )


class Choice(_WithOptions, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="choice"):
    """One option is right."""

    def wrong_answers(self) -> Iterator[Wrong]:
        for option in self.options:
            if option.name and option.hint:
                yield Wrong(option.key, option.name, option.hint)

    def problems(self) -> Iterator[Problem]:
        yield from super().problems()
        if len(self.answer) != 1:
            yield (
                f'the answer {self.answer!r} is not one letter; write one, or `kind = "several"`',
                f'答案 {self.answer!r} 不是一个字母；请只写一个，或写 `kind = "several"`',
            )
        yield from self.unnamed()
        for option in self.options:
            if option.key in self.answer and option.name is not None:
                yield (
                    f"the right option {option.key!r} stands for a mistake; take `name` and `hint` out",
                    f"正确选项 {option.key!r} 不应对应误解；请去掉 `name` 和 `hint`",
                )


class Several(_WithOptions, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="several"):
    """All options that apply. A right option may name the mistake of leaving it out."""

    @property
    def right(self) -> str:
        return self._in_order(set(self.answer))

    def _in_order(self, letters: set[str]) -> str:
        return "".join(key for key in self.keys if key in letters)

    def wrong_answers(self) -> Iterator[Wrong]:
        for option in self.options:
            if option.name and option.hint:
                answer = self._in_order(set(self.answer) ^ {option.key})
                yield Wrong(answer, option.name, option.hint)

    def problems(self) -> Iterator[Problem]:
        yield from super().problems()
        if len(self.answer) < 2:
            yield (
                f'the answer {self.answer!r} is one letter; name two or more, or write `kind = "choice"`',
                f'答案 {self.answer!r} 只有一个字母；请写两个以上，或写 `kind = "choice"`',
            )
        yield from self.unnamed()


class Ordering(_WithOptions, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="ordering"):
    """All options in an order."""

    wrong: tuple[WrongOrder, ...] = ()

    def wrong_answers(self) -> Iterator[Wrong]:
        for wrong in self.wrong:
            yield Wrong(wrong.order, wrong.name, wrong.hint)

    def problems(self) -> Iterator[Problem]:
        yield from super().problems()
        orders = [self.answer, *(wrong.order for wrong in self.wrong)]
        for order in orders:
            if sorted(order) != sorted(self.keys):
                yield (
                    f"the order {order!r} does not hold each of {self.keys!r} once; write all of them",
                    f"次序 {order!r} 没有让 {self.keys!r} 中的每个字母各出现一次；请写全",
                )
        if again := _repeated(orders):
            yield f"the order {again!r} stands twice; take one out", f"次序 {again!r} 出现两次；请去掉一个"
        if named := [option.key for option in self.options if option.name or option.hint]:
            yield (
                f"option {named[0]!r} names a mistake; in an ordering, `wrong` lists orders that do",
                f"选项 {named[0]!r} 带有误解；排序题的误解请写在 `wrong` 里",
            )


class Number(Question, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="number"):
    """A number. It may differ from the answer by `absolute`, or by `relative` times the answer, the larger of both."""

    answer: int | float
    unit: BothLanguages | None = None
    absolute: Annotated[float, Meta(ge=0)] = 0.0
    relative: Annotated[float, Meta(ge=0)] = 0.0
    wrong: tuple[WrongNumber, ...] = ()

    @property
    def right(self) -> int | float:
        return self.answer

    def wrong_answers(self) -> Iterator[Wrong]:
        for wrong in self.wrong:
            yield Wrong(wrong.value, wrong.name, wrong.hint)

    def tolerance(self, target: float) -> float:
        """How far from `target` a number may be."""
        return max(self.absolute, max(self.relative, ROUNDING) * abs(target))

    def problems(self) -> Iterator[Problem]:
        known = [self.answer]
        for wrong in self.wrong:
            for other in known:
                if abs(wrong.value - other) <= self.tolerance(wrong.value) + self.tolerance(other):
                    yield (
                        f"the wrong value {wrong.value} can't be told from {other}; tighten the tolerance or drop it",
                        f"错误值 {wrong.value} 与 {other} 无法区分；请收紧误差范围，或去掉它",
                    )
            known.append(wrong.value)


AnyQuestion = Choice | Several | Ordering | Number


class _QuizFile(BasicSpec, frozen=True, kw_only=True, forbid_unknown_fields=True):
    question: Annotated[tuple[dict[str, Any], ...], Meta(min_length=1)]


class Quiz(Struct, frozen=True):
    """A quiz: what is known of it as of any exercise, and its questions in order."""

    basics: BasicSpec
    questions: tuple[AnyQuestion, ...]

    @property
    def spec(self) -> ExerciseSpec:
        """The same as an exercise's: each wrong answer that stands for a mistake is an edit of the generated solution."""
        mistakes = [
            Misconception(
                name=wrong.name,
                replace=edit_of(question.name, question.right),
                with_=edit_of(question.name, wrong.answer),
                caught=hidden_test(question.name),
                hint=wrong.hint,
            )
            for question in self.questions
            for wrong in question.wrong_answers()
        ]
        basics = {name: getattr(self.basics, name) for name in BasicSpec.__struct_fields__}
        return ExerciseSpec(**basics, oracle=ORACLE, misconception=tuple(mistakes))


def assignment(name: str, answer: Answer) -> str:
    """The line of the solution that answers a question."""
    return f"{name} = {json.dumps(answer)}"


def edit_of(name: str, answer: Answer) -> str:
    """That line as an edit finds it: from the line's beginning to the comment behind it."""
    return f"\n{assignment(name, answer)}  #"


def hidden_test(name: str) -> str:
    """The hidden test of a question."""
    return f"test_{name}"


def read_quiz(path: Path) -> Quiz:
    """Read and validate a quiz's file. CourseError names the file, the question and the remedy."""
    file = read_toml(path, _QuizFile)
    questions = tuple(_question(path, number, raw) for number, raw in enumerate(file.question, 1))
    if name := _repeated([question.name for question in questions]):
        raise CourseError(
            f"{path}: two questions are called {name!r}; rename one",
            f"{path}：有两道题都叫 {name!r}；请给其中一道改名",
        )
    basics = BasicSpec(**{name: getattr(file, name) for name in BasicSpec.__struct_fields__})
    return Quiz(replace(basics, kind="quiz"), questions)


def _question(path: Path, number: int, raw: dict[str, Any]) -> AnyQuestion:
    name = raw.get("name", number)
    place = Text(f"{path}, question {name!r}", f"{path}，题目 {name!r}")
    try:
        question: AnyQuestion = msgspec.convert(raw, AnyQuestion)
    except msgspec.ValidationError as error:
        problem, _, key = str(error).partition(" - at ")
        where = key.strip("`").removeprefix("$.").removeprefix("$") or "the question itself"
        raise CourseError(
            f"{place.en}: {problem} (at {where}); correct that key",
            f"{place.zh}：{problem}（位置：{where}）；请改正这个键",
        ) from None
    if keyword.iskeyword(question.name) or question.name in RESERVED:
        raise CourseError(
            f"{place.en}: the name can't be a variable of the student's file; rename the question",
            f"{place.zh}：这个名字不能用作学生文件里的变量名；请给题目改名",
        )
    for en, zh in question.problems():
        raise CourseError(f"{place.en}: {en}", f"{place.zh}：{zh}")
    return question


def _repeated(values: Sequence[str]) -> str | None:
    return next((value for value, times in Counter(values).items() if times > 1), None)
