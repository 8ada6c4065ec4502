"""`autograder learn`: one exercise at a time beside the editor. Every save runs its tests; hints come when asked for."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from queue import Empty, Queue
from typing import TYPE_CHECKING

from autograder.course import Course, Exercise
from autograder.course.catalogue import require_file
from autograder.course.order import learning_order
from autograder.feedback.report import print_report
from autograder.learn.hints import give_hint
from autograder.learn.states import finished, states_of, where_to_begin
from autograder.learn.warm import Answer, Checker
from autograder.text import Text

if TYPE_CHECKING:
    from rich.console import Console

INTERVAL = 0.5  # seconds between two looks at the file, where the system does not tell of a save
HELP = Text(
    "Edit {path} and save.\nh: hint   n: next   p: previous   l: lesson   q: quit   (then Enter)",
    "编辑并保存 {path}。\nh：提示   n：下一题   p：上一题   l：讲义   q：退出   （按回车确认）",
)
HIDDEN = Text("All public tests pass. The hidden tests run now.", "公开测试全部通过，现在运行隐藏测试。")
COMPLETE = Text("{exercise} is complete.", "{exercise} 已完成。")
PUBLIC_DONE = Text(
    "{exercise}: all public tests pass. They are only a part: hidden tests decide.",
    "{exercise}：公开测试全部通过。它们只是一部分，最终由隐藏测试决定。",
)
FIRST, LAST = (
    Text("This is the first exercise.", "这是第一题。"),
    Text("This is the last exercise.", "这是最后一题。"),
)
ALL_DONE = Text("Every exercise is complete.", "全部练习已完成。")
ALL_PUBLIC = Text(
    "All public tests of every exercise pass. Hidden tests decide.",
    "所有练习的公开测试都已通过，最终由隐藏测试决定。",
)
SAVED = ""  # what stands in the queue of typed keys when something was saved

Check = Callable[[Exercise, str], Iterable[Answer]]


class Loop:
    """The learner's session.

    Args:
        check: runs an exercise's tests, and says what they said in one answer or several; the last one decides.
    """

    def __init__(self, course: Course, lang: str, console: Console, check: Check | None = None) -> None:
        self.course = course
        self.lang = lang
        self.console = console
        self.check = check
        self.exercises = learning_order(course)
        states = states_of(course, self.exercises)
        self.done = {found.exercise for found in states if found.state is finished(course)}

    def run(self, first: str | None = None) -> None:
        """Go on until the course is complete or the learner quits."""
        keys, stop = _typed_lines(), threading.Event()
        _watch(self.course.root / "exercises", keys, stop)
        at = self.exercises.index(self.course.exercise(first) if first else where_to_begin(self.course))
        checker = Checker()
        try:
            self._go(at, keys, self.check or checker.run, asked_for=first is not None)
        finally:
            stop.set()
            checker.close()

    def _go(self, at: int, keys: Queue[str], check: Check, *, asked_for: bool) -> None:
        """From exercise to exercise. What is complete is passed by, but for what the learner asked to see."""
        while True:
            step = self._one(at, keys, check, stay=asked_for)
            if step == "q":
                return
            asked_for = step != "complete"
            following = {"n": at + 1, "p": at - 1}.get(step, self._next_open(at))
            if following is None:
                self._say(ALL_DONE if self.course.has_solutions else ALL_PUBLIC, style="bold green")
                return
            at = following

    def _next_open(self, at: int) -> int | None:
        """The place of the next exercise that is not done, after this one or else from the beginning."""
        places = [*range(at + 1, len(self.exercises)), *range(at + 1)]
        return next((place for place in places if self.exercises[place].id not in self.done), None)

    def _one(self, at: int, keys: Queue[str], check: Check, *, stay: bool) -> str:
        """Stay with one exercise until it is complete ("complete") or a key leads away ("n", "p", "q").

        stay: whether to stay with it, too, if it is complete already.
        """
        exercise, seen = self.exercises[at], None
        require_file(exercise.skeleton, exercise)
        while True:
            now = _modified(exercise.skeleton)
            if now is not None and now != seen:
                complete = self._checked(exercise, check)
                if complete and not (stay and seen is None):
                    return "complete"
                seen = now
                self._show_keys(exercise)
            try:
                key = keys.get(timeout=INTERVAL)
            except Empty:
                continue
            if (key, at) in (("p", 0), ("n", len(self.exercises) - 1)):
                self._say(FIRST if key == "p" else LAST)
            elif key in ("n", "p", "q"):
                return key
            elif key == "h":
                self.console.print(give_hint(exercise, self.lang), markup=False)
            elif key == "l":
                self.console.print(str(exercise.lesson(self.lang)), markup=False)
            elif key != SAVED:
                self._show_keys(exercise)

    def _checked(self, exercise: Exercise, check: Check) -> bool:
        """Show what the tests say of the file as it is now; whether all of them pass."""
        at_hand = exercise.hidden_tests.is_file()
        complete = False
        for number, answer in enumerate(check(exercise, self.lang)):
            print_report(self.console, answer.text)
            complete = answer.complete
            if complete and at_hand and number == 0:
                self._say(HIDDEN)
        self.done.discard(exercise.id)
        if complete:
            self.done.add(exercise.id)
            self._say(COMPLETE if at_hand else PUBLIC_DONE, style="green", exercise=exercise.id)
        return complete

    def _show_keys(self, exercise: Exercise) -> None:
        self._say(HELP, style="dim", path=exercise.skeleton.relative_to(self.course.root))

    def _say(self, text: Text, style: str = "", **values: object) -> None:
        self.console.print(text.pick(self.lang).format(**values), style=style, markup=False)


def _modified(path: Path) -> int | None:
    """When the file was saved; None while an editor that replaces files has it away."""
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return None


def _watch(folder: Path, keys: Queue[str], stop: threading.Event) -> None:
    """Put SAVED into the queue whenever the system tells that something below the folder was saved.

    Without watchfiles, and on drives that tell nothing, a look at the file twice a second has to do.
    """
    try:
        from watchfiles import watch
    except ImportError:
        return

    def tell() -> None:
        try:
            for _ in watch(folder, debounce=200, stop_event=stop, raise_interrupt=False):
                keys.put(SAVED)
        except (OSError, RuntimeError):  # no more watches, or no such folder
            return

    threading.Thread(target=tell, daemon=True).start()


def _typed_lines() -> Queue[str]:
    """What the learner types, read on the side so that saves are noticed meanwhile. The end of input means quit."""
    lines: Queue[str] = Queue()

    def read() -> None:
        for line in sys.stdin:
            lines.put(line.strip().lower()[:1] or "?")
        lines.put("q")

    threading.Thread(target=read, daemon=True).start()
    return lines
