"""`autograder learn` at a terminal: what is seen at which size, which key does what, and what is left behind."""

from __future__ import annotations

import io
import os
import re
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len
from rich.console import Console

from autograder.authoring.build import build_exercise
from autograder.course import Course, Exercise, find_course
from autograder.learn.screen import Page, broken, draw
from autograder.learn.statement import statement_of
from autograder.learn.states import is_untouched
from autograder.learn.views import Screen

if sys.platform == "win32":
    pytest.skip("there are no pseudo-terminals", allow_module_level=True)

Edit = Callable[[Path, str, str], None]
AFFINE = 'raise NotImplementedError("affine")'
NORMALISE = 'raise NotImplementedError("normalise")'
LEARN = "python -m autograder learn affine"
Terminal = Any  # see conftest.py


def assert_given_back(terminal: Terminal) -> None:
    """The shell's own screen, a cursor, keys with Enter and an echo."""
    terminal.wait_for_the_shell()
    assert terminal.said.rfind(b"\x1b[?25h") >= terminal.said.rfind(b"\x1b[?25l")
    modes = terminal.modes().split()
    assert "icanon" in modes and "echo" in modes


# ------------------------------------------------------------------------------------------- what is seen

EN = (
    "basics/affine Affine maps", "Basics ░░░░░░░░░░░░ 0/1", "Course: 0/2 units, 0/2 exercises complete",
    "1. Affine", "Scale every element, then shift it.", "0 of 4 points", "· affine not implemented",
    "Hints on affine: 0 of 1 given", "Edit exercises/basics/affine.py and save.",
    "h: hint n: next p: previous l: lesson b: web page q: quit",
)  # fmt: skip
ZH = (
    "基础 ░░░░░░░░░░░░ 0/1", "课程：完成 0/2 个单元，0/2 道练习", "1. 仿射", "得分 0 / 4", "· affine 尚未实现",
    "affine 的提示：已给出 0/1", "编辑并保存 exercises/basics/affine.py。",
    "h：提示 n：下一题 p：上一题 l：讲义 b：网页 q：退出",
)  # fmt: skip


@pytest.mark.parametrize(
    ("columns", "rows", "options", "seen", "hint"),
    [
        (80, 24, "", EN, "Hint 1 of 1, affine: Which of the two comes first?"),
        (120, 40, "--lang zh", ZH, "提示 1/1，affine：两步里先做哪一步？"),
        (60, 20, "--lang zh", ZH, "提示 1/1，affine：两步里先做哪一步？"),
        (60, 20, "", EN, "Hint 1 of 1, affine: Which of the two comes first?"),
    ],
)
def test_one_screen(
    sit_down: Callable[..., Terminal], columns: int, rows: int, options: str, seen: tuple[str, ...], hint: str
) -> None:
    terminal = sit_down(columns, rows, options)
    terminal.wait_for(*seen)
    assert terminal.screen[-1], "the keys stand in the last row"
    terminal.type("h")
    terminal.wait_for(hint, "1 of 1 given" if seen is EN else "已给出 1/1")
    terminal.type("q")
    assert_given_back(terminal)


def test_what_failed_and_its_diagnosis_follow_a_save(
    sit_down: Callable[..., Terminal], toy: Path, affine: Exercise, edited: Edit
) -> None:
    terminal = sit_down()
    terminal.wait_for("0 of 4 points")
    edited(affine.skeleton, AFFINE, 'print("\\x1b[2Jmy print"); return x')
    terminal.wait_for(
        "✗ test_affine_by_hand", "Twice the input, plus one.", "Your code printed:", "my print", "1. Affine"
    )
    edited(affine.skeleton, 'print("\\x1b[2Jmy print"); return x', "return x * scale + shift")
    seen = terminal.wait_for("2 of 4 points", "2. Normalise", "Hints on normalise: 0 of 1 given")
    assert "1. Affine" not in seen and "my print" not in seen


