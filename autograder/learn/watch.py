"""`autograder learn`: one exercise at a time beside the editor. Every save runs its tests; hints come when asked for.

Saves are noticed by looking at the file twice a second, which works the same on every system.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import Empty, Queue
from typing import TYPE_CHECKING

from autograder.course import Course, Exercise
from autograder.course.order import learning_order
from autograder.feedback.report import print_report
from autograder.text import Text

if TYPE_CHECKING:
    from rich.console import Console

INTERVAL = 0.5  # seconds between two looks at the file
HELP = Text(
    "Edit {path} and save.   h: hint   n: next exercise   l: lesson   q: quit   (then Enter)",
    "编辑并保存 {path}。   h：提示   n：下一题   l：讲义   q：退出   （按回车确认）",
)
NO_HINT = Text("No more hints. The lesson may help: {path}", "没有更多提示了，可以看看讲义：{path}")
HINT = Text("Hint {n} of {total}, {question}: {text}", "提示 {n}/{total}，{question}：{text}")
COMPLETE = Text("{exercise} is complete. On to the next.", "{exercise} 已完成，进入下一题。")
ALL_DONE = Text("Every exercise is complete.", "全部练习已完成。")


def run_check(exercise: Exercise, lang: str) -> tuple[str, bool]:
    """The report as text, and whether all public tests pass. A process of its own, so that a loop can be ended."""
    command = [
        sys.executable,
        "-m",
        "autograder",
        "check",
        exercise.id,
        "--course",
        str(exercise.root),
        "--lang",
        lang,
    ]
    try:
        # On Windows its output would otherwise be in the system's encoding, which may lack the table's marks.
        done = subprocess.run(
            command,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=120,
            env={**os.environ, "PYTHONIOENCODING": "utf-8"},
        )
    except subprocess.TimeoutExpired:
        return Text("The tests did not end within two minutes.", "测试在两分钟内没有结束。").pick(lang), False
    return (done.stdout or done.stderr).rstrip(), done.returncode == 0


class Loop:
    """The learner's session: which exercise is shown, how many of its hints were given."""

    def __init__(
        self,
        course: Course,
        lang: str,
        console: Console,
        check: Callable[[Exercise, str], tuple[str, bool]] = run_check,
    ) -> None:
        self.course = course
        self.lang = lang
        self.console = console
        self.check = check
        self.hints_given = 0

    def run(self, first: str | None = None) -> None:
        """Go on until the course is complete or the learner quits."""
        keys = _typed_lines()
        exercises = learning_order(self.course)
        start = exercises.index(self.course.exercise(first)) if first else 0
        for exercise in exercises[start:]:
            if not self._one(exercise, keys):
                return
        self.console.print(ALL_DONE.pick(self.lang), style="bold green")

    def _one(self, exercise: Exercise, keys: Queue[str]) -> bool:
        """Stay with one exercise. True to go on with the next, False to quit."""
        from autograder.runner.in_process import require_file

        self.hints_given = 0
        require_file(exercise.skeleton, exercise)
        for _ in self._saves(exercise, keys):
            text, complete = self.check(exercise, self.lang)
            print_report(self.console, text)
            if complete:
                self.console.print(COMPLETE.pick(self.lang).format(exercise=exercise.id), style="green")
                return True
            self._show_keys(exercise)
        return self._wants_next

    def _show_keys(self, exercise: Exercise) -> None:
        path = exercise.skeleton.relative_to(self.course.root)
        self.console.print(HELP.pick(self.lang).format(path=path), style="dim")

    def _saves(self, exercise: Exercise, keys: Queue[str]) -> Iterator[None]:
        """Once at the start, and again after every save; ends when the learner asks for the next, or to quit."""
        seen = None
        while True:
            now = _modified(exercise.skeleton)
            if now is not None and now != seen:
                seen = now
                yield
            try:
                key = keys.get(timeout=INTERVAL)
            except Empty:
                continue
            if key in ("q", "n"):
                self._wants_next = key == "n"
                return
            if key == "h":
                self.console.print(self.next_hint(exercise), markup=False)
            elif key == "l":
                self.console.print(str(exercise.lesson(self.lang)), markup=False)
            else:
                self._show_keys(exercise)

    _wants_next = False

    def next_hint(self, exercise: Exercise) -> str:
        """The next step of help, in the order in which the author wrote them."""
        hints = exercise.public.hint
        if self.hints_given >= len(hints):
            return NO_HINT.pick(self.lang).format(
                path=exercise.lesson(self.lang).relative_to(self.course.root)
            )
        hint = hints[self.hints_given]
        self.hints_given += 1
        return HINT.pick(self.lang).format(
            n=self.hints_given, total=len(hints), question=hint.question, text=hint.text.pick(self.lang)
        )


def _modified(path: Path) -> int | None:
    """When the file was saved; None while an editor that replaces files has it away."""
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return None


def _typed_lines() -> Queue[str]:
    """What the learner types, read on the side so that saves are noticed meanwhile. The end of input means quit."""
    lines: Queue[str] = Queue()

    def read() -> None:
        for line in sys.stdin:
            lines.put(line.strip().lower()[:1])
        lines.put("q")

    threading.Thread(target=read, daemon=True).start()
    return lines
