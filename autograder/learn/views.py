"""The two forms in which `autograder learn` is seen: one screen that is drawn anew, and lines one below the other."""

from __future__ import annotations

import os
import sys
from collections.abc import Collection
from typing import TYPE_CHECKING, Protocol, cast

from autograder.course import Course, Exercise
from autograder.feedback.report import print_report
from autograder.learn.journal import Entry, read_journal
from autograder.learn.screen import Colours, Page, draw
from autograder.learn.statement import Statement, statement_of
from autograder.learn.states import is_untouched
from autograder.learn.terminal import write
from autograder.text import Text

if TYPE_CHECKING:
    from rich.console import Console

EDIT = Text("Edit {path} and save.", "编辑并保存 {path}。")
EDIT_FIRST = Text(
    "Edit {path} and save. Axes and terms: at its top.", "编辑并保存 {path}。各轴和术语见文件开头。"
)
KEYS = (
    Text("h: hint", "h：提示"),
    Text("n: next", "n：下一题"),
    Text("p: previous", "p：上一题"),
    Text("l: lesson", "l：讲义"),
    Text("b: web page", "b：网页"),
    Text("q: quit", "q：退出"),
)
MORE_KEYS = (Text("d: debug", "d：找错"), Text("w: write tests", "w：写测试"))  # once all points are there
THEN_ENTER = Text("(then Enter)", "（按回车确认）")
RUNNING = Text("The tests run.", "正在运行测试。")
HIDDEN = Text("All public tests pass. The hidden tests run now.", "公开测试全部通过，现在运行隐藏测试。")
PRINTED = Text("Your code printed:", "你的代码输出了：")
HINTS = Text("Hints on {question}: {given} of {most} given", "{question} 的提示：已给出 {given}/{most}")
IN_COURSE = Text(
    "Course: {units}/{all_units} units, {exercises}/{all_exercises} exercises complete",
    "课程：完成 {units}/{all_units} 个单元，{exercises}/{all_exercises} 道练习",
)


class View(Protocol):
    """What a learner sees."""

    stays: bool  # whether an exercise that was completed stays in view until the learner goes on

    def open(self, exercise: Exercise, done: Collection[str]) -> None:
        """Another exercise; `done` are the ids of those that are complete."""

    def running(self, *, hidden: bool) -> None:
        """Tests run."""

    def tested(self, report: str) -> None:
        """What the tests said."""

    def finished(self, done: Collection[str], said: Text) -> None:
        """The last test has run. `said`: what to say of the whole."""

    def say(self, text: str, style: str = "") -> None:
        """What a key brought."""

    def show(self, keys: bool = False) -> None:
        """Draw what is there again; `keys`: because a key means nothing."""


class Lines:
    """For pipes, dumb terminals, and where no colours are wanted: plain text."""

    stays = False

    def __init__(self, course: Course, lang: str, console: Console, *, single: bool) -> None:
        self._course, self._lang, self._console, self._single = course, lang, console, single

    def open(self, exercise: Exercise, done: Collection[str]) -> None:
        self._exercise = exercise

    def running(self, *, hidden: bool) -> None:
        if hidden:
            self.say(HIDDEN.pick(self._lang))

    def tested(self, report: str) -> None:
        print_report(self._console, report)

    def finished(self, done: Collection[str], said: Text) -> None:
        if said.en:
            self.say(said.pick(self._lang), "green")

    def say(self, text: str, style: str = "") -> None:
        self._console.print(text, style=style, markup=False)

    def show(self, keys: bool = False) -> None:
        if keys:
            shown = [key.pick(self._lang) for key in KEYS]
            shown += [] if self._single else [THEN_ENTER.pick(self._lang)]
            path = self._exercise.skeleton.relative_to(self._course.root)
            self.say(f"{EDIT.pick(self._lang).format(path=path)}\n{'   '.join(shown)}", "dim")


