"""The eight points of an exercise's audit."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from pathlib import Path

from msgspec import Struct

from autograder.audit.cheap import KINDS, cheap_answer
from autograder.audit.lessons import lesson_problems
from autograder.audit.quiz import form_problems, guess_problems, link_problems
from autograder.authoring.build import generate, stale
from autograder.authoring.script import find_blocks, questions, surviving_lines
from autograder.course import Course, Exercise, Misconception
from autograder.errors import UserError
from autograder.grading.bundle import Bundle, bundle_of
from autograder.grading.grader import ExerciseGrader
from autograder.grading.submissions import Submission
from autograder.grading.worker import Mode, Worker
from autograder.results import ExerciseResult, Outcome, Visibility, total
from autograder.runner.collect import TestCase
from autograder.runner.run import Ending
from autograder.text import Text

MISCONCEPTIONS = 8  # at least
ACCEPTED = 2  # at least
HINT_WORDS = 120  # at most
CPU_SECONDS = 40.0  # at most: twenty seconds on two cores
ORACLE_SECONDS = 300

TITLES = {
    1: Text("reference and accepted solutions", "参考答案与其他正确解法"),
    2: Text("skeleton", "骨架"),
    3: Text("misconceptions", "常见误解"),
    4: Text("cheap answers", "敷衍的答案"),
    5: Text("oracle", "独立对照"),
    6: Text("leaks and freshness", "泄漏与新鲜度"),
    7: Text("lessons", "讲义"),
    8: Text("form and cost", "格式与开销"),
}


class Point(Struct, frozen=True):
    """One point of the audit: green, or the problems found."""

    number: int
    title: Text
    summary: str
    problems: tuple[str, ...]

    @property
    def green(self) -> bool:
        return not self.problems


class ExerciseAudit(Struct, frozen=True):
    """The audit of one exercise."""

    exercise: str
    green: bool
    seconds: float  # of CPU, all processes together
    points: tuple[Point, ...]


class Auditor:
    """Audits exercises, with one worker for all. A context manager."""

    def __init__(self, course: Course) -> None:
        self.course = course
        self.worker = Worker(Mode(hide=(course.root,)))

    def __enter__(self) -> Auditor:
        return self

    def __exit__(self, *exception: object) -> None:
        self.worker.close()

    def audit(self, exercise: Exercise) -> ExerciseAudit:
        """All eight points, each reported whatever the others say."""
        started = _cpu_seconds()
        points = []
        for number, check in enumerate(_Subject(exercise, self.worker).checks(), 1):
            try:
                summary, problems = check()
            except UserError as error:
                summary, problems = "", [str(error)]
            if number == 8 and _cpu_seconds() - started > CPU_SECONDS:
                problems = [
                    *problems,
                    f"the audit took more than {CPU_SECONDS:g} s of CPU; make the tests smaller",
                ]
            points.append(Point(number, TITLES[number], summary, tuple(problems)))
        green = all(point.green for point in points)
        return ExerciseAudit(exercise.id, green, _cpu_seconds() - started, tuple(points))


def _cpu_seconds() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


Finding = tuple[str, Sequence[str]]  # what was shown, and what was wrong


class _Subject:
    """One exercise under audit: its bundle, and a grader in each mode, made when first needed."""

    def __init__(self, exercise: Exercise, worker: Worker) -> None:
        self.exercise = exercise
        self.worker = worker

    def checks(self) -> list[Callable[[], Finding]]:
        if self.exercise.kind == "quiz":
            replaced: list[Callable[[], Finding]] = [
                lambda: ("no one letter answers most questions", guess_problems(self.exercise.quiz)),
                lambda: ("not asked of a quiz", []),
                self.leaks,
                lambda: ("each question links to a heading, in both languages", link_problems(self.exercise)),
            ]
        else:
            replaced = [
                self.cheap_answers,
                self.oracle,
                self.leaks,
                lambda: ("both lessons' cells run and their links resolve", lesson_problems(self.exercise)),
            ]
        return [self.correct_answers, self.skeleton, self.misconceptions, *replaced, self.form]

    @cached_property
    def bundle(self) -> Bundle:
        return bundle_of(self.exercise)

    @cached_property
    def confined(self) -> ExerciseGrader:
        return self.worker.grader(self.bundle)

    @cached_property
    def local(self) -> ExerciseGrader:
        return Worker(Mode(unsafe=True)).grader(self.bundle)

    @property
    def solution(self) -> str:
        return self.bundle.solution.decode()

    @property
    def name(self) -> str:
        return str(self.exercise.solution.relative_to(self.exercise.root))

    @property
    def cases(self) -> list[TestCase]:
        return self.confined.cases

    def _grade(self, source: str) -> ExerciseResult:
        main = f"{self.exercise.topic}.py"
        return self.confined.grade(Submission("audit", self.exercise.id, main, main, {main: source.encode()}))

    def _in_process(self, source: str, who: str, isolated: Sequence[Outcome]) -> list[str]:
        """Every test whose verdict in process differs from the isolated one."""
        if Outcome.TIMEOUT in isolated:
            return []  # in process nothing would end it
        main = f"{self.exercise.topic}.py"
        local, _, _ = self.local.run({main: source.encode()}, main)
        return [
            f"{who}: {case.name} is {outcome.value} isolated but {ending.outcome.value} in process{_because(ending)}"
            for case, outcome, ending in zip(self.cases, isolated, local, strict=True)
            if (outcome is Outcome.PASSED) != ending.passed
        ]

    # ------------------------------------------------------------------------------------------ the points

    def correct_answers(self) -> Finding:
        answers = {"the reference": self.solution}
        answers |= {
            str(path.relative_to(self.exercise.root)): path.read_text(encoding="utf-8")
            for path in self.exercise.accepted
        }
        problems = []
        if len(answers) < 1 + ACCEPTED and self.exercise.kind != "quiz":
            problems.append(
                f"{len(answers) - 1} accepted solutions; write at least {ACCEPTED} in other styles"
            )
        main = f"{self.exercise.topic}.py"
        for who, source in answers.items():
            endings, _, _ = self.confined.run({main: source.encode()}, main)
            problems += self._in_process(source, who, [ending.outcome for ending in endings])
            problems += [
                f"{who} fails {case.name}: {ending.outcome.value}{_because(ending)}"
                for case, ending in zip(self.cases, endings, strict=True)
                if not ending.passed
            ]
        points = total(case.points for case in self.cases)
        return f"{len(answers)} score {points:g} of {points:g}, in process and isolated", problems

    def skeleton(self) -> Finding:
        text = generate(self.exercise)[self.exercise.skeleton]
        names = questions(self.solution, self.name)
        result = self._grade(text)
        said = {(test.question or "").split(".")[0] for test in result.tests}
        problems = [f"no test says that {name} is not implemented" for name in names if name not in said]
        problems += [
            f"{test.name} is {test.outcome.value} on the untouched skeleton, not not_implemented"
            for test in result.tests
            if test.outcome is not Outcome.NOT_IMPLEMENTED
        ]
        return f"scores 0; {len(names)} questions say not implemented", problems

    def misconceptions(self) -> Finding:
        mistakes = self.exercise.spec.misconception
        problems = []
        if len(mistakes) < MISCONCEPTIONS:
            problems.append(f"{len(mistakes)} misconceptions; write at least {MISCONCEPTIONS}")
        touched: set[str] = set()
        for mistake in mistakes:
            try:
                source = mistake.apply(self.solution)
            except ValueError as error:
                problems.append(str(error))
                continue
            touched |= self._questions_touched(mistake)
            problems += self._misconception(mistake, source)
        problems += [
            f"no misconception concerns {name}"
            for name in questions(self.solution, self.name)
            if name not in touched
        ]
        return f"{len(mistakes)} caught where they say, and diagnosed as themselves", problems

    def _questions_touched(self, mistake: Misconception) -> set[str]:
        touched = set()
        for edit in mistake.changes:
            first = self.solution[: self.solution.index(edit.replace)].count("\n") + 1
            last = first + edit.replace.count("\n")
            blocks = find_blocks(self.solution, self.name)
            touched |= {block.question for block in blocks if block.first <= last and first <= block.last}
        return touched

    def _misconception(self, mistake: Misconception, source: str) -> list[str]:
        who = f"misconception {mistake.name!r}"
        hidden = [case for case in self.cases if case.visibility is Visibility.HIDDEN]
        if mistake.caught not in {case.function_name for case in hidden}:
            return [f"{who}: there is no hidden test {mistake.caught!r}"]
        result = self._grade(source)
        problems = self._in_process(source, who, [test.outcome for test in result.tests])
        at_named = [test for test in result.tests if test.name.split("[")[0] == mistake.caught]
        lost = [test for test in at_named if test.score < test.max_score]
        if not lost:
            problems.append(f"{who} loses nothing at {mistake.caught}; strengthen that test")
        elif not any(test.diagnosis == mistake.name for test in lost):
            others = sorted({test.diagnosis or "nothing" for test in lost})
            problems.append(
                f"{who} is diagnosed as {', '.join(others)} at {mistake.caught}; tell them apart or drop one"
            )
        if len(mistake.hint.en.split()) > HINT_WORDS:
            problems.append(f"{who}: the hint has more than {HINT_WORDS} words")
        return problems

    def cheap_answers(self) -> Finding:
        names = questions(self.solution, self.name)
        problems = []
        for kind in KINDS:
            result = self._grade(cheap_answer(self.solution, kind, names))
            problems += [
                f"{kind} answers earn {test.score:g} at {test.name}; make it fail them"
                for test in result.tests
                if test.visibility is Visibility.HIDDEN and test.score > 0
            ]
        return f"{', '.join(KINDS)} earn no hidden point", problems

    def oracle(self) -> Finding:
        path = self.exercise.oracle_tests
        name = path.relative_to(self.exercise.root)
        if not path.is_file() or self.exercise.id not in path.read_text(encoding="utf-8"):
            return "", [
                f"{name} holds no test of {self.exercise.id}; check the reference against {self.exercise.spec.oracle}"
            ]
        command = [sys.executable, "-m", "pytest", "-q", "--tb=line", "-p", "no:cacheprovider", str(path)]
        tests = [
            node.name
            for node in ast.parse(path.read_text(encoding="utf-8")).body
            if isinstance(node, ast.FunctionDef)
        ]
        if any(test.startswith("test_") and self.exercise.topic in test for test in tests):
            command += ["-k", self.exercise.topic]
        done = subprocess.run(
            command, cwd=self.exercise.root, capture_output=True, text=True, timeout=ORACLE_SECONDS,
            env={key: value for key, value in os.environ.items() if not key.startswith("PYTEST_")},
        )  # fmt: skip
        last = (done.stdout.strip().splitlines() or ["no output"])[-1]
        # pytest's exit status 0 also covers a run in which everything was skipped.
        ran = done.returncode == 0 and "passed" in last and "skipped" not in last
        return f"{last} ({self.exercise.spec.oracle})", [] if ran else [f"{name}: {last}"]

    def leaks(self) -> Finding:
        problems = [
            f"{path.relative_to(self.exercise.root)} is not what a fresh build gives; run `autograder build {self.exercise.id}`, "
            "with --force if it was edited by hand"
            for path in stale(self.exercise)
        ]
        searched = 0
        for path in _student_files(self.exercise.root):
            searched += 1
            survivors = surviving_lines(self.solution, self.name, path.read_text(encoding="utf-8"))
            problems += [
                f"{path.relative_to(self.exercise.root)} holds the solution line {line!r}"
                for line in survivors
            ]
        return f"fresh; no solution line in {searched} files that students see", problems

    def form(self) -> Finding:
        problems = []
        for case in self.cases:
            if not case.sentence.en or not case.sentence.zh:
                problems.append(
                    f"{case.name}: the docstring needs one sentence in English and one after `zh:`"
                )
            if case.visibility is Visibility.PUBLIC and "reference" in case.fixtures:
                problems.append(
                    f"{case.name} is public and can't use `reference`; write the expected values down"
                )
        full = total(case.points for case in self.cases)
        public = total(case.points for case in self.cases if case.visibility is Visibility.PUBLIC)
        summary = f"{len(self.cases)} tests, {full:g} points, {public:g} of them public"
        if self.exercise.kind == "quiz":
            return summary, [*problems, *form_problems(self.exercise.quiz)]
        if not 0.2 <= public / full <= 0.45:
            problems.append(f"{public:g} of {full:g} points are public; about a third should be")
        names = questions(self.solution, self.name)
        spec = self.exercise.spec
        problems += [
            f"no hint for {name}" for name in names if name not in {hint.question for hint in spec.hint}
        ]
        return summary, problems


def _because(ending: Ending) -> str:
    """The first line of an ending's error, for the author."""
    text = str(ending.error).strip() if ending.error is not None else ""
    return f" ({type(ending.error).__name__}: {text.splitlines()[0][:200]})" if text else ""


def _student_files(root: Path) -> Iterator[Path]:
    """Every text file a student receives."""
    for tree in ("exercises", "course"):
        for path in sorted((root / tree).rglob("*")):
            if path.suffix in (".py", ".toml", ".md", ".ipynb") and "__pycache__" not in path.parts:
                yield path
