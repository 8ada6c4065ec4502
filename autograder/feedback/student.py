"""What one student reads of their graded work, as plain data: `student_pages` shows it as HTML, Markdown and text.

Whatever a student, a platform or an instructor has written is here without control characters. What is recorded of a test
is what its student may read; of a hidden test the sentence is told, and a number in place of its name.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime

from msgspec import Struct
from msgspec.structs import replace

from autograder.course.spec import PublicSpec
from autograder.feedback.redact import hidden_names
from autograder.feedback.standing import standing
from autograder.results import ExerciseResult, Outcome, Status, TestResult, Visibility, function_of, total
from autograder.runner.outline import Outline
from autograder.text import LANGUAGES, Text, printable, shortened

ONE_HIDDEN, SEVERAL_HIDDEN = Text("1 hidden test", "1 个隐藏测试"), Text("{n} hidden tests", "{n} 个隐藏测试")
MOST = 20_000  # characters of one text
LATER = (Outcome.NOT_RUN, Outcome.UNGRADED)  # outcomes that tell nothing of what is wrong


class ShownTest(Struct, frozen=True):
    """One test function, all its parameter sets together. `missed`: how many of its `cases` were not passed."""

    name: Text
    sentence: Text
    hidden: bool
    missed: int
    cases: int
    score: float
    max_score: float


class Finding(Struct, frozen=True):
    """One thing that went wrong, and the tests that show it.

    mistake: the misconception's name, "" where none explains it; said: its hint, or why the tests could not go on.
    lines: what else was recorded, as it stands: the student's own lines, what the code gave and what was right.
    """

    mistake: str
    said: Text
    lines: Text
    tests: tuple[ShownTest, ...]

    @property
    def lost(self) -> float:
        return total(test.max_score - test.score for test in self.tests)


class ShownQuestion(Struct, frozen=True):
    """The points on one function that was asked for. begun: whether it is more than the skeleton's."""

    name: str
    score: float
    max_score: float
    begun: bool = True


class Given(Struct, frozen=True):
    """Points given or taken by hand, and why."""

    points: float
    reason: str
    day: date


class ExerciseFeedback(Struct, frozen=True, kw_only=True):
    """One exercise. `score` is None while a fault of ours keeps it from being known.

    said, lines: of the whole file, the first line and the others. lesson, statement: where to read on, "" for nowhere.
    """

    id: str
    title: Text
    score: float | None
    max_score: float
    status: Status
    file: str = ""
    said: Text = Text()
    lines: Text = Text()
    questions: tuple[ShownQuestion, ...] = ()
    findings: tuple[Finding, ...] = ()
    passed: tuple[ShownTest, ...] = ()
    given: tuple[Given, ...] = ()
    lesson: str = ""
    statement: str = ""

    @property
    def left_out(self) -> list[ShownQuestion]:
        """Questions that were not begun, where others were."""
        return [question for question in self.questions if not question.begun]


class Unplaced(Struct, frozen=True):
    """A file that was handed in and answers nothing, and the exercises that its name resembles."""

    path: str
    looks_like: tuple[str, ...] = ()


class AssignmentFeedback(Struct, frozen=True, kw_only=True):
    """What was handed in together. `lines` say how its points come about: lateness, penalties, what was dropped."""

    id: str
    title: Text
    score: float | None
    max_score: float
    due: datetime | None = None
    lines: tuple[Text, ...] = ()
    exercises: tuple[ExerciseFeedback, ...] = ()
    unplaced: tuple[Unplaced, ...] = ()


class StudentFeedback(Struct, frozen=True, kw_only=True):
    """All that one student reads. `lines` say how the grade for the course comes about."""

    student: str
    name: str
    course: Text
    assignments: tuple[AssignmentFeedback, ...]
    lines: tuple[Text, ...] = ()
    unplaced: tuple[Unplaced, ...] = ()


def clean(text: str) -> str:
    """Foreign text as it is shown: without control characters, and bounded."""
    return printable(text, MOST)


def exercise_feedback(
    result: ExerciseResult,
    public: PublicSpec | None,
    outline: Outline,
    *,
    score: float | None,
    max_score: float,
    given: Sequence[Given] = (),
    links: tuple[str, str] = ("", ""),
) -> ExerciseFeedback:
    """What a student reads of the result that counts.

    Args:
        public: what the exercise's public file says; None where the course is not at hand.
        score, max_score: what it comes to, with what people gave.
        links: the addresses of the lesson and of the statement.
    """
    topic = result.exercise.rpartition("/")[2]
    message = _clean(standing(result.status, result.message, topic))
    said, lines = _parted(message)
    tests = result.tests if result.status is Status.GRADED else ()
    names = hidden_names(tests)
    groups = _by_function(tests)
    return ExerciseFeedback(
        id=result.exercise,
        title=public.title.text if public else Text(result.exercise, result.exercise),
        score=score,
        max_score=max_score,
        status=result.status,
        file=clean(shortened(result.path)),
        said=said,
        lines=lines,
        questions=_questions(tests, outline),
        findings=tuple(_findings(groups, outline, names)),
        passed=tuple(_passed(groups, outline, names)),
        given=tuple(given),
        lesson=links[0],
        statement=links[1],
    )


