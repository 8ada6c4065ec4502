"""`init`: a course outside this repository, from an empty folder to grades."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from autograder.authoring.init import init_course
from autograder.course import Course, CourseError

ANSWER = "def first(x):\n    return x.clamp(min=0)\n"


def test_from_an_empty_folder_to_grades(
    tmp_path: Path, cli: Callable[..., Any], hand_in: Callable[..., Path], shared_sandbox: Any
) -> None:
    """In English alone: nothing asks for a Chinese text."""
    root = tmp_path / "my_course"
    said = cli("init", root, "--languages", "en")
    assert (said.code, said.out.splitlines()[0]) == (0, str(root / "README.md"))
    of_it = ("--course", root)
    assert cli("new", "basics/second", "--tier", "short", *of_it).code == 0
    assert cli("new", "basics/quiz", "--kind", "quiz", "--tier", "short", *of_it).code == 0
    assert cli("build", *of_it).code == 0

    said = cli("audit", "--json", *of_it)
    owed = {
        (exercise["exercise"], point["number"]): point["problems"]
        for exercise in json.loads(said.out)["exercises"]
        for point in exercise["points"]
        if point["problems"]
    }
    assert owed == {("basics/quiz", 8): ["4 questions; write 8 to 12"]}

    folder = hand_in("s001", {"rectify.py": ANSWER, "second.py": ANSWER.replace("x.clamp(min=0)", "x")})
    said = cli("grade", folder, "--gradebook", tmp_path / "book.db", "--json", *of_it)
    results = {result["exercise"]: result for result in json.loads(said.out)["results"]}
    assert results["basics/rectify"]["score"] == results["basics/rectify"]["max_score"] == 4.0
    assert results["basics/second"]["score"] == 0.0
    assert {test["diagnosis"] for test in results["basics/second"]["tests"]} == {"identity"}

    assert cli("release", tmp_path / "out", "--to", "plain", *of_it).code == 0
    released = Course.load(tmp_path / "out")
    assert released.languages == ("en",)
    assert [exercise.id for exercise in released] == ["basics/rectify", "basics/second", "basics/quiz"]
    assert not released.has_solutions


def test_in_both_languages(tmp_path: Path) -> None:
    course = init_course(tmp_path / "my_course")
    assert course.languages == ("en", "zh")
    assert course.exercise("rectify").lesson("zh").is_file()
    assert "## 中文" in (course.root / "README.md").read_text(encoding="utf-8")


def test_its_tests_run_under_pytest(tmp_path: Path, python: Callable[..., Any]) -> None:
    course = init_course(tmp_path / "my_course", ["en"])
    course.exercise("rectify").skeleton.write_text(ANSWER)
    done = python("-m", "pytest", "exercises/", "-p", "no:cacheprovider", cwd=course.root)
    assert "1 of 1" in done.stdout or "1/1" in done.stdout, done.stdout


def test_a_folder_that_holds_something(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(CourseError, match=r"holds notes\.txt; name a folder that is empty or new"):
        init_course(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_a_file_in_its_place(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("mine")
    with pytest.raises(CourseError, match="can't be made a folder"):
        init_course(tmp_path / "taken")


def test_any_name_of_the_folder(tmp_path: Path) -> None:
    assert init_course(tmp_path / 'a "course"', ["en"]).title.en == "A course"
