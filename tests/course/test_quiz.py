"""A quiz's file: what is read from it, and what is refused, with the file, the question and the remedy."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from autograder.course import Course, CourseError, Exercise

Edit = Callable[[Path, str, str], None]


def fresh(quiz: Exercise) -> Exercise:
    """The same exercise with nothing read yet."""
    return Exercise(quiz.root, quiz.unit, quiz.topic)


def refusal(quiz: Exercise) -> str:
    """What is said of the quiz's file, in English; the Chinese text names the same file."""
    with pytest.raises(CourseError) as caught:
        _ = fresh(quiz).spec
    assert str(quiz.spec_file) in caught.value.text.zh
    assert re.search("请", caught.value.text.zh)
    return str(caught.value)


def test_questions(quiz: Exercise) -> None:
    assert quiz.kind == "quiz"
    assert [(q.name, q.right) for q in quiz.quiz.questions] == [
        ("comes_first", "b"), ("undoes_shift", "a"), ("keeps_zero", "c"), ("linear_maps", "ac"), ("steps", "bca"),
        ("by_hand", 7), ("third", 33.333), ("half", 0.5),
    ]  # fmt: skip


def test_its_spec_is_an_exercises(quiz: Exercise) -> None:
    for spec in (quiz.spec, quiz.basics):
        assert (spec.kind, spec.tier, spec.requires) == ("quiz", "short", ("basics/affine",))
        assert (spec.title.en, spec.minutes, spec.difficulty) == ("Toy quiz", 10, 1)


def test_every_wrong_answer_is_an_edit_of_the_solution(quiz: Exercise) -> None:
    solution = quiz.solution.read_text(encoding="utf-8")
    made = {}
    for mistake in quiz.spec.misconception:
        (line,) = set(mistake.apply(solution).splitlines()) - set(solution.splitlines())
        made[mistake.name] = (mistake.caught, line.split("  #")[0])
    assert len(made) == 13
    assert made["shifts_first"] == ("test_comes_first", 'comes_first = "a"')
    assert made["affine_is_linear"] == ("test_linear_maps", 'linear_maps = "abc"')  # chosen as well
    assert made["negation_is_not_linear"] == ("test_linear_maps", 'linear_maps = "a"')  # left out
    assert made["order_swapped"] == ("test_steps", 'steps = "bac"')
    assert made["stays_in_metres"] == ("test_third", "third = 0.33333")


def test_its_page_is_the_units_overview(quiz: Exercise) -> None:
    assert quiz.lesson("en") == quiz.root / "course/basics/overview.md"
    assert quiz.lesson("zh") == quiz.root / "course/basics/overview.zh.md"


def test_a_student_knows_the_kind_as_well(quiz: Exercise) -> None:
    quiz.spec_file.unlink()
    assert fresh(quiz).kind == "quiz"


@pytest.mark.parametrize("name", ["solution", "hidden_tests", "public_tests"])
def test_a_missing_generated_file(quiz: Exercise, name: str) -> None:
    getattr(quiz, name).unlink()
    with pytest.raises(CourseError, match="run `autograder build`"):
        Course.load(quiz.root)


FIRST = "question 'comes_first'"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('answer = "b"', 'answer = "d"', (FIRST, "'d', which is no option", "'abc'")),
        ('answer = "b"', 'answer = "ab"', (FIRST, "not one letter")),
        ('answer = "b"', "answer = 2", (FIRST, "Expected `str`, got `int`", "at answer")),
        ('key = "b", text = { en = "Scale."', 'key = "a", text = { en = "Scale."', (FIRST, "key 'a'", "rename one")),
        ('{ en = "Shift.", zh = "平移。" }, name', '{ en = "Shift." }, name', (FIRST, "missing required field `zh`")),
        ('{ en = "What comes first?", zh = "先做什么？" }', '{ zh = "先做什么？" }', (FIRST, "field `en`", "at text")),
        (', name = "shifts_first", hint = { en = "Hint of shifts_first.", zh = "平移提示。" }', "",
         (FIRST, "option 'a' stands for no mistake", "`hint`")),
        (', hint = { en = "Hint of shifts_first.", zh = "平移提示。" }', "", (FIRST, "'a' has one of `name` and `hint`")),
        ('"b", text = { en = "Scale.", zh = "缩放。" } }', '"b", text = { en = "Scale.", zh = "缩放。" }, name = "right_one", hint = { en = "h", zh = "提示" } }',
         (FIRST, "right option 'b' stands for a mistake")),
        (', name = "affine_is_linear", hint = { en = "Hint of affine_is_linear.", zh = "线性提示。" }', "",
         ("question 'linear_maps'", "option 'b' stands for no mistake")),
        ('answer = "ca"', 'answer = "c"', ("question 'linear_maps'", 'kind = "choice"')),
        ('answer = "ca"', 'answer = "caa"', ("question 'linear_maps'", "'a' twice")),
        ('answer = "bca"', 'answer = "bc"', ("question 'steps'", "does not hold each of 'abc' once")),
        ('order = "bac"', 'order = "bad"', ("question 'steps'", "does not hold each of 'abc' once")),
        ('order = "bac"', 'order = "bca"', ("question 'steps'", "'bca' stands twice")),
        ("value = 8,", "value = 7,", ("question 'by_hand'", "7 can't be told from 7")),
        ("value = 0.33333,", "value = 33.5,", ("question 'third'", "33.5 can't be told from 33.333")),
        ('name = "half"', 'name = "third"', ("two questions are called 'third'",)),
        ('name = "half"', 'name = "lambda"', ("question 'lambda'", "rename the question")),
        ('name = "half"', 'name = "check"', ("question 'check'", "rename the question")),
        ('name = "doubles"', 'name = "adds_before"', ("'adds_before' is named twice",)),
        ('kind = "ordering"', 'kind = "order"', ("question 'steps'", "'order'", "at kind")),
        ('relative = 0.01', 'relativ = 0.01', ("question 'third'", "unknown field `relativ`")),
        ('explanation = { en = "1 / 2.", zh = "1 / 2。" }', "", ("question 'half'", "required field `explanation`")),
        ("minutes = 10", "", ("missing required field `minutes`",)),
    ],
)  # fmt: skip
def test_refused(quiz: Exercise, edited: Edit, old: str, new: str, said: tuple[str, ...]) -> None:
    edited(quiz.spec_file, old, new)
    found = refusal(quiz)
    assert found.startswith(str(quiz.spec_file))
    assert [words for words in said if words not in found] == [], found


def test_no_question(quiz: Exercise) -> None:
    text = quiz.spec_file.read_text(encoding="utf-8")
    quiz.spec_file.write_text(text.split("[[question]]")[0] + "question = []\n", encoding="utf-8")
    assert "length >= 1" in refusal(quiz)
