"""`autograder learn`: one exercise at a time beside the editor. Every save runs its tests; hints come when asked for.

What happens (a key, a save, an answer of the tests, a signal) comes through one queue, so that keys act while tests run.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

from autograder.course import Course, Exercise
from autograder.course.catalogue import require_file
from autograder.course.order import learning_order
from autograder.learn.hints import give_hint
from autograder.learn.states import finished, states_of, where_to_begin
from autograder.learn.terminal import Terminal
from autograder.learn.views import Lines, Screen, View, can_go_further
from autograder.learn.warm import Answer, Checker
from autograder.learn.web_page import ABSENT, open_page, page_of
from autograder.text import Text, joined

if TYPE_CHECKING:
    from rich.console import Console

INTERVAL = 0.5  # seconds between two looks at the file, where the system does not tell of a save
SITE = "build/site"  # where the course's pages are, unless the learner says otherwise
COMPLETE = Text("{exercise} is complete.", "{exercise} 已完成。")
GO_ON = Text(
    "n: go on. d: find the mistake in a right answer. w: catch known mistakes with tests of your own.",
    "n：继续。d：在正确答案里找错。w：用自己的测试抓住已知错误。",
)
FURTHER = Text(
    "What you can do with it now: autograder debug {exercise}, autograder write-tests {exercise}",
    "现在还可以：autograder debug {exercise}，autograder write-tests {exercise}",
)
DEBUG = Text(
    "`autograder debug {exercise}` gives you a right answer with one mistake in it, to find and to mend.",
    "`autograder debug {exercise}` 给出一份带有一处错误的正确答案，由你找到并改好。",
)
WRITE_TESTS = Text(
    "`autograder write-tests {exercise}` says how many known mistakes tests of your own catch.",
    "`autograder write-tests {exercise}` 告诉你：你自己写的测试能抓住多少个已知错误。",
)
LATER = Text(
    "That comes once all tests pass, the hidden ones, too.", "所有测试（包括隐藏测试）都通过之后才能这样做。"
)
NOT_HERE = Text("There is nothing of that kind for {exercise}.", "{exercise} 没有这一项。")
PUBLIC_DONE = Text(
    "{exercise}: all public tests pass. They are only a part: hidden tests decide.",
    "{exercise}：公开测试全部通过。它们只是一部分，最终由隐藏测试决定。",
)
FORM_DONE = Text(
    "{exercise}: all answers have the right form. Grading tells whether they are right.",
    "{exercise}：答案的格式都正确；是否答对，评分后才知道。",
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
SAVED = ""  # what stands in the queue, beside keys, when something was saved

Check = Callable[[Exercise, str], Iterable[Answer]]


@dataclass(frozen=True)
class Ran:
    """What a run of tests has to say: an answer, at its end none, or why there is none."""

    run: int
    answer: Answer | None = None
    error: BaseException | None = None


Event = str | Ran


class Loop:
    """The learner's session.

    Args:
        check: runs an exercise's tests, and says what they said in one answer or several; the last one decides.
        site: the folder of the course's pages.
    """

    def __init__(
        self,
        course: Course,
        lang: str,
        console: Console,
        check: Check | None = None,
        site: Path | None = None,
    ) -> None:
        self.course = course
        self.lang = lang
        self.console = console
        self.check = check
        self.site = site or course.root / SITE
        self.exercises = learning_order(course)
        states = states_of(course, self.exercises)
        self.done = {found.exercise for found in states if found.state is finished(course)}
        self.events: SimpleQueue[Event] = SimpleQueue()  # signal handlers may put into it
        self.held: deque[Event] = deque()  # until tests have run
        self.terminal = Terminal(console, self.events.put)
        self.view: View = (
            Screen(course, lang, console)
            if self.terminal.screen
            else Lines(course, lang, console, single=self.terminal.single)
        )

    def run(self, first: str | None = None) -> None:
        """Go on until the course is complete or the learner quits."""
        at = self.exercises.index(self.course.exercise(first) if first else where_to_begin(self.course))
        require_file(self.exercises[at].skeleton, self.exercises[at])
        with ExitStack() as stack:
            stop, checker = threading.Event(), Checker()
            stack.callback(stop.set)
            stack.callback(checker.close)
            runs = _Runs(self.check or checker.run, self.events.put)
            stack.enter_context(self.terminal)
            _watch(self.course.root / "exercises", self.events.put, stop)
            everything = self._go(at, runs, asked_for=first is not None)
        if everything:
            said = ALL_DONE if self.course.has_solutions else ALL_PUBLIC
            self.console.print(said.pick(self.lang), style="bold green", markup=False)

    def _go(self, at: int, runs: _Runs, *, asked_for: bool) -> bool:
        """From exercise to exercise. What is complete is passed by, but for what the learner asked to see.

        Whether all of them are complete in the end.
        """
        while True:
            step = self._one(at, runs, stay=asked_for)
            if step == "q":
                return False
            asked_for = step != "complete"
            following = {"n": at + 1, "p": at - 1}.get(step, self._next_open(at))
            if following is None:
                return True
            at = following

    def _next_open(self, at: int) -> int | None:
        """The place of the next exercise that is not done, after this one or else from the beginning."""
        places = [*range(at + 1, len(self.exercises)), *range(at + 1)]
        return next((place for place in places if self.exercises[place].id not in self.done), None)

    def _one(self, at: int, runs: _Runs, *, stay: bool) -> str:
        """Stay with one exercise until it is complete ("complete") or a key leads away ("n", "p", "q").

        stay: whether to stay with it, too, if it is complete already.
        """
        exercise, seen = self.exercises[at], None
        require_file(exercise.skeleton, exercise)
        self.view.open(exercise, self.done)
        run, answers, complete = 0, 0, False  # the run that is under way, and what is known of it
        leaves = False
        if self.terminal.single:
            self.held.clear()
        while True:
            now = _modified(exercise.skeleton)
            if not run and now is not None and now != seen:
                stay, seen = stay and seen is None, now
                run, answers, leaves = runs.ask(exercise, self.lang), 0, False
                self.view.running(hidden=False)
            event = self._next_event(testing=bool(run))
            if isinstance(event, Ran):
                if event.run != run:
                    continue  # of an exercise that the learner has left
                if event.error is not None:
                    raise event.error
                if event.answer is not None:
                    answers, complete = answers + 1, event.answer.complete
                    self.view.tested(event.answer.text)
                    if complete and answers == 1 and exercise.hidden_tests.is_file():
                        self.view.running(hidden=True)
                    continue
                run = 0
                self._ended(exercise, complete)
                leaves = complete and not stay
                if leaves and not self.view.stays:
                    return "complete"
                self.view.show(keys=True)
            elif event == "n" and leaves:
                return "complete"
            elif (event, at) in (("p", 0), ("n", len(self.exercises) - 1)):
                self.view.say((FIRST if event == "p" else LAST).pick(self.lang))
            elif event in ("n", "p", "q"):
                return str(event)
            elif event == "h":
                self.view.say(give_hint(exercise, self.lang))
            elif event:
                self._other(exercise, event)

    def _next_event(self, *, testing: bool) -> Event | None:
        """What happened; None after a while. While tests run, what is typed in lines waits, and so does a wish for a hint.

        A hint is on what fails, which the tests that run are about to tell. Lines may come from a pipe, all at once.
        """
        if self.held and not testing:
            return self.held.popleft()
        try:
            event = self.events.get(timeout=INTERVAL)
        except Empty:
            return None
        if self.terminal.obey(event):
            self.view.show()
        elif testing and isinstance(event, str) and event and (event == "h" or not self.terminal.single):
            self.held.append(event)
        else:
            return event
        return None

    def _ended(self, exercise: Exercise, complete: bool) -> None:
        """Note and say whether all tests pass."""
        said = Text()
        self.done.discard(exercise.id)
        if complete:
            self.done.add(exercise.id)
            at_hand = exercise.hidden_tests.is_file()
            public = FORM_DONE if exercise.kind == "quiz" else PUBLIC_DONE
            said = (COMPLETE if at_hand else public).format(exercise=exercise.id)
            if at_hand and can_go_further(exercise):
                said = joined(said, GO_ON if self.view.stays else FURTHER.format(exercise=exercise.id))
        self.view.finished(self.done, said)

    def _other(self, exercise: Exercise, key: str) -> None:
        """Keys that show something and change nothing."""
        if key == "l":
            self.view.say(str(exercise.lesson(self.lang)))
        elif key == "b":
            self.view.say(self._browse(exercise).pick(self.lang))
        elif key in ("d", "w"):
            told = DEBUG if key == "d" else WRITE_TESTS
            if not can_go_further(exercise):
                told = NOT_HERE
            elif exercise.id not in self.done:
                told = LATER
            self.view.say(told.pick(self.lang).format(exercise=exercise.id))
        else:
            self.view.show(keys=True)

    def _browse(self, exercise: Exercise) -> Text:
        page = page_of(exercise, self.lang, self.site)
        if page is None:
            return ABSENT.format(exercise=exercise.id, folder=self.site)
        with self.terminal.lent():  # a browser may be a program of this terminal
            return open_page(page)


class _Runs:
    """Runs tests on the side, one run after the other."""

    def __init__(self, check: Check, put: Callable[[Event], None]) -> None:
        self._check, self._put = check, put
        self._wanted: SimpleQueue[tuple[int, Exercise, str]] = SimpleQueue()
        self._last = 0
        threading.Thread(target=self._work, daemon=True).start()

    def ask(self, exercise: Exercise, lang: str) -> int:
        """Have the tests run; the number by which the answers are known."""
        self._last += 1
        self._wanted.put((self._last, exercise, lang))
        return self._last

    def _work(self) -> None:
        while True:
            run, exercise, lang = self._wanted.get()
            try:
                for answer in self._check(exercise, lang) if run == self._last else ():
                    self._put(Ran(run, answer))
                    if run != self._last:
                        break
                self._put(Ran(run))
            except BaseException as error:
                self._put(Ran(run, error=error))


def _modified(path: Path) -> int | None:
    """When the file was saved; None while an editor that replaces files has it away."""
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return None


def _watch(folder: Path, put: Callable[[Event], None], stop: threading.Event) -> None:
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
                put(SAVED)
        except (OSError, RuntimeError):  # no more watches, or no such folder
            return

    threading.Thread(target=tell, daemon=True).start()
