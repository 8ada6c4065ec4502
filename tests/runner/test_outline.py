"""What is read from the text of test files is what collecting them finds."""

from __future__ import annotations

from pathlib import Path

import pytest

from autograder.course import Course
from autograder.results import Outcome, TestResult, Visibility
from autograder.runner.collect import collect
from autograder.runner.outline import read_outline

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("name", ["distributed/zero", "attention/quiz", "blocks/activations"])
def test_questions_and_sentences(name: str) -> None:
    """In these exercises parameters name questions, or every test is generated."""
    exercise = Course.load(ROOT).exercise(name)
    outline = read_outline(exercise)
    files = ((exercise.public_tests, Visibility.PUBLIC), (exercise.hidden_tests, Visibility.HIDDEN))
    cases = [case for path, visibility in files for case in collect(path, visibility)]
    assert len(cases) > 10
    for case in cases:
        result = TestResult(
            name=case.name, visibility=case.visibility, outcome=Outcome.PASSED, score=0.0, max_score=0.0
        )
        assert outline.question(result) == case.question(exercise.public.questions), case.name
        assert outline.sentence(result) == case.sentence, case.name
