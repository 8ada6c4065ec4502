"""`autograder try`: what an exercise's tests say of some files, side by side. Nothing is recorded."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from msgspec import Struct

from autograder.course import Course, CourseError, Edit, Exercise, Misconception
from autograder.course.spec import BothLanguages
from autograder.course.toml import read_text
from autograder.errors import UserError
from autograder.grading.bundle import bundle_of
from autograder.grading.submissions import Submission
from autograder.grading.worker import Mode, Worker
from autograder.results import ExerciseResult, Outcome, TestResult, Visibility, by_function

ARROW = "=>"


class Try(Struct, frozen=True):
    """One file, or one edit of the reference, and how it was graded."""

    name: str
    result: ExerciseResult

    @property
    def lost(self) -> dict[str, list[TestResult]]:
        """Test function -> its results that did not pass."""
        return by_function(test for test in self.result.tests if test.outcome is not Outcome.PASSED)

    @property
    def passes_public(self) -> bool:
        public = [test for test in self.result.tests if test.visibility is Visibility.PUBLIC]
        return all(test.outcome is Outcome.PASSED for test in public)

    @property
    def diagnoses(self) -> list[str]:
        """The misconceptions that were named, each once."""
        return list(dict.fromkeys(test.diagnosis for test in self.result.tests if test.diagnosis))


def sources_of(exercise: Exercise, files: Iterable[Path], edits: Iterable[str]) -> dict[str, bytes]:
    """Name -> source of what is to be tried: files, and edits of the reference written `OLD=>NEW`.

    Raises:
        UserError: a file can't be read, or an edit has no `=>`, or its old text is not in the reference exactly once.
    """
    sources = {}
    for path in files:
        try:
            sources[str(path)] = path.read_bytes()
        except OSError as error:
            raise UserError(
                f"{path} can't be read ({error.strerror}); give .py or .ipynb files",
                f"{path} 无法读取（{error.strerror}）；请给出 .py 或 .ipynb 文件",
            ) from None
    for text in edits:
        old, arrow, new = text.partition(ARROW)
        if not arrow or not old:
            raise UserError(
                f"--edit {text!r}: write OLD{ARROW}NEW, as --edit 'x + 1{ARROW}x - 1'",
                f"--edit {text!r}：请写成 原文{ARROW}新文，例如 --edit 'x + 1{ARROW}x - 1'",
            )
        mistake = Misconception("edit", "", BothLanguages("-", "-"), edits=(Edit(old, new),))
        try:
            sources[text] = mistake.apply(read_text(exercise.solution)).encode()
        except ValueError:
            raise UserError(
                f"--edit {text!r}: {old!r} must stand exactly once in {exercise.solution}; give more of its line",
                f"--edit {text!r}：{old!r} 必须在 {exercise.solution} 中恰好出现一次；请多写一些上下文",
            ) from None
    if not sources:
        raise CourseError(
            "there is nothing to try; give files, or --edit 'OLD=>NEW'",
            "没有可以尝试的内容；请给出文件，或 --edit '原文=>新文'",
        )
    return sources


def tries(course: Course, exercise: Exercise, sources: dict[str, bytes]) -> Iterator[Try]:
    """Grade each source as a submission to this exercise, confined, one after another."""
    bundle = bundle_of(exercise)
    worker = Worker(Mode(hide=(course.root,)))
    try:
        for name, source in sources.items():
            suffix = ".ipynb" if name.endswith(".ipynb") else ".py"
            main = f"{exercise.topic}{suffix}"
            yield Try(name, worker.grade(bundle, Submission("", exercise.id, name, main, {main: source})))
    finally:
        worker.close()
