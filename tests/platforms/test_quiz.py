"""A quiz on the platforms: released without its answers, answered there, and graded question by question."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

from autograder.course import Course, Exercise
from autograder.platforms.publish import release
from autograder.platforms.selection import select

PUT_BELOW, PUT_INSTEAD = ("comes_first", '"a"'), ("undoes_shift", '"a"')


def secrets_in(folder: Path, quiz: Exercise) -> list[str]:
    """What of the quiz's hidden side stands in a released tree."""
    secrets = [mistake.name for mistake in quiz.spec.misconception]
    secrets += [mistake.hint.zh for mistake in quiz.spec.misconception]
    secrets += [question.explanation.zh for question in quiz.quiz.questions]
    secrets += ['comes_first = "b"', "def test_comes_first", 'answer = "b"']
    texts = [
        path.read_text(encoding="utf-8")
        for path in folder.rglob("*")
        if path.suffix in (".py", ".ipynb", ".toml", ".md")
    ]
    assert len(texts) > 5
    return [secret for secret in secrets if any(secret in text.replace('\\"', '"') for text in texts)]


def test_plain(quiz: Exercise, tmp_path: Path) -> None:
    release(select(Course.load(quiz.root), "basics", "en"), "plain", tmp_path / "out")
    out = tmp_path / "out"
    assert not (out / "solutions").exists()
    for name in ("exercises/basics/quiz.py", "exercises/basics/test_quiz.py", "notebooks/basics/quiz.ipynb"):
        assert (out / name).is_file()
    assert (out / "course/basics/overview.md").is_file()
    assert secrets_in(out, quiz) == []
    (given,) = (e for e in Course.load(out) if e.topic == "quiz")
    assert (given.kind, given.public.requires) == ("quiz", ("basics/affine",))


def test_nbgrader(
    quiz: Exercise, nbgrader: Callable[..., str], autograder: Callable[..., Any], tmp_path: Path
) -> None:
    """One cell for each question, with its points; an answer counts below the dots and in their place."""
    out = tmp_path / "out"
    release(select(Course.load(quiz.root), "basics", "en"), "nbgrader", out)
    nbgrader((out, "generate_assignment basics"))
    released = out / "release/basics/quiz.ipynb"
    assert secrets_in(out / "release", quiz) == []
    notebook = json.loads(released.read_text(encoding="utf-8"))
    for cell in notebook["cells"]:
        source = "".join(cell["source"])
        if source.startswith(f"{PUT_BELOW[0]} = "):
            assert source == "comes_first = ...  # one of the letters a, b, c\n# YOUR CODE HERE"
            cell["source"] = source.replace("# YOUR CODE HERE", " = ".join(PUT_BELOW))
        if source.startswith(f"{PUT_INSTEAD[0]} = "):
            cell["source"] = source.replace("...", PUT_INSTEAD[1])
    path = out / "submitted/s001/basics/quiz.ipynb"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(notebook), encoding="utf-8")
    code, said = autograder(
        "grade", "--nbgrader", out, "--course", quiz.root, "--gradebook", tmp_path / "book.db", "--only", quiz.id
    )  # fmt: skip
    assert code == 0, said
    with sqlite3.connect(out / "gradebook.db") as book:
        query = "SELECT name, auto_score FROM grade JOIN base_cell ON base_cell.id = grade.cell_id"
        scores = {name: score for name, score in book.execute(query) if score}
        full = dict(book.execute("SELECT name, max_score FROM grade_cells JOIN base_cell USING (id)"))
        query = "SELECT name, auto_comment FROM comment JOIN base_cell ON base_cell.id = comment.cell_id"
        comments = dict(book.execute(query))
    assert scores == {"undoes_shift-points": 2.0}  # the other answer has the right form, and is wrong
    assert {name: points for name, points in full.items() if "by_hand" in name or "undoes" in name} == {
        "undoes_shift-points": 2.0, "by_hand-points": 1.0
    }  # fmt: skip
    assert "Hint of shifts_first." in comments["comes_first"]


def test_otter(quiz: Exercise, tmp_path: Path) -> None:
    """otter's source shows the student the dots where the answer stands for the instructor."""
    release(select(Course.load(quiz.root), "basics/quiz", "en"), "otter", tmp_path / "out")
    notebook = json.loads((tmp_path / "out/instructor/basics/quiz/quiz.ipynb").read_text(encoding="utf-8"))
    cells = ["".join(cell["source"]) for cell in notebook["cells"]]
    assert (
        "# BEGIN SOLUTION NO PROMPT\n"
        'comes_first = "b"  # one of the letters a, b, c\n'
        "# END SOLUTION\n"
        '""" # BEGIN PROMPT\n'
        "comes_first = ...  # one of the letters a, b, c\n"
        '""" # END PROMPT'
    ) in cells
