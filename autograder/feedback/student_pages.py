"""A student's feedback as pages: HTML, Markdown and plain text, from the same data.

`assignment_page` and `index_page` give one page each; they write nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

from autograder.feedback import student_words as words
from autograder.feedback.html_page import html_page
from autograder.feedback.markdown import block, code, paragraph
from autograder.feedback.page_format import PageFormat
from autograder.feedback.student import (
    AssignmentFeedback,
    ExerciseFeedback,
    Finding,
    ShownTest,
    StudentFeedback,
    Unplaced,
)
from autograder.text import Text, number

INDEX = "index"


def assignment_page(
    student: StudentFeedback, one: AssignmentFeedback, form: PageFormat, lang: str, *, alone: bool = False
) -> str:
    """One assignment of one student. alone: whether it lies beside no index."""
    if form is PageFormat.HTML:
        return _html("feedback.html.j2", lang, student=student, one=one, alone=alone)
    return _written(_assignment(student, one, lang), form)


def index_page(student: StudentFeedback, form: PageFormat, lang: str) -> str:
    """A student's assignments with their points. It links to `ID.html` and so on beside it."""
    if form is PageFormat.HTML:
        return _html("feedback_index.html.j2", lang, student=student, suffix=form.suffix)
    return _written(_index(student, form.suffix, lang), form)


def _html(template: str, lang: str, **values: object) -> str:
    def points(score: float | None, max_score: float) -> str:
        return _points(score, max_score, lang)

    shared = {"words": words, "points": points, "moment": moment, "aside": lambda test: _aside(test, lang)}
    return html_page(template, lang, **shared, **values)


def moment(when: datetime) -> str:
    """A deadline, with its time zone."""
    return f"{when:%Y-%m-%d %H:%M} {when.tzname() or ''}".rstrip()


def _points(score: float | None, max_score: float, lang: str) -> str:
    shown = words.UNKNOWN.pick(lang) if score is None else number(score)
    return f"{shown} / {number(max_score)}"


def _aside(test: ShownTest, lang: str) -> str:
    """What is told of a test behind its sentence: its name, how many of its cases failed, the points."""
    parts = [test.name.pick(lang)] if test.sentence.en else []
    if test.missed and test.cases > 1:
        parts.append(words.CASES.pick(lang).format(missed=test.missed, cases=test.cases))
    if test.max_score:
        points = (test.score - test.max_score) or test.max_score
        said = words.ONE if abs(points) == 1 else words.SO_MANY
        parts.append(said.pick(lang).format(points=number(points)))
    return ("，" if lang == "zh" else ", ").join(parts)


# --------------------------------------------------------------------------------- Markdown and plain text


class Block(NamedTuple):
    """A piece of a page that is written line by line. kind: a heading's level, or what it is.

    "line" and "item" are texts, "code" is a name with a text behind it, "known" a text with a name behind it, "lines" stand
    as they are, "link" has a target.
    """

    kind: int | str
    text: str
    more: str = ""


def _assignment(student: StudentFeedback, one: AssignmentFeedback, lang: str) -> Iterator[Block]:
    yield Block(1, one.title.pick(lang))
    yield Block("line", " · ".join(filter(None, (student.name, student.student, student.course.pick(lang)))))
    yield Block("line", f"{words.POINTS.pick(lang)}: {_points(one.score, one.max_score, lang)}")
    if one.due:
        yield Block("line", f"{words.DUE.pick(lang)}: {moment(one.due)}")
    yield from _items(words.HOW, one.lines, lang)
    for exercise in one.exercises:
        yield from _exercise(exercise, lang)
    yield from _unplaced(one.unplaced, lang)


def _exercise(exercise: ExerciseFeedback, lang: str) -> Iterator[Block]:
    yield Block(2, exercise.title.pick(lang))
    state = words.STATES[exercise.status].pick(lang)
    points = _points(exercise.score, exercise.max_score, lang)
    yield Block("code", exercise.id, f"{points} · {state}")
    if exercise.file:
        yield Block("line", words.FILE.pick(lang).format(file=exercise.file))
    for text, target in ((words.LESSON, exercise.lesson), (words.STATEMENT, exercise.statement)):
        if target:
            yield Block("link", text.pick(lang), target)
    if exercise.said.en:
        yield Block("line", exercise.said.pick(lang))
    if exercise.lines.en:
        yield Block("lines", exercise.lines.pick(lang))
    if exercise.given:
        yield Block(3, words.GIVEN.pick(lang))
        for given in exercise.given:
            yield Block("item", f"{given.points:+g}, {given.day}: {given.reason}")
    begun = [question for question in exercise.questions if question.begun]
    if begun:
        yield Block(3, words.POINTS.pick(lang))
        for question in begun:
            yield Block("code", question.name, _points(question.score, question.max_score, lang))
    if exercise.findings:
        yield Block(3, words.WRONG.pick(lang))
    for finding in exercise.findings:
        yield from _finding(finding, lang)
    if exercise.left_out:
        yield Block(3, words.LEFT_OUT.pick(lang))
        for question in exercise.left_out:
            yield Block("code", question.name, _points(question.score, question.max_score, lang))
    if exercise.passed:
        yield Block(3, words.PASSED.pick(lang))
        yield from (_test(test, lang) for test in exercise.passed)


