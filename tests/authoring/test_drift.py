"""The real course: `exercises/` is what a fresh build gives, and nothing hidden is in what students receive."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from autograder.authoring.build import stale
from autograder.authoring.script import surviving_lines
from autograder.course import Course, Exercise

ROOT = Path(__file__).resolve().parents[2]
COURSE = Course.load(ROOT, authoring=True)
WRITTEN = [exercise for exercise in COURSE if exercise.spec_file.is_file()]
each = pytest.mark.parametrize("exercise", WRITTEN, ids=lambda exercise: exercise.id)


@cache
def released() -> dict[str, str]:
    """Every file of text in the two trees that students receive."""
    files = (path for path in _student_files() if path.suffix != ".npz")  # weights, and no text
    return {str(path.relative_to(ROOT)): path.read_text(encoding="utf-8") for path in files}


def _student_files() -> Iterator[Path]:
    for tree in ("exercises", "course"):
        for path in sorted((ROOT / tree).rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts and not path.name.startswith("."):
                yield path


def found_in(text: str) -> list[str]:
    return [name for name, content in released().items() if text in content]


def test_every_listed_exercise_is_written() -> None:
    missing = [exercise.id for exercise in COURSE if exercise not in WRITTEN]
    assert not missing, f"listed in course.toml, but without a solution: {', '.join(missing)}"
    Course.load(ROOT)


@each
def test_exercises_are_fresh(exercise: Exercise) -> None:
    assert stale(exercise) == [], f"run `autograder build {exercise.id}`"


@each
def test_no_solution_line(exercise: Exercise) -> None:
    solution = exercise.solution.read_text(encoding="utf-8")
    for name, content in released().items():
        assert surviving_lines(solution, exercise.id, content) == [], name


@each
def test_no_hidden_test(exercise: Exercise) -> None:
    tree = ast.parse(exercise.hidden_tests.read_text(encoding="utf-8"))
    names = [n.name for n in tree.body if isinstance(n, ast.FunctionDef) and n.name.startswith("test_")]
    assert names
    for name in names:
        pattern = re.compile(rf"\b{name}\b")
        assert [file for file, content in released().items() if pattern.search(content)] == [], name


@each
def test_no_misconception(exercise: Exercise) -> None:
    """Neither a name nor an edit. A name only where it is more than an English word, for lessons use those.

    A hint stands in the file of known mistakes alone, and there only if a public test catches the mistake.
    """
    for mistake in exercise.spec.misconception:
        for hint in (mistake.hint.en, mistake.hint.zh):
            told = f"exercises/{exercise.id}.mistakes.json"
            assert set(found_in(json.dumps(hint, ensure_ascii=False)[1:-1])) <= {told}
        if "_" in mistake.name:
            assert found_in(mistake.name) == [], mistake.name
        for line in "\n".join(edit.with_ for edit in mistake.changes).splitlines():
            if len(line.replace(" ", "")) >= 24:  # shorter ones are common code
                assert found_in(line.strip()) == [], f"{mistake.name}: {line}"


def test_nothing_of_the_hidden_side_by_name() -> None:
    for word in ("BEGIN SOLUTION", "END SOLUTION", "[[misconception]]", "solutions/"):
        assert found_in(word) == [], word
