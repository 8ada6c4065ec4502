"""What the tests of an exercise say and ask for, read from the text of their files: nothing of them is imported."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from autograder.course import CourseError, Exercise
from autograder.course.toml import read_text
from autograder.results import TestResult, Visibility, function_of
from autograder.runner.collect import question_of, sentence_of, uses_of
from autograder.text import Text

# pytest writes a text that is a parameter into the test's name as it is: `test_sums[first_step-4]`.
PARAMETER = re.compile(r"[^\[\]-]+")


@dataclass(frozen=True)
class Outline:
    """The questions of one exercise, in the file's order, and what is known of each test function of its two files."""

    questions: tuple[str, ...] = ()
    sentences: Mapping[tuple[Visibility, str], Text] = field(default_factory=dict)
    uses: Mapping[tuple[Visibility, str], frozenset[str]] = field(default_factory=dict)

    def sentence(self, test: TestResult) -> Text:
        """What the test checks, in words a student may read; empty where the files at hand have no such test."""
        return self.sentences.get((test.visibility, function_of(test.name)), Text())

    def question(self, test: TestResult) -> str:
        """The question that the test belongs to, as `TestCase.question` has it; "" where there is none."""
        if not self.questions:
            return ""
        uses = self.uses.get((test.visibility, function_of(test.name)), frozenset())
        parameters = PARAMETER.findall(test.name.removeprefix(function_of(test.name)))
        return question_of(uses.union(parameters), self.questions)


def read_outline(exercise: Exercise) -> Outline:
    """The outline of both test files, as far as they are at hand."""
    sentences: dict[tuple[Visibility, str], Text] = {}
    uses: dict[tuple[Visibility, str], frozenset[str]] = {}
    files = ((exercise.public_tests, Visibility.PUBLIC), (exercise.hidden_tests, Visibility.HIDDEN))
    for path, visibility in files:
        try:
            source = read_text(path)
            tree = ast.parse(source)
        except (CourseError, SyntaxError):
            continue
        for node in tree.body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                sentences[visibility, node.name] = sentence_of(ast.get_docstring(node))
        uses |= {(visibility, name): used for name, used in uses_of(source).items()}
    return Outline(exercise.public.questions, sentences, uses)