def test_an_untouched_exercise_says_where_its_introduction_is(
    sit_down: Callable[..., Terminal], affine: Exercise, edited: Edit
) -> None:
    terminal = sit_down()
    terminal.wait_for(
        "0 of 4 points", "Edit exercises/basics/affine.py and save. Axes and terms: at its top."
    )
    edited(affine.skeleton, AFFINE, "return x * scale + shift")
    seen = terminal.wait_for("2 of 4 points", "2. Normalise")
    assert "Edit exercises/basics/affine.py and save." in seen and "at its top" not in seen
    terminal.type("q")
    assert_given_back(terminal)


def test_where_the_introduction_is(affine: Exercise, quiz: Exercise, edited: Edit) -> None:
    """In both languages. A quiz tells on each question how to answer it; what has no introduction has no such words."""
    console = Console(file=io.StringIO(), width=80)

    def edit(exercise: Exercise, lang: str) -> str:
        course = Course.load(quiz.root)
        view = Screen(course, lang, console)
        view.open(course.exercise(exercise.id), ())
        return view._page.edit

    assert edit(affine, "zh") == "编辑并保存 exercises/basics/affine.py。各轴和术语见文件开头。"
    assert edit(affine, "en").endswith("Axes and terms: at its top.")
    assert edit(quiz, "en") == "Edit exercises/basics/quiz.py and save."
    for text in ("Two maps that stand in every network.", "每个网络里都有的两个映射。"):
        edited(affine.solution, f"# {text}\n", "#\n")
    build_exercise(affine)
    assert is_untouched(Course.load(quiz.root).exercise("affine"))
    assert edit(affine, "en") == "Edit exercises/basics/affine.py and save."


def test_the_screen_is_drawn_anew_when_the_terminal_gets_another_size(
    sit_down: Callable[..., Terminal],
) -> None:
    terminal = sit_down()
    terminal.wait_for(*EN)
    for columns, rows in ((60, 20), (120, 40), (25, 7)):
        begin = len(terminal.said)
        terminal.resize(columns, rows)
        terminal.wait_for(*(EN if rows > 10 else ("h: hint", "q: quit")))
        last = f"\x1b[{rows};1H".encode()
        terminal.wait_until(lambda seen, last=last, begin=begin: last in terminal.said[begin:])
        assert not any("\x1b" in row for row in terminal.screen)
    terminal.type("q")
    assert_given_back(terminal)


def test_what_was_completed_stays_until_the_learner_goes_on(
    sit_down: Callable[..., Terminal], toy: Path, affine: Exercise, edited: Edit
) -> None:
    terminal = sit_down()
    terminal.wait_for("0 of 4 points")
    terminal.type("d")
    terminal.wait_for("That comes once all tests pass, the hidden ones, too.")
    affine.skeleton.write_bytes(affine.solution.read_bytes())
    terminal.wait_for(
        "basics/affine is complete.", "d: debug", "w: write tests", "1/1", "1/2 units, 1/2 exercises"
    )
    terminal.type("d")
    terminal.wait_for("`autograder debug basics/affine` gives you a right answer")
    terminal.type("w")
    terminal.wait_for("`autograder write-tests basics/affine` says how many")
    terminal.type("n")
    terminal.wait_for("extras/vowels", "0 of 1 point")
    terminal.type("q")
    assert_given_back(terminal)


def test_the_page_of_the_site(sit_down: Callable[..., Terminal], toy: Path, tmp_path: Path) -> None:
    browser, asked = tmp_path / "browser", tmp_path / "asked"
    browser.write_text(f'#!/bin/sh\necho "$1" > {asked}\n', encoding="utf-8")
    browser.chmod(0o755)
    terminal = sit_down(options="--lang zh --site pages", BROWSER=str(browser))
    terminal.wait_for("得分 0 / 4")
    terminal.type("b")
    terminal.wait_for("autograder site pages")
    page = toy / "pages/zh/basics/affine.html"
    page.parent.mkdir(parents=True)
    page.touch()
    terminal.type("b")
    terminal.wait_for("已在浏览器中打开：file://", "affine.html")
    assert asked.read_text(encoding="utf-8").strip() == page.resolve().as_uri()
    terminal.type("q")
    assert_given_back(terminal)


# ------------------------------------------------------------------------------------------- what is left behind


