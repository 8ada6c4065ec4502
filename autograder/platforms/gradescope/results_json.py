"""Results as Gradescope's `results.json`.

Whatever is written here can be read by the student, if not on the page then by a later submission: Gradescope puts
earlier results into that container. So a hidden test has a number in place of its name, and the reason why something
stayed ungraded is printed for the instructor instead.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from autograder.course.outputs import write_atomically
from autograder.feedback.standing import NOT_GRADED_YET, standing
from autograder.grading.bundle import ENGINE
from autograder.results import (
    ExerciseResult,
    Outcome,
    Status,
    TestResult,
    Unrecognised,
    Visibility,
    function_of,
    total,
)
from autograder.text import Text, shortened

UNGRADED = (
    "ungraded"  # the tag, and the key in extra_data, by which an instructor finds what is to be run again
)

SHOWN = 10  # files that were not recognised

HIDDEN = Text("hidden {number}", "隐藏测试 {number}")
NOT_GRADED = Text("NOT GRADED: {topic}", "未评分：{topic}")
ATTENTION = Text(
    "NOT GRADED YET: {names}. The score below leaves this out; your instructor has to run the autograder again.",
    "尚未评分：{names}。下面的得分不含这些题目，需要教师重新运行评分程序。",
)
NOT_RECOGNISED = Text(
    "Not recognised, and not graded: {files}. If one answers an exercise, give it the exercise's name and hand in again.",
    "未识别、未评分：{files}。若其中有某题的答案，请以该题命名后重新提交。",
)
LOOKS_LIKE = Text("{file} (looks like {exercises})", "{file}（像是 {exercises}）")


class GradescopeReport:
    """The report on one submission. Exercises that have no result yet stand in it as not graded.

    Args:
        lang: the language of all texts.
        exercises: id, title and points of each, in order.
    """

    def __init__(self, lang: str, exercises: Sequence[tuple[str, Text, float]]) -> None:
        self.lang = lang
        self.exercises = exercises
        self.results: dict[str, ExerciseResult] = {}
        self.unrecognised: Sequence[Unrecognised] = ()

    def add(self, result: ExerciseResult) -> None:
        self.results[result.exercise] = result

    def write(self, path: Path) -> None:
        """Replace the file at once: whoever reads it finds a whole one, whenever this process is ended."""
        write_atomically(path, self.json())

    def json(self) -> bytes:
        return msgspec.json.format(msgspec.json.encode(self.data()))

    def data(self) -> dict[str, Any]:
        """The document. `score` is ours; that of the rows adds up to it."""
        graded = {name: r for name, r in self.results.items() if r.status is not Status.UNGRADED}
        open_ones = [name for name, _, _ in self.exercises if name not in graded]
        rows = [row for number in range(len(self.exercises)) for row in self._rows(number)]
        return {
            "score": total(result.score or 0.0 for result in graded.values()),
            "output": "\n\n".join(self._remarks(open_ones)),
            "visibility": "visible",
            "stdout_visibility": "hidden",
            "tests": rows,
            "extra_data": {
                "engine": ENGINE,
                "isolation": {name: result.isolation for name, result in graded.items()},
                UNGRADED: open_ones,
            },
        }

    def _remarks(self, open_ones: Sequence[str]) -> Iterator[str]:
        """What is said above the rows."""
        if open_ones:
            yield ATTENTION.pick(self.lang).format(names=", ".join(open_ones))
        if self.unrecognised:
            files = [
                LOOKS_LIKE.pick(self.lang).format(
                    file=shortened(file.path), exercises=", ".join(file.looks_like)
                )
                if file.looks_like
                else shortened(file.path)
                for file in self.unrecognised[:SHOWN]
            ]
            more = len(self.unrecognised) - SHOWN
            files += [f"+{more}"] if more > 0 else []
            yield NOT_RECOGNISED.pick(self.lang).format(files=", ".join(files))

    def _rows(self, index: int) -> Iterator[dict[str, Any]]:
        """The rows of one exercise: one, or one for each test function and each question that is not begun."""
        name, title, points = self.exercises[index]
        topic = name.split("/")[1]
        result = self.results.get(name)
        if result is None or result.status is Status.UNGRADED:
            yield {
                **self._row(f"{index + 1}", NOT_GRADED.pick(self.lang).format(topic=topic), NOT_GRADED_YET),
                "tags": [UNGRADED],
            }
        elif result.status is Status.GRADED:
            for row, (label, tests) in enumerate(self._groups(result.tests), 1):
                yield self._scored(f"{index + 1}.{row}", f"{topic} · {label}", _told(tests), tests)
        else:
            message = standing(result.status, result.message, topic)
            label = f"{topic} · {title.pick(self.lang)}"
            yield {
                **self._row(f"{index + 1}", label, message),
                "score": result.score or 0.0, "max_score": points, "status": "failed",
            }  # fmt: skip

    def _groups(self, tests: Iterable[TestResult]) -> list[tuple[str, list[TestResult]]]:
        """The parameter sets of a test function belong together, and so does what waits for the same question."""
        groups: dict[tuple[str, str], list[TestResult]] = {}
        for test in tests:
            unanswered = test.outcome is Outcome.NOT_IMPLEMENTED and test.question
            key = ("question", test.question) if unanswered else (test.visibility, function_of(test.name))
            groups.setdefault((key[0], key[1] or ""), []).append(test)
        labels, hidden = [], 0
        for kind, name in groups:
            hidden += kind == Visibility.HIDDEN
            shown = HIDDEN.pick(self.lang).format(number=hidden) if kind == Visibility.HIDDEN else name
            labels.append(shown)
        return list(zip(labels, groups.values(), strict=True))

    def _scored(self, number: str, name: str, message: Text, tests: Sequence[TestResult]) -> dict[str, Any]:
        passed = all(test.outcome is Outcome.PASSED for test in tests)
        return {
            **self._row(number, name, message),
            "score": total(test.score for test in tests),
            "max_score": total(test.max_score for test in tests),
            "status": "passed" if passed else "failed",
        }

    def _row(self, number: str, name: str, message: Text) -> dict[str, Any]:
        return {
            "number": number,
            "name": name,
            "output": message.pick(self.lang),
            "output_format": "text",  # never HTML: a message may quote the submission
            "visibility": "visible",
        }


def _told(tests: Sequence[TestResult]) -> Text:
    """What the first parameter set that fails has to say; a diagnosis comes before it."""
    failed = sorted(
        (test for test in tests if test.outcome is not Outcome.PASSED),
        key=lambda test: test.diagnosis is None,
    )
    return failed[0].message if failed else Text()
