"""One exercise, unpacked and ready: its tests collected, its reference loaded, its misconceptions at hand."""

from __future__ import annotations

import linecache
import os
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from types import ModuleType

from autograder.course import CourseError
from autograder.course.given import asked_functions, given_functions
from autograder.feedback.explain import explain, with_detail
from autograder.feedback.handed_in import HandedIn
from autograder.feedback.results_expected import results_expected
from autograder.feedback.skipped_cells import left_out
from autograder.grading.bundle import Bundle, result_key
from autograder.grading.counterexample import Counterexamples, Recorded
from autograder.grading.diagnosis import REFERENCE, SILENT, Behaviour, Diagnostician, Observation, observed
from autograder.grading.internal_errors import internal_error
from autograder.grading.recorded_calls import Recorder
from autograder.grading.remarks import nearness, with_examples
from autograder.grading.submissions import Submission
from autograder.guest.loading import PART, load_module, module_name
from autograder.remote.proxy import Call
from autograder.results import ExerciseResult, Isolation, Outcome, Status, TestResult, Visibility, total
from autograder.runner.backend import Backend
from autograder.runner.collect import TestCase, collect
from autograder.runner.confined import ConfinedBackend
from autograder.runner.run import Ending, run_case
from autograder.runner.timeouts import run_in_turn
from autograder.sandbox.errors import Killed
from autograder.testing.quiz import WrongAnswer
from autograder.testing.reached import collect_reached
from autograder.text import Text, joined, number, printable

REACHED = Text("{names}: {points} of {most} points", "{names}：{points}/{most} 分")
OWN_STACK = Text(
    "With your own {reached}. This run counts nothing.", "用你自己的 {reached}。这次运行不计分。"
)
OWN_LOST = Text("There it fails first at: {sentence}", "其中最先未通过的是：{sentence}")
OUTPUT_SHOWN = 4000  # characters of a submission's own prints, for the instructor


# Opens a backend for one submission to the bundle's exercise: its files, and the name of the main one.
OpenBackend = Callable[[Bundle, Mapping[str, bytes], str], Backend]