def _clean(text: Text) -> Text:
    return Text(*(clean(text.pick(lang)) for lang in LANGUAGES))


def _parted(text: Text) -> tuple[Text, Text]:
    """The first line, and the others."""
    parts = [text.pick(lang).partition("\n") for lang in LANGUAGES]
    return Text(*(part[0] for part in parts)), Text(*(part[2].rstrip() for part in parts))


def _by_function(tests: Sequence[TestResult]) -> list[list[TestResult]]:
    """The parameter sets of each test function. A public test and a hidden one may have the same name."""
    groups: dict[tuple[Visibility, str], list[TestResult]] = {}
    for test in tests:
        groups.setdefault((test.visibility, function_of(test.name)), []).append(test)
    return list(groups.values())


def _questions(tests: Sequence[TestResult], outline: Outline) -> tuple[ShownQuestion, ...]:
    """Points by question, in the skeleton's order."""
    shared: dict[str, list[TestResult]] = {name: [] for name in outline.questions}
    for test in tests:
        shared.setdefault(outline.question(test), []).append(test)
    unanswered = {
        (test.question or "").partition(".")[0] for test in tests if test.outcome is Outcome.NOT_IMPLEMENTED
    }
    return tuple(
        ShownQuestion(
            name,
            total(test.score for test in own),
            total(test.max_score for test in own),
            name not in unanswered,
        )
        for name, own in shared.items()
        if name and own
    )


def _passed(
    groups: Sequence[Sequence[TestResult]], outline: Outline, names: Mapping[str, Text]
) -> Iterator[ShownTest]:
    """What was passed. Of hidden tests how many: their sentences are told for what failed."""
    whole = [group for group in groups if all(test.outcome is Outcome.PASSED for test in group)]
    hidden = [group for group in whole if group[0].visibility is Visibility.HIDDEN]
    yield from (_shown(group, group, outline, names) for group in whole if group not in hidden)
    if hidden:
        said = ONE_HIDDEN if len(hidden) == 1 else SEVERAL_HIDDEN.format(n=len(hidden))
        points = total(test.score for group in hidden for test in group)
        yield ShownTest(said, Text(), True, 0, len(hidden), points, points)


def _shown(
    group: Sequence[TestResult],
    missed: Sequence[TestResult],
    outline: Outline,
    names: Mapping[str, Text],
) -> ShownTest:
    """A test function as it is told where it is shown for some of its parameter sets: all points of those."""
    first = group[0]
    hidden, function = first.visibility is Visibility.HIDDEN, function_of(first.name)
    return ShownTest(
        name=names[function] if hidden else Text(function, function),
        sentence=outline.sentence(first),
        hidden=hidden,
        missed=sum(test.outcome is not Outcome.PASSED for test in missed),
        cases=len(group),
        score=total(test.score for test in missed),
        max_score=total(test.max_score for test in missed),
    )


def _findings(
    groups: Sequence[Sequence[TestResult]], outline: Outline, names: Mapping[str, Text]
) -> list[Finding]:
    """Diagnoses first, those that cost most at the top; then what no misconception explains, in the tests' order.

    Tests that tell the same belong together. What waits for a question that is not begun is told by the question.
    """
    found: dict[tuple[str, Text, Text], Finding] = {}
    later = set()
    for group in groups:
        by_mistake: dict[str, list[TestResult]] = {}
        for test in group:
            if test.outcome not in (Outcome.PASSED, Outcome.NOT_IMPLEMENTED):
                by_mistake.setdefault(test.diagnosis or "", []).append(test)
        for mistake, tests in by_mistake.items():
            # Of several parameter sets the first speaks; one that has more than a sentence to say, before it.
            message = _clean(next((t for t in tests if "\n" in t.message.en), tests[0]).message)
            said, lines = _parted(message) if mistake else _without(outline.sentence(tests[0]), message)
            key = (mistake, said, Text() if mistake else lines)
            before = found.get(key, Finding(mistake, said, lines, ()))
            shown = _shown(group, tests, outline, names)
            found[key] = replace(
                before, lines=before.lines if before.lines.en else lines, tests=(*before.tests, shown)
            )
            if tests[0].outcome in LATER:
                later.add(key)
    order = sorted(found, key=lambda key: (key in later, not key[0], -found[key].lost if key[0] else 0.0))
    return [found[key] for key in order]


def _without(sentence: Text, message: Text) -> tuple[Text, Text]:
    """What a message says beside its test's sentence: a line of ours, or lines that stand as they are."""
    if not sentence.en:
        return _parted(message)
    if message.en.startswith(sentence.en):
        pairs = [(message.pick(lang), sentence.pick(lang)) for lang in LANGUAGES]
        return Text(), Text(*(told.removeprefix(said).lstrip("\n") for told, said in pairs))
    return (Text(), message) if "\n" in message.en else (message, Text())
