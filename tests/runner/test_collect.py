"""Collecting a test file: points, limits, sentences, and the rules a test file must keep."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from autograder.course import CourseError
from autograder.results import Limits, Visibility
from autograder.runner.collect import TestCase, collect, sentence_of
from autograder.text import Text

Collect = Callable[..., list[TestCase]]


@pytest.fixture
def cases(tmp_path: Path) -> Collect:
    def write(
        source: str, name: str = "test_toy.py", visibility: Visibility = Visibility.HIDDEN
    ) -> list[TestCase]:
        path = tmp_path / "solutions" / "unit" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("import pytest\n" + source, encoding="utf-8")
        return collect(path, visibility)

    return write


def test_a_unit_takes_no_library_s_name(tmp_path: Path) -> None:
    """Units are called peft, tokenizers and distributed; who collects their tests can still import those."""
    path = tmp_path / "exercises" / "antigravity" / "test_toy.py"
    path.parent.mkdir(parents=True)
    path.write_text("def test_a(student):\n    pass\n", encoding="utf-8")
    (case,) = collect(path, Visibility.PUBLIC)
    assert case.function.__module__ == "exercises.antigravity.test_toy"
    assert "antigravity" not in sys.modules


def test_one_test(cases: Collect) -> None:
    (case,) = cases('def test_a(student):\n    """One thing.\n\n    zh: 一件事。\n    """\n')
    assert (case.name, case.function_name, case.points) == ("test_a", "test_a", 1.0)
    assert case.fixtures == ("student",)
    assert case.sentence == Text("One thing.", "一件事。")
    assert case.visibility is Visibility.HIDDEN
    assert case.limits(Limits(7.0, 100)) == Limits(7.0, 100)


def test_parameters_share_points(cases: Collect) -> None:
    found = cases(
        "@pytest.mark.points(3)\n"
        "@pytest.mark.parametrize('n', [1, 2])\n"
        "@pytest.mark.parametrize('name', ['x', 'y', 'z'])\n"
        "def test_a(student, n, name): pass\n"
        "@pytest.mark.points(0.5)\n"
        "def test_b(student): pass\n"
    )
    assert len(found) == 7
    assert all(case.points == 0.5 for case in found)
    assert sum(case.points for case in found if case.function_name == "test_a") == pytest.approx(3)
    assert found[0].parameters == {"n": 1, "name": "x"}
    assert found[0].name == "test_a[x-1]"
    assert found[0].fixtures == ("student",)


def test_own_limits(cases: Collect) -> None:
    found = cases(
        "@pytest.mark.limits(memory_mb=64)\ndef test_a(student): pass\n"
        "@pytest.mark.limits(seconds=9, memory_mb=1)\ndef test_b(student): pass\n"
    )
    assert found[0].limits(Limits(3.0, 512)) == Limits(3.0, 64)
    assert found[1].limits(Limits(3.0, 512)) == Limits(9, 1)


def test_calling_a_case(cases: Collect) -> None:
    (case,) = cases(
        "@pytest.mark.parametrize('n', [4])\ndef test_a(student, gradients, n): assert student == n\n"
    )
    case.call({"student": 4, "gradients": None, "reference": None})
    with pytest.raises(AssertionError, match="assert 5 == 4"):  # pytest rewrote the assertion
        case.call({"student": 5, "gradients": None, "reference": None})


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("def test_a(student, tmp_path): pass\n", "fixture 'tmp_path'; it may use student, reference"),
        ("@pytest.mark.usefixtures('monkeypatch')\ndef test_a(student): pass\n", "'monkeypatch'"),
        ("class TestA:\n    def test_a(self, student): pass\n", "plain functions"),
        ("def helper(): pass\n", "holds no tests"),
        ("def test_a(student:\n", "can't be collected"),
        ("import no_such_library\ndef test_a(student): pass\n", "no_such_library"),
        ("@pytest.mark.points()\ndef test_a(student): pass\n", "points(2)"),
        ("@pytest.mark.points('two')\ndef test_a(student): pass\n", "points(2)"),
        ("@pytest.mark.points(-1)\ndef test_a(student): pass\n", "points(2)"),
        ("@pytest.mark.limits(minutes=1)\ndef test_a(student): pass\n", "minutes"),
        ("@pytest.mark.limits(5)\ndef test_a(student): pass\n", "seconds=... and memory_mb=..."),
        ("@pytest.mark.parametrize('n', [1])\ndef test_a(student): pass\n", "can't be collected"),
    ],
)  # fmt: skip
def test_rules(cases: Collect, source: str, problem: str) -> None:
    with pytest.raises(CourseError) as caught:
        cases(source)
    assert problem in str(caught.value)
    assert "test_toy.py" in str(caught.value)


def test_a_changed_file_is_read_again(cases: Collect) -> None:
    assert [case.name for case in cases("def test_a(student): pass\n")] == ["test_a"]
    assert [case.name for case in cases("def test_b(student): pass\n")] == ["test_b"]


def test_the_learner_s_pytest_options_do_not_matter(cases: Collect, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTEST_ADDOPTS", "-k nothing --no-such-option")
    assert len(cases("def test_a(student): pass\n")) == 1
    assert os.environ["PYTEST_ADDOPTS"] == "-k nothing --no-such-option"


def test_a_configuration_file_above_does_not_matter(cases: Collect, tmp_path: Path) -> None:
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = --no-such-option\n")
    (tmp_path / "solutions").mkdir()
    (tmp_path / "solutions" / "conftest.py").write_text("raise RuntimeError('not for the grader')\n")
    assert len(cases("def test_a(student): pass\n")) == 1


def test_no_folder_above_is_listed(cases: Collect, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Other programs make and remove files there, a grader's neighbours in /tmp among them."""
    listed: list[str] = []
    scandir = os.scandir

    def spy(path: str) -> object:
        listed.append(str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", spy)
    cases("def test_a(student): pass\n")
    assert set(listed) == {str(tmp_path / "solutions" / "unit")}


@pytest.mark.parametrize(
    ("docstring", "sentence"),
    [
        (None, Text()),
        ("", Text()),
        ("One.", Text("One.", "")),
        ("One\nand a half.\n\nzh: 一。", Text("One and a half.", "一。")),
        ("zh: 一。", Text("", "一。")),
        ("One.\nzh: 一。\nFor authors only.", Text("One.", "一。")),
    ],
)
def test_sentences(docstring: str | None, sentence: Text) -> None:
    assert sentence_of(docstring) == sentence


@pytest.mark.parametrize(
    ("source", "question"),
    [
        ("def test_a(student): student.first(1)", "first"),
        ("def test_a(student): student.second(student.first(1))", "second"),
        ("def test_a(student): student.first(student.second(1))", "second"),
        ("def test_a(ranks): ranks(4, 'second', 1)", "second"),
        ("def run(student): return student.first\ndef test_a(student): run(student)", "first"),
        ("def run(student): return again(student)\ndef again(student): return run(student) or student.second\n"
         "def test_a(student): run(student)\ndef test_b(student): student.first", "second"),
        ("@pytest.mark.parametrize('name', ['first'])\ndef test_a(student, name): getattr(student, name)", "first"),
        ("def test_a(student): vars(student)", "third"),
    ],
)  # fmt: skip
def test_question(cases: Collect, source: str, question: str) -> None:
    """A test belongs to the last question that it uses, by itself or through a helper; one that names none, to the last."""
    assert cases(source)[0].question(("first", "second", "third")) == question