class ExerciseGrader:
    """Grades submissions to one exercise. Its hidden files are in memory, and nowhere else, once it is made."""

    def __init__(
        self, bundle: Bundle, open_backend: OpenBackend, isolation: Isolation, remarks: bool = True
    ) -> None:
        """remarks: whether what is wrong is shown by an example; not where to find it is the task."""
        self.bundle = bundle
        self._remarks = remarks
        self.isolation = isolation
        self._open = open_backend
        unit, topic = bundle.exercise.split("/")
        self._main = f"{topic}.py"
        self.cases: list[TestCase] = []
        self._authors: dict[str, str] = {}  # file that was unpacked -> its place in the author's course
        with tempfile.TemporaryDirectory(prefix="autograder-") as folder:
            # pytest keeps modules by their path below the root: the fingerprint keeps two bundles' test files apart.
            self._place = place = Path(folder) / f"bundle_{bundle.fingerprint[:16]}"
            place.mkdir()
            self._authors[str(place / self._main)] = f"solutions/{bundle.exercise}.py"
            for visibility, content, tree in (
                (Visibility.PUBLIC, bundle.public_tests, "exercises"),
                (Visibility.HIDDEN, bundle.hidden_tests, "solutions"),
            ):
                path = place / f"test_{visibility}_{topic}.py"
                self._authors[str(path)] = f"{tree}/{unit}/test_{topic}.py"
                path.write_bytes(content)
                try:
                    self.cases += collect(path, visibility, bundle.weights)
                except CourseError as error:
                    said = error.text
                    raise CourseError(
                        self._by_authors_names(said.en), self._by_authors_names(said.zh)
                    ) from None
                # For our own tracebacks, when the file is gone.
                lines = content.decode().splitlines(keepends=True)
                linecache.cache[str(path)] = (len(content), None, lines, str(path))
        self.reference: ModuleType = load_module(
            {self._main: bundle.solution, **bundle.parts}, self._main, directory=str(place)
        )
        self._given = given_functions(bundle.solution.decode())
        self._asked = asked_functions(bundle.solution.decode())
        self.variants = variants_of(bundle)
        caught = {m.name: m.caught for m in bundle.spec.misconception if m.name in self.variants}
        self.diagnostician = Diagnostician(caught, self._observe_variant)
        self.reference_faults: dict[str, str] = {}  # test -> why the reference does not pass it here

    def close(self) -> None:
        """Forget what Python keeps by name: the tests' modules, and the lines that tracebacks show."""
        folders = {case.function.__module__.partition(".")[0] for case in self.cases}  # packages, for pytest
        for name in [name for name in sys.modules if name.partition(".")[0] in folders]:
            del sys.modules[name]
        for name in [name for name in linecache.cache if name.startswith(f"{self._place}{os.sep}")]:
            del linecache.cache[name]

    @property
    def max_score(self) -> float:
        return total(case.points for case in self.cases)

    # ------------------------------------------------------------------------------------------ grading

    def grade(self, submission: Submission) -> ExerciseResult:
        """Run every test on one submission and diagnose what failed."""
        endings, behaviour, backend = self.run({**submission.files, **self.bundle.parts}, submission.main)
        endings = self._settle(endings)
        diagnoses = self.diagnostician.diagnose(behaviour)
        own = {name: raw for name, raw in submission.files.items() if not _is_part(name, self.bundle.parts)}
        handed_in = HandedIn(own, submission.main, self._asked)
        tests = [
            self._test_result(
                case, ending, behaviour[case.name].trace, diagnoses.get(case.name), handed_in, backend
            )
            for case, ending in zip(self.cases, endings, strict=True)
        ]
        tests = self._with_examples(tests, submission, handed_in, backend)
        own_stack, told = self._own_stack(submission, endings)
        near = self._nearness(tests, handed_in)
        status, message = _status(endings), joined(left_out(backend.skipped, handed_in), near, told)
        if backend.load_error is not None and status is Status.GRADED:
            status, message = Status.INVALID, tests[0].message
        return ExerciseResult(
            student=submission.student,
            exercise=self.bundle.exercise,
            status=status,
            score=None if status is Status.UNGRADED else total(test.score for test in tests),
            max_score=self.max_score,
            isolation=self.isolation,
            key=result_key(self.bundle, submission.main, submission.files, self.isolation),
            path=submission.path,
            message=message,
            own_stack=own_stack,
            detail=self._detail(endings),
            output=printable(backend.output.decode("utf-8", "replace"), OUTPUT_SHOWN),
            tests=tuple(tests),
        )

    def _with_examples(
        self, tests: list[TestResult], submission: Submission, handed_in: HandedIn, backend: Backend
    ) -> list[TestResult]:
        """Nothing depends on it, so that what goes wrong on the way is nobody's business."""
        if self.counterexamples is None or backend.load_error is not None:
            return tests
        with suppress(Exception):
            open_student = partial(self._open, self.bundle, submission.files, submission.main)
            cases = {case.name: case for case in self.cases}
            return with_examples(tests, cases, self.counterexamples, open_student, handed_in, self.reference)
        return tests

    def _nearness(self, tests: Sequence[TestResult], handed_in: HandedIn) -> Text:
        if self._remarks and self.bundle.spec.kind != "quiz":
            with suppress(Exception):  # as above
                return nearness(tests, {case.name: case for case in self.cases}, self.bundle, handed_in)
        return Text()

    @cached_property
    def counterexamples(self) -> Counterexamples | None:
        """The small inputs of this exercise; none of a quiz or a capstone, of a mistake to be found, and where nothing is isolated."""
        if not self._remarks or self.bundle.parts or self.bundle.spec.kind != "exercise":
            return None
        if self.isolation is Isolation.UNSAFE:
            return None
        right = [
            partial(self.open, source) for source in (self.bundle.solution, *self.bundle.accepted.values())
        ]
        return Counterexamples(
            self.bundle.exercise, self.bundle.questions, self._record, right, self.bundle.spec.limits
        )

    def _record(self) -> Recorded:
        """What the tests ask of the reference."""
        recorded = Recorded(Recorder(), Recorder())
        for visibility, recorder in zip((Visibility.PUBLIC, Visibility.HIDDEN), recorded, strict=True):
            with self.open(self.bundle.solution) as backend:
                assert isinstance(backend, ConfinedBackend)
                backend.listener = recorder
                for case in self.cases:
                    if case.visibility is visibility:
                        recorder.begin()
                        self.run_case(case, backend)
        return recorded

    def run(self, files: Mapping[str, bytes], main: str) -> tuple[list[Ending], Behaviour, Backend]:
        """Every test's ending, what the program answered where it did not pass, and the backend it ran on, closed."""
        endings: list[Ending] = []
        behaviour: dict[str, Observation] = {}
        with self._open(self.bundle, files, main) as backend:
            for case, ending in self._in_turn(backend):
                endings.append(ending)
                seen = Observation(ending.outcome, ())
                if ending.outcome is not Outcome.NOT_RUN:
                    seen = observation(ending, backend)
                # What a trace holds stays alive in the child, whose memory is limited.
                behaviour[case.name] = replace(seen, trace=()) if ending.passed else seen
        return endings, behaviour, backend

    def _in_turn(self, backend: Backend) -> Iterator[tuple[TestCase, Ending]]:
        limits, questions = self.bundle.spec.limits, self.bundle.questions
        return run_in_turn(self.cases, lambda case: self.run_case(case, backend), backend, questions, limits)

    def _own_stack(self, submission: Submission, endings: Sequence[Ending]) -> tuple[Text, Text]:
        """For a capstone: what it reaches with the student's own parts in place of the given ones, and the same told to them.

        It counts nothing.
        """
        own = {name: raw for name, raw in submission.files.items() if _is_part(name, self.bundle.parts)}
        if not own or _all_unanswered(endings):
            return Text(), Text()
        given = {name: raw for name, raw in self.bundle.parts.items() if not _is_part(name, own)}
        with collect_reached() as figures:
            reached, _, _ = self.run({**submission.files, **given, **own}, submission.main)
        points = total(case.points for case, end in zip(self.cases, reached, strict=True) if end.passed)
        lost = [case.sentence for case, end in zip(self.cases, reached, strict=True) if not end.passed]
        names = ", ".join(sorted(module_name(name).removeprefix(PART) for name in own))
        all_points = REACHED.format(names=names, points=number(points), most=number(self.max_score))
        found = [all_points, *figures]
        told = Text("; ".join(each.en for each in found), "；".join(each.zh for each in found))
        first_lost = OWN_LOST.format(sentence=lost[0]) if lost else Text()
        return told, joined(OWN_STACK.format(reached=told), first_lost)

    def run_case(self, case: TestCase, backend: Backend) -> Ending:
        """How one test ends on one backend; a second time where the system killed the process."""
        ending = run_case(case, backend, self.reference, self.bundle.spec.limits)
        if isinstance(ending.error, Killed):  # a second time it is no accident
            ending = run_case(case, backend, self.reference, self.bundle.spec.limits)
        if ending.error is not None:
            traceback.clear_frames(ending.error.__traceback__)  # they hold the test's values
        return ending

    def open(self, source: bytes) -> Backend:
        """A backend for one file that answers the exercise by itself."""
        # Not called as a submission is: in process Python keeps a file's lines by its name, and shows them to the student.
        name = f"variant_{self._main}"
        return self._open(self.bundle, {name: source, **self.bundle.parts}, name)

    def _observe_variant(self, name: str) -> Behaviour:
        """How the reference, or one misconception, goes through all tests.

        A trace is kept where it can be compared: the reference's, and a misconception's of tests that it fails.
        """
        behaviour = {}
        with self.open(self.variants[name]) as backend:
            # Every test's verdict hangs on the reference: it goes through all of them.
            whole = ((case, self.run_case(case, backend)) for case in self.cases)
            for case, ending in whole if name == REFERENCE else self._in_turn(backend):
                compared = name == REFERENCE or ending.outcome not in (*SILENT, Outcome.NOT_RUN)
                behaviour[case.name] = (
                    observation(ending, backend) if compared else Observation(ending.outcome, ())
                )
                if name == REFERENCE and not ending.passed:
                    what = "the reference solution does not pass it here"
                    self.reference_faults[case.name] = self._fault(case, what, ending.error)
        return behaviour

    def _settle(self, endings: Sequence[Ending]) -> list[Ending]:
        """A test that the reference itself does not pass here says nothing about a student: it stays ungraded."""
        if all(map(self._stands, endings)):
            return list(endings)
        reference = self.diagnostician.behaviour(REFERENCE)
        return [
            ending
            if self._stands(ending) or reference[case.name].outcome is Outcome.PASSED
            else Ending(Outcome.UNGRADED, ending.error)
            for case, ending in zip(self.cases, endings, strict=True)
        ]

    def _stands(self, ending: Ending) -> bool:
        """Whether it needs no reference: the test was passed, or its question is open. No test may ask for more than that has."""
        return ending.outcome in SILENT and (
            ending.question is None or hasattr(self.reference, ending.question)
        )

    # ------------------------------------------------------------------------------------------ results

    def _detail(self, endings: Sequence[Ending]) -> str:
        """What kept tests from being graded; a reason that several share is told for the first of them."""
        told: dict[str, str] = {}
        for case, ending in zip(self.cases, endings, strict=True):
            if ending.outcome is Outcome.UNGRADED:
                why = self.reference_faults.get(case.name) or self._fault(case, "", ending.error)
                told.setdefault(str(ending.error), why)
        return "\n".join(told.values())

    def _fault(self, case: TestCase, what: str, error: BaseException | None) -> str:
        """What kept one test from being graded, with the author's file and line."""
        frames = traceback.extract_tb(error.__traceback__) if error is not None else ()
        lines = [f"{frame.filename}:{frame.lineno}" for frame in frames if frame.filename in self._authors]
        told = f"{case.name} ({lines[-1]})" if lines else case.name
        return self._by_authors_names(internal_error(f"{told}: {what}" if what else told, error))

    def _by_authors_names(self, text: str) -> str:
        """A text about files that were unpacked, with the names that their author knows them by."""
        for unpacked, name in self._authors.items():
            text = text.replace(unpacked, name)
        return text

    def _test_result(
        self,
        case: TestCase,
        ending: Ending,
        trace: Sequence[Call],
        diagnosis: str | None,
        handed_in: HandedIn,
        backend: Backend,
    ) -> TestResult:
        limits = case.limits(self.bundle.spec.limits)
        # A capstone runs beside the references of its parts, and could put them into an error's text.
        public = case.visibility is Visibility.PUBLIC and not self.bundle.parts
        if ending.outcome is Outcome.UNGRADED:
            diagnosis = None
        if diagnosis is not None:
            message = next(m.hint for m in self.bundle.spec.misconception if m.name == diagnosis).text
        elif public and not ending.passed and (expected := results_expected(case, trace)) is not None:
            message = with_detail(case.sentence, expected, handed_in)
        else:
            message = explain(
                ending,
                case if public else replace(case, visibility=Visibility.HIDDEN),
                handed_in.filename.__eq__,
                limits.seconds,
                limits.memory_mb,
                handed_in,
                self._given,
                loading=ending.error is not None and ending.error is backend.load_error,
            )
        return TestResult(
            name=case.name,
            visibility=case.visibility,
            outcome=ending.outcome,
            score=case.points if ending.passed else 0.0,
            max_score=case.points,
            message=message,
            diagnosis=diagnosis,
            question=ending.question,
        )


