"""The audit of a quiz: a sound one is green, and each of its own questions goes red when it should."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from autograder.audit import audit
from autograder.audit.quiz import guess_problems, link_problems, quiz_problems, slugs
from autograder.authoring.build import build_exercise
from autograder.course import Course, Exercise
from autograder.course.sizes import HINT_CHARACTERS, HINT_WORDS

Edit = Callable[[Path, str, str], None]


def fresh(quiz: Exercise) -> Exercise:
    return Exercise(quiz.root, quiz.unit, quiz.topic)


def test_a_sound_quiz_is_green(quiz: Exercise) -> None:
    (report,) = audit(Course.load(quiz.root), [quiz])
    assert {p.number: p.problems for p in report.points} == dict.fromkeys(range(1, 9), ())
    summaries = {p.number: p.summary for p in report.points}
    assert summaries[1] == "1 score 9 of 9, in process and isolated"
    assert summaries[2] == "scores 0; 8 questions say not implemented"
    assert summaries[3] == "13 caught where they say, and diagnosed as themselves"
    assert summaries[8] == "16 tests"


def test_files_edited_by_hand_and_problems_of_its_own_reach_the_report(quiz: Exercise, edited: Edit) -> None:
    edited(quiz.hidden_tests, "right=reference.comes_first", 'right="b"')
    edited(quiz.root / "course/basics/overview.md", "## Scale and shift", "## Scaling")
    (report,) = audit(Course.load(quiz.root), [quiz])
    found = {p.number: p.problems for p in report.points if p.problems}
    assert set(found) == {6, 7}
    assert "solutions/basics/test_quiz.py is not what a fresh build gives" in found[6][0]
    assert len(found[7]) == 8


# ------------------------------------------------------------------------------------------- guessing


def test_one_letter_answers_most(quiz: Exercise, edited: Edit) -> None:
    assert guess_problems(quiz.quiz) == []
    text = quiz.spec_file.read_text(encoding="utf-8")
    block = text.split("[[question]]")[3]  # keeps_zero: a and c change places
    moved = (
        block.replace('key = "a"', 'key = "x"')
        .replace('key = "c"', 'key = "a"')
        .replace('key = "x"', 'key = "c"')
    )
    quiz.spec_file.write_text(text.replace(block, moved.replace('answer = "c"', 'answer = "a"')), "utf-8")
    assert guess_problems(fresh(quiz).quiz) == [
        "'a' answers 2 of 3 choice questions; move some of the right options",
        "only a, b are right in 3 choice questions; spread the right options over 3 letters",
    ]


# ------------------------------------------------------------------------------------------- links


def test_slugs() -> None:
    page = "# One: two!\n\n```{code-cell} python\n# no heading\n```\n\n### 在 Transformer 里：三种 用法\n## a_b-c\n"
    assert slugs(page) == ["one-two", "在-transformer-里三种-用法", "a_b-c"]


@pytest.mark.parametrize(
    ("new", "said"),
    [
        ('{ en = "overview#scales", zh = "overview#缩放与平移" }',
         "link.en = 'overview#scales': basics/overview.md has no such heading; it has basics, scale-and-shift"),
        ('{ en = "overview#scale-and-shift", zh = "overview#平移" }',
         "link.zh = 'overview#平移': basics/overview.zh.md has no such heading; it has 基础, 缩放与平移"),
        ('{ en = "lesson#scale-and-shift", zh = "lesson#缩放与平移" }', "there is no basics/lesson.md"),
        ('{ en = "overview", zh = "overview#缩放与平移" }', "link.en = 'overview': basics/overview.md has no such heading"),
        ('{ en = "overview#scale-and-shift", zh = "affine#缩放与平移" }', "name one page in both languages"),
    ],
)  # fmt: skip
def test_a_link_that_leads_nowhere(quiz: Exercise, new: str, said: str) -> None:
    assert link_problems(quiz) == []
    text = quiz.spec_file.read_text(encoding="utf-8")
    before, _, after = text.rpartition('{ en = "overview#scale-and-shift", zh = "overview#缩放与平移" }')
    quiz.spec_file.write_text(before + new + after, encoding="utf-8")
    found = link_problems(fresh(quiz))
    assert all(problem.startswith("half: ") for problem in found)
    assert any(said in problem for problem in found), found


# ------------------------------------------------------------------------------------------- form


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('    { key = "c", text = { en = "Centre.", zh = "居中。" }, name = "centres_first", hint = { en = "Hint of centres_first.", zh = "居中提示。" } },\n',
         "", "comes_first: 2 options; write 3 to 5"),
        ('text = { en = "Centre."', 'text = { en = "Shift."', "comes_first: two options say 'Shift.'; reword one"),
        ('zh = "居中。" }, name', 'zh = "平移。" }, name', "comes_first: two options say '平移。'; reword one"),
        ('wrong = [{ value = 2, name = "doubles", hint = { en = "Hint of doubles.", zh = "加倍提示。" } }]\n', "",
         "half: no wrong answer stands for a mistake; name at least one in `wrong`"),
        ("Hint of doubles.", "word " * (HINT_WORDS + 1), "misconception 'doubles': its hint has 61 words; 60 at most"),
        ("加倍提示。", "长" * (HINT_CHARACTERS + 1), "misconception 'doubles': its Chinese hint has 101 characters; 100 at most"),
        ("Hint of shifts_first.", "Scale. Then shift.", "comes_first: the hint of shifts_first tells the answer, 'Scale'"),
        ("平移提示。", "应当缩放。", "comes_first: the hint of shifts_first tells the answer, '缩放'"),
        ("Hint of adds_before.", "It is 7.", "by_hand: the hint of adds_before tells the answer, '7'"),
        ("Hint of doubles.", "Take 0.5 of it.", "half: the hint of doubles tells the answer, '0.5'"),
    ],
)  # fmt: skip
def test_form(quiz: Exercise, edited: Edit, old: str, new: str, said: str) -> None:
    assert quiz_problems(quiz.quiz) == []
    edited(quiz.spec_file, old, new)
    found = quiz_problems(fresh(quiz).quiz)
    assert len(found) == 1
    assert said in found[0]


def test_a_number_within_another_is_no_answer(quiz: Exercise, edited: Edit) -> None:
    edited(quiz.spec_file, "Hint of adds_before.", "Look at 17, at 7.5 and at 0.7.")
    assert quiz_problems(fresh(quiz).quiz) == []


def test_too_few_questions(quiz: Exercise) -> None:
    text = quiz.spec_file.read_text(encoding="utf-8")
    quiz.spec_file.write_text(text.rpartition("[[question]]")[0], encoding="utf-8")
    short = fresh(quiz)
    build_exercise(short)
    (report,) = audit(Course.load(quiz.root), [short])
    assert [p.problems for p in report.points if p.problems] == [("7 questions; write 8 to 12",)]
