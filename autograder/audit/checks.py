"""The points of an exercise's audit, each shown by running it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import cached_property

from msgspec import Struct

from autograder.audit.cheap import KINDS, cheap_answer
from autograder.audit.cpu import tree_seconds
from autograder.audit.examples import example_finding
from autograder.audit.form import Style, form_problems, size_warnings
from autograder.audit.glossary import chinese_statement, glossary_problems
from autograder.audit.leaks import StudentFiles
from autograder.audit.lessons import lesson_problems, page_problems, pages_of
from autograder.audit.paragraphs import paragraph_problems
from autograder.audit.quiz import guess_problems, link_problems, quiz_problems
from autograder.audit.reach import changed_lines, changed_names, reaches
from autograder.audit.report import Finding
from autograder.authoring.build import skeleton_of, stale
from autograder.authoring.script import find_blocks, questions
from autograder.course import Course, Exercise, Misconception
from autograder.course.glossary import Term
from autograder.course.sizes import ACCEPTED
from autograder.grading.bundle import Bundle, bundle_of
from autograder.grading.diagnosis import REFERENCE, Observation
from autograder.grading.grader import ExerciseGrader, observation
from autograder.grading.submissions import Submission
from autograder.grading.worker import Mode, Worker
from autograder.results import Outcome, Visibility, function_of, total
from autograder.runner.collect import TestCase
from autograder.runner.run import Ending

IN_PROCESS = 3  # misconceptions that are also run in process
CHEAP_SECONDS, CHEAP_FACTOR = 0.3, 5  # of CPU for a cheap answer: so many, and so many times the reference's
TIMEOUTS = 2  # of one misconception; those of its other tests would cost as much, and tell nothing new


class Shared(Struct, frozen=True):
    """What is found out once for all exercises of a run."""

    files: StudentFiles
    style: Style
    glossary: tuple[Term, ...] = ()
    counterexamples: bool = False  # whether these are asked for


class ExerciseChecks:
    """One exercise under audit: its bundle, and a grader in each mode, made when first needed."""

    def __init__(self, course: Course, exercise: Exercise, worker: Worker, shared: Shared) -> None:
        self.exercise = exercise
        self.languages = course.languages
        self.worker = worker
        self.shared = shared
        self.main = f"{exercise.topic}.py"
        self._took: dict[str, float] = {}  # CPU seconds of each test of the reference
        self.name = str(exercise.solution.relative_to(exercise.root))

    def points(self) -> Mapping[int, Callable[[], Finding]]:
        """The points that are shown for each exercise alone. The fifth, the oracle, is asked once for all."""
        is_quiz = self.exercise.kind == "quiz"
        return {
            1: self.correct_answers,
            2: self.skeleton,
            3: self.misconceptions,
            4: self.guessed_letters if is_quiz else self.cheap_answers,
            6: self.leaks,
            7: self.links if is_quiz else self.lessons,
            8: self.quiz_form if is_quiz else self.form,
            **({9: self.counterexamples} if self.shared.counterexamples else {}),
        }

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
    def cases(self) -> list[TestCase]:
        return self.confined.cases

    # ------------------------------------------------------------------------------------------ running

    def _observe(
        self,
        source: str,
        cases: Collection[TestCase],
        caught: str | None = None,
        took: dict[str, float] | None = None,
    ) -> tuple[dict[str, Ending], dict[str, Observation]]:
        """How each test ends for a program, and what the program answered on the way.

        With `caught`, the program is not run to its end once it has run out of time twice, except for one case of that
        test function. `took` is filled with the CPU seconds of each test.
        """
        endings: dict[str, Ending] = {}
        behaviour: dict[str, Observation] = {}
        timeouts = 0
        with self.confined.open(source.encode()) as backend:
            for case in cases:
                begun = case.function_name != caught or any(function_of(name) == caught for name in endings)
                if caught is not None and timeouts >= TIMEOUTS and begun:
                    continue
                began = tree_seconds() if took is not None else 0.0
                ending = endings[case.name] = self.confined.run_case(case, backend)
                if took is not None:
                    took[case.name] = tree_seconds() - began
                behaviour[case.name] = observation(ending, backend)
                timeouts += ending.outcome is Outcome.TIMEOUT
        return endings, behaviour

    @cached_property
    def reference(self) -> tuple[dict[str, Ending], dict[str, Observation]]:
        endings, behaviour = self._observe(self.solution, self.cases, took=self._took)
        self.confined.diagnostician.learn(REFERENCE, behaviour)
        return endings, behaviour

    @cached_property
    def hurried(self) -> list[TestCase]:
        """The hidden tests, with the time that an answer needs which is made from the reference's."""
        _ = self.reference
        hidden = []
        for case in self.cases:
            if case.visibility is Visibility.HIDDEN:
                seconds = CHEAP_SECONDS + CHEAP_FACTOR * self._took[case.name]
                most = case.limits(self.bundle.spec.limits).seconds
                hidden.append(replace(case, own_limits={**case.own_limits, "seconds": min(seconds, most)}))
        return hidden

    def _in_process(self, source: str, who: str, isolated: Mapping[str, Outcome]) -> list[str]:
        """Every test whose verdict in process differs from the isolated one."""
        if Outcome.TIMEOUT in isolated.values():
            return []  # in process nothing would end it
        endings, _, _ = self.local.run({self.main: source.encode(), **self.bundle.parts}, self.main)
        local = {case.name: ending for case, ending in zip(self.local.cases, endings, strict=True)}
        return [
            f"{who}: {name} is {outcome.value} isolated but {local[name].outcome.value} in process{_because(local[name])}"
            for name, outcome in isolated.items()
            if (outcome is Outcome.PASSED) != local[name].passed
        ]

    # ------------------------------------------------------------------------------------------ the points

    def correct_answers(self) -> Finding:
        accepted = {
            str(path.relative_to(self.exercise.root)): path.read_text(encoding="utf-8")
            for path in self.exercise.accepted
        }
        problems = []
        if len(accepted) < ACCEPTED and self.exercise.kind != "quiz":
            problems.append(f"{len(accepted)} accepted solutions; write at least {ACCEPTED} in other styles")
        for who, source in {"the reference": self.solution, **accepted}.items():
            endings = (self.reference if source == self.solution else self._observe(source, self.cases))[0]
            problems += self._in_process(source, who, {name: e.outcome for name, e in endings.items()})
            problems += [
                f"{who} fails {name}: {ending.outcome.value}{_because(ending)}"
                for name, ending in endings.items()
                if not ending.passed
            ]
        points = total(case.points for case in self.cases)
        summary = f"{1 + len(accepted)} score {points:g} of {points:g}, in process and isolated"
        return Finding(summary, problems)

    def skeleton(self) -> Finding:
        text = skeleton_of(self.exercise)
        names = questions(self.solution, self.name)
        submission = Submission("audit", self.exercise.id, self.main, self.main, {self.main: text.encode()})
        result = self.confined.grade(submission)
        said = {(test.question or "").split(".")[0] for test in result.tests}
        problems = [f"no test says that {name} is not implemented" for name in names if name not in said]
        problems += [
            f"{test.name} is {test.outcome.value} on the untouched skeleton, not not_implemented"
            for test in result.tests
            if test.outcome is not Outcome.NOT_IMPLEMENTED
        ]
        return Finding(f"scores 0; {len(names)} questions say not implemented", problems)

    def misconceptions(self) -> Finding:
        """Each is run once; what it answered serves its verdict, its diagnosis, and those of the others."""
        mistakes = self.exercise.spec.misconception
        problems: list[str] = []
        sources: dict[str, str] = {}
        touched: list[str] = []
        for mistake in mistakes:
            try:
                sources[mistake.name] = mistake.apply(self.solution)
            except ValueError as error:
                problems.append(str(error))
                continue
            touched += self._questions_of(sources[mistake.name])
            self.confined.diagnostician.learn(mistake.name, self._variant(mistake, sources[mistake.name]))
        for mistake in mistakes:
            if mistake.name in sources:
                problems += self._misconception(mistake)
        for name in self._sample(sources):
            seen = self.confined.diagnostician.known[name]
            outcomes = {test: observation.outcome for test, observation in seen.items()}
            problems += self._in_process(sources[name], f"misconception {name!r}", outcomes)
        problems += [
            f"no misconception concerns {name}"
            for name in questions(self.solution, self.name)
            if name not in touched
        ]
        return Finding(f"{len(mistakes)} caught where they say, and diagnosed as themselves", problems)

    def counterexamples(self) -> Finding:
        known = self.confined.counterexamples
        if known is None:
            return Finding(f"not looked for: it is a {self.exercise.kind}", [])
        sources = {}
        for mistake in self.exercise.spec.misconception:
            with suppress(ValueError):  # another point says so
                sources[mistake.name] = mistake.apply(self.solution)
        changed = {name: self._questions_of(source) for name, source in sources.items()}
        return example_finding(self.confined, known, sources, changed)

    def _variant(self, mistake: Misconception, source: str) -> dict[str, Observation]:
        """How a misconception goes through all tests. One that its edit can't show in is as for the reference."""
        _, known = self.reference
        names = changed_names(self.solution, changed_lines(self.solution, source))
        affected = [
            case
            for case in self.cases
            if case.function_name == mistake.caught or reaches(case, known[case.name].trace, names)
        ]
        _, behaviour = self._observe(source, affected, mistake.caught)
        skipped = {case.name for case in affected} - behaviour.keys()
        return {name: seen for name, seen in (known | behaviour).items() if name not in skipped}

    def _sample(self, names: Collection[str]) -> list[str]:
        """A few of the misconceptions; others when anything of the exercise changes."""

        def drawn(name: str) -> bytes:
            return hashlib.sha256(f"{self.bundle.fingerprint} {name}".encode()).digest()

        return sorted(names, key=drawn)[:IN_PROCESS]

    def _questions_of(self, source: str) -> set[str]:
        """The questions whose solution an edited source changes."""
        changed = changed_lines(self.solution, source)
        return {
            block.question
            for block in find_blocks(self.solution, self.name)
            if any(block.first <= line <= block.last for line in changed)
        }

    def _misconception(self, mistake: Misconception) -> list[str]:
        who = f"misconception {mistake.name!r}"
        hidden = {case.function_name for case in self.cases if case.visibility is Visibility.HIDDEN}
        if mistake.caught not in hidden:
            return [f"{who}: there is no hidden test {mistake.caught!r}"]
        seen = self.confined.diagnostician.known[mistake.name]
        lost = [
            name
            for name, observation in seen.items()
            if function_of(name) == mistake.caught and observation.outcome is not Outcome.PASSED
        ]
        if not lost:
            return [f"{who} loses nothing at {mistake.caught}; strengthen that test"]
        diagnoses = self.confined.diagnostician.diagnose(seen)
        if mistake.name in {diagnoses.get(name) for name in lost}:
            return []
        others = sorted({diagnoses[name] for name in lost if name in diagnoses})
        if not others:
            return [
                f"{who} is recognised at no case of {mistake.caught}: another misconception answers alike there, or the "
                "answers say too little (empty, constant, an argument given back); tell them apart or drop one"
            ]
        return [f"{who} is diagnosed as {', '.join(others)} at {mistake.caught}; tell them apart or drop one"]

    def cheap_answers(self) -> Finding:
        names = questions(self.solution, self.name)
        problems = []
        for kind in KINDS:
            endings, _ = self._observe(cheap_answer(self.solution, kind, names), self.hurried)
            problems += [
                f"{kind} answers earn {case.points:g} at {case.name}; make it fail them"
                for case in self.hurried
                if endings[case.name].passed and case.points > 0
            ]
        return Finding(f"{', '.join(KINDS)} earn no hidden point", problems)

    def leaks(self) -> Finding:
        problems = [
            f"{path.relative_to(self.exercise.root)} is not what a fresh build gives; run `autograder build {self.exercise.id}`, "
            "with --force if it was edited by hand"
            for path in stale(self.exercise)
        ]
        problems += [
            f"{path} holds the solution line {line!r}"
            for path, line in self.shared.files.holding(self.solution, self.name)
        ]
        number = len(self.shared.files.lines)
        return Finding(f"fresh; no solution line in {number} files that students see", problems)

    def lessons(self) -> Finding:
        summary = "cells run, links resolve, pages read well as notebooks, languages and terms agree"
        problems = lesson_problems(self.exercise, self.languages)
        return Finding(summary, [*problems, *self._chinese()])

    def _chinese(self) -> list[str]:
        """Where the exercise's Chinese keeps to other terms than the course's glossary, or wraps a paragraph of its statement."""
        statement, spec = chinese_statement(self.solution), self.exercise.spec
        texts = {self.name: statement}
        for path in pages_of(self.exercise, "zh"):
            texts[str(path.relative_to(self.exercise.root))] = path.read_text(encoding="utf-8")
        texts |= {f"misconception {mistake.name!r}": mistake.hint.zh for mistake in spec.misconception}
        texts |= {f"hint {n} of {hint.question}": hint.zh for n, hint in enumerate(spec.hint, 1)}
        texts |= {f"the sentence of {case.function_name}": case.sentence.zh for case in self.cases}
        return [
            *(f"{self.name}, {problem}" for problem in paragraph_problems(statement)),
            *(
                f"{where}, {problem}"
                for where, text in texts.items()
                for problem in glossary_problems(text, self.shared.glossary)
            ),
        ]

    def form(self) -> Finding:
        problems = [
            *form_problems(self.exercise, self.cases, self.languages),
            *self.shared.style.of_exercise(self.exercise),
        ]
        warnings = size_warnings(self.exercise, self.cases, self.languages)
        if self.shared.style.missing:
            warnings.append("ruff is not installed, so the style was not looked at: pip install ruff")
        full = total(case.points for case in self.cases)
        return Finding(f"{len(self.cases)} tests, {full:g} points", problems, warnings)

    # ------------------------------------------------------------------------------------------ of a quiz

    def guessed_letters(self) -> Finding:
        return Finding("no one letter answers most questions", guess_problems(self.exercise.quiz))

    def links(self) -> Finding:
        pages = page_problems(self.exercise, self.languages)
        problems = [*link_problems(self.exercise), *pages, *self._chinese()]
        return Finding("each question links to a heading, in both languages", problems)

    def quiz_form(self) -> Finding:
        return Finding(f"{len(self.cases)} tests", quiz_problems(self.exercise.quiz))


def _because(ending: Ending) -> str:
    """The first line of an ending's error, for the author."""
    text = str(ending.error).strip() if ending.error is not None else ""
    return f" ({type(ending.error).__name__}: {text.splitlines()[0][:200]})" if text else ""
