"""A quiz through the grader: the same gradebook rows as for any exercise, and a wrong answer named as its mistake."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from autograder.authoring.notebooks import write_notebook
from autograder.course import Exercise

Grade = Callable[[dict[str, str]], dict[str, Any]]


@pytest.fixture
def grade(
    quiz: Exercise, hand_in: Callable[..., Path], cli: Callable[..., Any], shared_sandbox: Any, tmp_path: Path
) -> Grade:
    """`grade({"s001": source})`: student -> the row that `autograder grade --json` prints of basics/quiz."""

    def run(sources: dict[str, str], name: str = "quiz.py") -> dict[str, Any]:
        for student, source in sources.items():
            folder = hand_in(student, {name: source})
        said = cli(
            "grade", folder, "--course", quiz.root, "--gradebook", tmp_path / "book.db", "--only", quiz.id, "--json"
        )  # fmt: skip
        assert said.code == 0, said.err
        return {row["student"]: row for row in json.loads(said.out)["results"]}

    return run


def filled(skeleton: str, **answers: object) -> str:
    for name, answer in answers.items():
        skeleton, times = re.subn(rf"^{name} = \.\.\.", f"{name} = {answer}", skeleton, flags=re.MULTILINE)
        assert times == 1, name
    return skeleton


def losses(row: dict[str, Any]) -> dict[str, tuple[str, str | None]]:
    """Hidden test that is not passed -> (outcome, diagnosis)."""
    return {
        test["name"]: (test["outcome"], test["diagnosis"])
        for test in row["tests"]
        if test["visibility"] == "hidden" and test["outcome"] != "passed"
    }


def message(row: dict[str, Any], name: str) -> dict[str, str]:
    return next(test["message"] for test in row["tests"] if test["name"] == name)


def test_right_half_right_and_empty(quiz: Exercise, grade: Grade) -> None:
    skeleton = quiz.skeleton.read_text(encoding="utf-8")
    half = filled(skeleton, comes_first='"b"', undoes_shift='"a"', keeps_zero='"a"', by_hand="8")
    rows = grade({"s001": quiz.solution.read_text(encoding="utf-8"), "s002": half, "s003": skeleton})
    assert {(row["status"], row["score"], row["max_score"]) for row in rows.values()} == {
        ("graded", 9.0, 9.0), ("graded", 3.0, 9.0), ("not_begun", 0.0, 9.0)
    }  # fmt: skip
    assert losses(rows["s001"]) == {}
    assert losses(rows["s002"]) == {
        "test_keeps_zero": ("failed", "all_keep_zero"),
        "test_by_hand": ("failed", "adds_before"),
        **{f"test_{n}": ("not_implemented", None) for n in ("linear_maps", "steps", "third", "half")},
    }
    assert message(rows["s002"], "test_keeps_zero") == {"en": "Hint of all_keep_zero.", "zh": "全部提示。"}
    assert message(rows["s002"], "test_half") == {
        "en": "half is not implemented yet.", "zh": "half 还没有实现。"
    }  # fmt: skip


def test_a_wrong_answer_is_known_however_it_is_written(quiz: Exercise, grade: Grade) -> None:
    answers = {
        "comes_first": ('"a"', '["A)"]', "shifts_first"),
        "linear_maps": ('"abc"', '{"d", "b"}', "affine_is_linear"),
        "steps": ('"bac"', '("B", "a", "c")', "order_swapped"),
        "by_hand": ("8", "8.0", "adds_before"),
        "third": ("0.33333", "0.334", "stays_in_metres"),
    }
    skeleton = quiz.skeleton.read_text(encoding="utf-8")
    rows = grade(
        {
            f"s00{n + 1}": filled(skeleton, **{name: given[n] for name, given in answers.items()})
            for n in (0, 1)
        }
    )
    for row in rows.values():
        lost = losses(row)
        assert {name: lost[f"test_{name}"] for name in answers} == {
            name: ("failed", mistake) for name, (_, _, mistake) in answers.items()
        }


def test_what_stands_for_no_mistake_is_told_by_the_sentence(quiz: Exercise, grade: Grade) -> None:
    """A wrong answer of an unknown kind, a missing option without a name, a wrong form, and a variable taken out."""
    skeleton = quiz.skeleton.read_text(encoding="utf-8")
    source = filled(skeleton, by_hand="9", linear_maps='"c"', comes_first='"?"', steps="[3, 1, 2]")
    source = re.sub(r"^half = .*$", "", source, flags=re.MULTILINE)
    row = grade({"s001": source})["s001"]
    expected = dict.fromkeys(
        ("test_by_hand", "test_linear_maps", "test_comes_first", "test_steps"), ("failed", None)
    )
    assert {name: loss for name, loss in losses(row).items() if name in expected} == expected
    assert message(row, "test_by_hand")["en"] == "`by_hand` must be the right number."
    assert message(row, "test_form_of_steps")["zh"] == (
        "`steps` 应含字母 a、b、c 各一次，写成一个字符串或列表。\nsteps = [3, 1, 2]"
    )
    assert message(row, "test_half")["en"].startswith("half is missing from your file")


def test_feedback_holds_no_answer(quiz: Exercise, grade: Grade) -> None:
    """Neither an explanation nor the right answer, whatever is wrong."""
    skeleton = quiz.skeleton.read_text(encoding="utf-8")
    wrong = filled(skeleton, comes_first='"a"', steps='"abc"', by_hand="8", third='"x"', linear_maps='"d"')
    told = json.dumps(grade({"s001": wrong})["s001"]["tests"], ensure_ascii=False)
    for question in quiz.quiz.questions:
        for words in (question.explanation.en, question.explanation.zh):
            assert words not in told
    assert not re.search(r"\bbca\b|\b7\b|33\.3", told)


def test_from_a_notebook_kernel(
    quiz: Exercise, environment: dict[str, str], grade: Grade, tmp_path: Path
) -> None:
    """Answered in a real kernel, where check() tells the form, and handed in as it was saved."""
    import nbformat
    from nbclient import NotebookClient

    path = write_notebook(quiz, quiz.root / "notebooks", "en")
    assert path is not None
    notebook = nbformat.read(path, 4)
    for cell in notebook.cells:
        for name, answer in (("comes_first", '"B"'), ("by_hand", "8"), ("steps", '"no"')):
            if cell.source.startswith(f"{name} = "):
                cell.source = filled(cell.source, **{name: answer})
    NotebookClient(
        notebook, timeout=120, kernel_name="python3", resources={"metadata": {"path": str(path.parent)}}
    ).execute(env=environment)
    shown = notebook.cells[-1].outputs[0]["data"]
    assert "2 of 8 tests passed" in shown["text/html"]
    assert "✓ test_form_of_comes_first" in shown["text/plain"]
    assert "`steps` must hold each of the letters a, b, c once" in shown["text/plain"]
    assert shown["text/plain"].count("not implemented") == 5
    row = grade({"s001": nbformat.writes(notebook)}, "quiz.ipynb")["s001"]
    assert row["score"] == 1.0
    assert losses(row)["test_by_hand"] == ("failed", "adds_before")