def test_a_learner_may_leave_for_the_shell_and_return(sit_down: Callable[..., Terminal]) -> None:
    terminal = sit_down()
    terminal.wait_for("0 of 4 points")
    terminal.type("\x1a")
    terminal.wait_for("Stopped")
    assert_given_back(terminal)
    terminal.type("fg\n")
    terminal.wait_for(*EN)
    terminal.type("h")
    terminal.wait_for("1 of 1 given")
    terminal.type("\x03")
    terminal.wait_for("Stopped.")
    assert_given_back(terminal)


def test_however_it_ends_the_terminal_is_given_back(
    sit_down: Callable[..., Terminal], vowels: Exercise
) -> None:
    terminal = sit_down()
    terminal.wait_for("0 of 4 points")
    vowels.skeleton.unlink()
    terminal.type("n")
    terminal.wait_for("vowels.py is missing")
    assert_given_back(terminal)
    terminal.type(f"clear; {LEARN}\n")
    terminal.wait_for("0 of 4 points")
    os.kill(terminal.in_front, signal.SIGTERM)
    terminal.wait_for_the_shell()
    terminal.type("echo status $?\n")
    terminal.wait_for("status 143")
    assert_given_back(terminal)


# ------------------------------------------------------------------------------------------- plain text


@pytest.mark.parametrize(("variable", "value", "enter"), [("NO_COLOR", "1", ""), ("TERM", "dumb", "\n")])
def test_plain_text_where_no_colours_are_wanted(
    sit_down: Callable[..., Terminal], variable: str, value: str, enter: str
) -> None:
    terminal = sit_down(100, 40, **{variable: value})
    terminal.wait_for("0 of 4 points", "q: quit", *(["(then Enter)"] if enter else []))
    assert ("(then" in "\n".join(terminal.screen)) == bool(enter)
    terminal.type(f"h{enter}")
    seen = terminal.wait_for("Hint 1 of 1, affine")
    assert "0 of 4 points" in seen
    assert b"\x1b[?1049h" not in terminal.said
    assert not re.search(rb"\x1b\[[\d;]*[349]\dm", terminal.said)  # no colour
    terminal.type(f"q{enter}")
    assert_given_back(terminal)


# ------------------------------------------------------------------------------------------- drawing

FULL = Page(
    title="basics/affine  Affine maps 仿射", unit="注意力机制", in_unit=(1, 3), in_course="Course: 1/12 units",
    heading="1. 数值稳定的 softmax", paragraphs=["沿一个轴计算，该轴上的每一条切片各算各的。" * 9, "word " * 90],
    points="2 of 9 points",
    report=[
        "  ✓ test_passes",
        *(f"  · question_{n}  not implemented" for n in range(4)),
        "  ✗ test_fails", "      The sentence.", *["      detail " * 20] * 3, "      A known mistake: look again.",
    ],
    printed=["Your code printed:", *(f"\x1b[2J\x07line {n}\t" for n in range(50))],
    said=[("提示 1/2：先做哪一个？" * 5, "yellow")], state="basics/affine is complete.",
    hints="Hints on affine: 1 of 2 given", edit="Edit exercises/basics/affine.py and save.",
    keys=["h: hint", "n: next", "q：退出"],
)  # fmt: skip


def test_every_size_is_filled_and_none_is_exceeded() -> None:
    for columns in (1, 2, 7, 20, 60, 80, 130):
        for rows in (1, 2, 5, 9, 14, 20, 24, 50):
            drawn = draw(FULL, columns, rows, None, "utf-8")
            assert len(drawn) <= rows
            assert all(cell_len(row) <= columns for row in drawn), (columns, rows)
            assert "\x1b" not in "".join(drawn) and "\x07" not in "".join(drawn)
            if columns >= 60 and rows >= 14:
                assert len(drawn) == rows and "q：退出" in drawn[-1]


def test_what_needs_no_reading_gives_way_first() -> None:
    page = Page(**{**vars(FULL), "said": []})
    whole, short = ("\n".join(draw(page, 80, rows, None, "utf-8")) for rows in (80, 20))
    assert all(text in whole for text in ("test_passes", "question_3", "detail", "line 49"))
    assert "1. 数值稳定的 softmax" in short
    assert "test_fails" in short and "The sentence." in short and "A known mistake: look again." in short
    assert "test_passes" not in short and "line 40" not in short


