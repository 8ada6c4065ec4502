"""The public tests of many files in a process of their own, for places where nobody sits and watches.

A file that ends or hangs its process costs its own exercise and no other, and what learners' code and tests print goes
nowhere: a line of a workflow's log can be a command to whatever runs the workflow.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import msgspec
from msgspec.structs import replace

from autograder.course import Course, CourseError, Exercise
from autograder.feedback.report import Report
from autograder.results import Outcome, TestResult, Visibility, function_of, total
from autograder.text import Text, printable, shortened

SECONDS = 120  # for one exercise; its tests take a few
MESSAGE = 2000  # characters
MOST_TESTS = 1000  # of one exercise
OWN_VARIABLES = ("GITHUB_", "RUNNER_", "ACTIONS_", "INPUT_")  # the runner's: files and tokens that steer it
ENDED = Text(
    "Your code ended the Python process, or ran longer than {seconds} s; the tests of this exercise did not finish.",
    "代码使 Python 进程退出，或运行超过 {seconds} 秒；这道题的测试没有跑完。",
)
TWO = Text(
    "There is work in both {first} and {second}. Only one of them can be handed in: take the other back to what it was.",
    "{first} 和 {second} 里都有作答，只能提交其中一个：请把另一个恢复原样。",
)
BROKEN = Text(
    "The public tests can't be run: {reason}. Take back the files that were given to you.",
    "无法运行公开测试：{reason}。请恢复原来的文件。",
)

TOO_MANY = Text("there are {n} tests, more than {most}", "有 {n} 个测试，多于 {most} 个")


class Said(msgspec.Struct):
    """What the process says of one file: first what its tests are worth, then how they went."""

    path: str
    points: float = 0.0
    tests: list[TestResult] = []
    problem: Text | None = None


def reports(course: Course, exercises: Sequence[Exercise], lang: str) -> list[Report]:
    """One report for each exercise, on whichever of its forms, script or notebook, was begun."""
    forms = {exercise.id: _forms(course, exercise) for exercise in exercises}
    said = _run(course, [(name, path) for name, paths in forms.items() for path in paths], lang)
    return [_report(course, exercise, forms[exercise.id], said, lang) for exercise in exercises]


def not_begun(tests: Iterable[TestResult]) -> bool:
    """Whether no question was begun."""
    return all(test.outcome is Outcome.NOT_IMPLEMENTED for test in tests)


def _forms(course: Course, exercise: Exercise) -> list[Path]:
    notebook = course.root / "notebooks" / exercise.unit / f"{exercise.topic}.ipynb"
    found = [path for path in (exercise.skeleton, notebook) if path.is_file()]
    if not found:
        raise CourseError(
            f"{exercise.skeleton} is missing; take it back from what was given to you",
            f"缺少 {exercise.skeleton}；请从发给你的文件中恢复它",
        )
    return found


def _report(
    course: Course,
    exercise: Exercise,
    forms: Sequence[Path],
    said: Mapping[Path, list[TestResult]],
    lang: str,
) -> Report:
    begun = [path for path in forms if not not_begun(said[path])]
    ran = [path for path in begun if [test.name for test in said[path]] != [exercise.topic]]
    if len(begun) > 1 and ran:
        first, second = (path.relative_to(course.root).as_posix() for path in begun)
        points = total(test.max_score for test in said[begun[0]])
        tests = [_whole(exercise, points, TWO.format(first=first, second=second))]
    else:
        tests = said[(begun or forms)[0]]
    return Report(exercise.id, exercise.public.title.text.pick(lang), tests, lang)


def _whole(exercise: Exercise, points: float, message: Text) -> TestResult:
    """One result that stands for all tests of an exercise. Points that nobody could count are at least one."""
    return TestResult(
        name=exercise.topic,
        visibility=Visibility.PUBLIC,
        outcome=Outcome.ERROR,
        score=0.0,
        max_score=points or 1.0,
        message=message,
    )


def _run(course: Course, wanted: Sequence[tuple[str, Path]], lang: str) -> dict[Path, list[TestResult]]:
    """The tests of each file. A process that ends early is started again behind the file that ended it."""
    found: dict[Path, list[TestResult]] = {}
    names = {path: name for name, path in wanted}
    kept = {name: value for name, value in os.environ.items() if not name.startswith(OWN_VARIABLES)}
    with tempfile.TemporaryDirectory(prefix="autograder-") as folder:
        while waiting := [(name, path) for name, path in wanted if path not in found]:
            answers = Path(folder) / f"{len(found)}.jsonl"
            task = json.dumps([str(course.root), lang, str(answers), [(n, str(p)) for n, p in waiting]])
            subprocess.run(
                # -P: a file of the learner's in this folder is no module of ours.
                [sys.executable, "-P", "-m", "autograder.platforms.github.public_run"],
                input=task.encode(),
                env=kept,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            points: dict[Path, float] = {}
            for said in _answers(answers):
                path = Path(said.path)
                points[path] = said.points
                if said.problem is not None:
                    exercise = course.exercise(names[path])
                    found[path] = [_whole(exercise, said.points, BROKEN.format(reason=said.problem))]
                elif said.tests:
                    found[path] = [_bounded(test) for test in said.tests[:MOST_TESTS]]
            for name, path in waiting:
                if path not in found:
                    ended = ENDED.format(seconds=SECONDS)
                    found[path] = [_whole(course.exercise(name), points.get(path, 0.0), ended)]
                    break
    return found


def _bounded(test: TestResult) -> TestResult:
    """A test's result, no longer than people read it: names, and the lines of code in a message, are the learner's."""
    message = Text(*(printable(text, MESSAGE) for text in (test.message.en, test.message.zh)))
    function = function_of(test.name)
    name = shortened(function) + shortened(test.name.removeprefix(function))
    return replace(test, name=name, message=message)


def _answers(path: Path) -> Iterator[Said]:
    for line in path.read_bytes().splitlines() if path.is_file() else ():
        try:
            yield msgspec.json.decode(line, type=Said)
        except msgspec.DecodeError:
            return  # cut off in the middle of a line


def serve() -> None:
    """The process itself: test one file after another, and write down what came out."""
    import faulthandler

    from autograder.learn.check import check_file
    from autograder.runner.collect import collect

    root, lang, answers, wanted = json.load(sys.stdin)
    course = Course.load(Path(root), authoring=True)
    with Path(answers).open("ab") as out:

        def say(said: Said) -> None:
            out.write(msgspec.json.encode(said) + b"\n")
            out.flush()

        for name, path in wanted:
            faulthandler.dump_traceback_later(SECONDS, exit=True)
            exercise, worth = course.exercise(name), 0.0
            try:
                cases = collect(exercise.public_tests, Visibility.PUBLIC)
                worth = total(case.points for case in cases)
                if len(cases) > MOST_TESTS:
                    many = TOO_MANY.format(n=len(cases), most=MOST_TESTS)
                    say(Said(path, worth, problem=many))
                    continue
                say(Said(path, worth))
                say(Said(path, worth, list(check_file(exercise, lang, Path(path)).tests)))
            except CourseError as error:
                say(Said(path, worth, problem=error.text))
    os._exit(0)  # threads and exit handlers of the learner's are not waited for


if __name__ == "__main__":
    serve()