class Screen:
    """One screen."""

    stays = True

    def __init__(self, course: Course, lang: str, console: Console) -> None:
        self._course, self._lang = course, lang
        self._colours = cast(Colours, console.color_system)
        self._page = Page()

    def open(self, exercise: Exercise, done: Collection[str]) -> None:
        self._exercise = exercise
        self._page = Page(title=f"{exercise.id}  {exercise.public.title.text.pick(self._lang)}")
        self._note(done)

    def running(self, *, hidden: bool) -> None:
        self._page.state = (HIDDEN if hidden else RUNNING).pick(self._lang)
        self.show()

    def tested(self, report: str) -> None:
        """Above the line with the points stands what the code printed; without one, all of it is one message."""
        lines, head = report.splitlines(), f"{self._exercise.id}  "
        heads = [place for place, line in enumerate(lines) if line.startswith(head)]
        page, at = self._page, heads[-1] if heads else -1
        page.points = lines[at].removeprefix(head) if heads else ""
        page.report = lines[at + 1 :]
        page.printed = [PRINTED.pick(self._lang), *lines[:at]] if at > 0 else []
        page.said = []
        self.show()

    def finished(self, done: Collection[str], said: Text) -> None:
        self._page.state = said.pick(self._lang)
        self._note(done)
        self.show()

    def say(self, text: str, style: str = "") -> None:
        self._page.said = [(text, style or "yellow")]
        self._note_hints(read_journal(self._course.root).entry(self._exercise))
        self.show()

    def show(self, keys: bool = False) -> None:
        width, height = os.get_terminal_size(sys.stdout.fileno())
        rows = draw(self._page, width, height, self._colours, sys.stdout.encoding)
        rows += [""] * (height - len(rows))
        write("".join(f"\x1b[{number};1H\x1b[0m\x1b[2K{row}" for number, row in enumerate(rows, 1)))

    def _note(self, done: Collection[str]) -> None:
        """The question to go on with, hints, progress and keys, as they are now."""
        exercise, page, lang = self._exercise, self._page, self._lang
        entry = read_journal(self._course.root).entry(exercise)
        told = statement_of(exercise, _current(exercise, entry), lang)
        page.heading, page.paragraphs = told.heading, told.paragraphs
        page.edit = self._what_to_edit(told)
        units = [[f"{unit.id}/{topic}" for topic in unit.exercises] for unit in self._course.units]
        unit = next(unit for unit in self._course.units if unit.id == exercise.unit)
        page.unit = unit.title.text.pick(lang)
        page.in_unit = sum(f"{unit.id}/{topic}" in done for topic in unit.exercises), len(unit.exercises)
        page.in_course = IN_COURSE.pick(lang).format(
            units=sum(all(one in done for one in unit) for unit in units), all_units=len(units),
            exercises=sum(one in done for unit in units for one in unit), all_exercises=sum(map(len, units)),
        )  # fmt: skip
        more = MORE_KEYS if exercise.id in done and can_go_further(exercise) else ()
        page.keys = [key.pick(lang) for key in (*KEYS[:-1], *more, KEYS[-1])]
        self._note_hints(entry)

    def _what_to_edit(self, told: Statement) -> str:
        """The file, and while it is untouched, where its introduction stands: the questions below it build on that.

        Where a file has none, its first question's text is found in its place, which is on the screen.
        """
        exercise, lang = self._exercise, self._lang
        above = statement_of(exercise, None, lang).paragraphs
        shown = not above or told.paragraphs[-len(above) :] == above
        more = exercise.kind != "quiz" and not shown and is_untouched(exercise)
        path = exercise.skeleton.relative_to(self._course.root)
        return (EDIT_FIRST if more else EDIT).pick(lang).format(path=path)

    def _note_hints(self, entry: Entry) -> None:
        question = _current(self._exercise, entry)
        most = sum(hint.question == question for hint in self._exercise.public.hint)
        given = entry.hints.get(question or "", 0)
        told = HINTS.pick(self._lang).format(question=question, given=given, most=most)
        self._page.hints = told if most else ""


def can_go_further(exercise: Exercise) -> bool:
    """Whether there are known mistakes here to debug and to write tests against."""
    return exercise.solution.is_file() and exercise.kind != "quiz"


def _current(exercise: Exercise, entry: Entry) -> str | None:
    """The question that fails first; None where nothing fails."""
    if entry.failing is None or (not entry.failing and not entry.passes):
        return next(iter(exercise.public.questions), None)
    return next(iter(entry.failing), None)