def test_colours_and_an_encoding_without_our_marks() -> None:
    assert "\x1b[" in "".join(draw(FULL, 80, 24, "standard", "utf-8"))
    plain = "\n".join(draw(FULL, 80, 30, None, "ascii"))
    assert plain.isascii() and "x test_fails" in plain


def test_chinese_lines_break_as_print_does() -> None:
    assert broken("权重为 0。梯度（也）有限，不为零", 10) == ["权重为 0。", "梯度（也）", "有限，不为", "零"]
    assert broken("plain words here", 11) == ["plain words", "here"]
    assert broken("", 5) == [""]


# ------------------------------------------------------------------------------------------- the statement


def test_every_question_of_the_course_has_a_statement() -> None:
    course = Course.load(find_course(Path(__file__)), authoring=True)
    for exercise in course:
        for lang in course.languages:
            for question in exercise.public.questions:
                told = statement_of(exercise, question, lang)
                assert told.heading and told.paragraphs, (exercise.id, question, lang)


def test_a_statement_in_a_file_that_the_learner_has_changed(affine: Exercise, edited: Edit) -> None:
    assert statement_of(affine, "normalise", "en").heading == "2. Normalise"
    assert statement_of(affine, "normalise", "zh").heading == "2. 归一化"
    assert "mean 0 and standard deviation 1" in statement_of(affine, "normalise", "en").paragraphs[0]
    assert statement_of(affine, None, "en").paragraphs == ["Two maps that stand in every network."]
    edited(affine.skeleton, NORMALISE, "return (")
    assert statement_of(affine, "normalise", "en").heading == "2. Normalise"
    affine.skeleton.write_text("def affine(): pass\n", encoding="utf-8")
    assert statement_of(affine, "affine", "en").heading == "Affine maps"
    affine.skeleton.unlink()
    assert statement_of(affine, "affine", "zh").heading


def test_what_stands_between_fences_keeps_its_lines(affine: Exercise, edited: Edit) -> None:
    for heading, text in (("1. Affine", "Like this:"), ("1. 仿射", "写成这样：")):
        block = "# ```\n# Q: *two*\n#   A: `2`\n#\n# Q:\n# ```"
        edited(
            affine.skeleton,
            f"# ## {heading}\n",
            f"# ## {heading}\n#\n# {text}\n# On.\n#\n{block}\n# Behind.\n",
        )
    for lang, text in (("en", "Like this:"), ("zh", "写成这样：")):
        *_, before, block, behind = statement_of(affine, "affine", lang).paragraphs
        assert (before, behind) == (f"{text} On.", "Behind.")
        assert block == "    Q: *two*\n      A: `2`\n    \n    Q:"
    page = Page(heading="1. Affine", paragraphs=[before, block, behind], keys=["q"])
    rows = [row.rstrip() for row in draw(page, 60, 20, None, "utf-8")]
    at = rows.index("    Q: *two*")
    assert rows[at - 1 : at + 5] == [before, "    Q: *two*", "      A: `2`", "", "    Q:", "Behind."]


@pytest.mark.parametrize(
    ("written", "seen"),
    [
        ("A *query*, *all of it*; **new**.", "A query, all of it; new."),
        ("其中*mean*是均值，见[讲义](../a.md)。", "其中mean是均值，见讲义。"),
        ("See [*Attention*, `f`](https://a.org/b_(c)) and [2](x).", "See Attention, f and 2."),
        ("Call `f(*a, *b)`, `g(**c)`, `h(**d)`, `i[k](x)`.", "Call f(*a, *b), g(**c), h(**d), i[k](x)."),
        (
            "$W^*$ and $V^*$ with 2 * 3 * 4 and [B, D] (or [B])",
            "$W^*$ and $V^*$ with 2 * 3 * 4 and [B, D] (or [B])",
        ),
        ("* An *item*.", "• An item."),
    ],
)
def test_marks_of_markdown_are_not_shown(affine: Exercise, edited: Edit, written: str, seen: str) -> None:
    edited(affine.skeleton, "# ## 1. Affine\n", f"# ## 1. Affine\n#\n# {written}\n")
    assert statement_of(affine, "affine", "en").paragraphs[-1] == seen