def _is_part(name: str, parts: Iterable[str]) -> bool:
    """Whether this file is the same part as one of these, in whatever form."""
    return module_name(name) in map(module_name, parts)


def variants_of(bundle: Bundle) -> dict[str, bytes]:
    """Name -> source of the reference, under "", and of each misconception.

    One whose edit no longer matches is left out: it costs a diagnosis, and must not cost anybody's grade. The audit
    reports it.
    """
    variants = {REFERENCE: bundle.solution}
    for misconception in bundle.spec.misconception:
        with suppress(ValueError):
            variants[misconception.name] = misconception.apply(bundle.solution.decode()).encode()
    return variants


def observation(ending: Ending, backend: Backend) -> Observation:
    """How a test went. A wrong answer to a quiz counts by what it means, not by how it is written."""
    if isinstance(ending.error, WrongAnswer):
        return observed(ending.outcome, [Call("get", ending.error.name, ending.error.meant)])
    return observed(ending.outcome, backend.trace())


def _all_unanswered(endings: Sequence[Ending]) -> bool:
    return all(ending.outcome is Outcome.NOT_IMPLEMENTED for ending in endings)


def _status(endings: Sequence[Ending]) -> Status:
    if any(ending.outcome is Outcome.UNGRADED for ending in endings):
        return Status.UNGRADED
    return Status.NOT_BEGUN if _all_unanswered(endings) else Status.GRADED