def _finding(finding: Finding, lang: str) -> Iterator[Block]:
    """A known mistake begins with its name and hint; of anything else the tests come first, then what was recorded."""
    said = [Block("line", finding.said.pick(lang))] if finding.said.en else []
    if finding.mistake:
        yield Block("known", words.KNOWN.pick(lang), finding.mistake)
        yield from said
    yield Block("line", (words.SEEN if finding.mistake else words.FAILED).pick(lang))
    yield from (_test(test, lang) for test in finding.tests)
    if not finding.mistake:
        yield from said
    if finding.lines.en:
        yield Block("lines", finding.lines.pick(lang))


def _test(test: ShownTest, lang: str) -> Block:
    said, aside = test.sentence.pick(lang) or test.name.pick(lang), _aside(test, lang)
    return Block("item", f"{said} ({aside})" if aside else said)


def _index(student: StudentFeedback, suffix: str, lang: str) -> Iterator[Block]:
    yield Block(1, student.name or student.student)
    known_as = student.student if student.name else ""
    yield Block("line", " · ".join(filter(None, (known_as, student.course.pick(lang)))))
    if not student.assignments:
        yield Block("line", words.NOTHING.pick(lang))
    for one in student.assignments:
        points = _points(one.score, one.max_score, lang)
        yield Block("link", f"{one.title.pick(lang)}: {points}", f"{one.id}{suffix}")
    yield from _items(words.COURSE_GRADE, student.lines, lang)
    yield from _unplaced(student.unplaced, lang)


def _items(head: Text, lines: tuple[Text, ...], lang: str) -> Iterator[Block]:
    if lines:
        yield Block(2, head.pick(lang))
        yield from (Block("item", line.pick(lang)) for line in lines)


def _unplaced(files: tuple[Unplaced, ...], lang: str) -> Iterator[Block]:
    if not files:
        return
    yield Block(2, words.UNPLACED.pick(lang))
    for file in files:
        near = words.LOOKS_LIKE.pick(lang).format(exercises=", ".join(file.looks_like))
        yield Block("code", file.path, near if file.looks_like else "")
    yield Block("line", words.RENAME.pick(lang))


def _written(blocks: Iterator[Block], form: PageFormat) -> str:
    """Blocks one below the other; items of a list stand close."""
    write, text, last = (_markdown if form is PageFormat.MD else _plain), "", ""
    for one in blocks:
        listed = str(one.kind) if one.kind in ("item", "code", "link") else ""
        text += ("\n" if text and not (listed and listed == last) else "") + write(one) + "\n"
        last = listed
    return text


def _markdown(one: Block) -> str:
    kind, text, more = one
    if isinstance(kind, int):
        return f"{'#' * kind} {paragraph(text)}"
    if kind == "item":
        return f"- {paragraph(text)}"
    if kind == "code":
        return f"- {code(text)}" + (f": {paragraph(more)}" if more else "")
    if kind == "known":
        return f"**{paragraph(text)}** {code(more)}"
    if kind == "link":
        return f"- [{paragraph(text)}](<{more}>)"
    return block(text) if kind == "lines" else paragraph(text)


def _plain(one: Block) -> str:
    kind, text, more = one
    if kind == "lines":
        return "\n".join(f"    {line}" for line in text.splitlines())
    text = " ".join(text.split())
    if isinstance(kind, int):
        return f"{text}\n{'=-~'[kind - 1] * min(_width(text), 78)}"
    if kind in ("code", "link"):
        return f"  {text}" + (f": {more}" if more else "")
    if kind == "known":
        return f"{text}: {more}"
    return f"  - {text}" if kind == "item" else text


def _width(text: str) -> int:
    """Columns in a terminal: Chinese characters take two."""
    return sum(1 + (ord(char) > 0x2E7F) for char in text)
