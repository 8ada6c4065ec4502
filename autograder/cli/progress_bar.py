"""Progress: of a grading run, students whose files were read and submissions that are graded; and a plain bar."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from autograder.text import Text

if TYPE_CHECKING:
    from rich.console import Console

    from autograder.cli.common import Speaker
    from autograder.grading.work import Settled

COLLECTED = Text("students collected", "已收集的学生")
GRADED = Text("new submissions graded", "已评分的新提交")
REFRESH_SECONDS = 0.1


class GradingProgress:
    """Two bars, while it is entered: one of students, and one of their submissions that are not known yet."""

    def __init__(self, console: Console, students: int, say: Speaker) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        columns = (
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.description}", markup=False),
        )
        # No thread refreshes them: workers are forked from this process.
        self._bars = Progress(*columns, console=console, transient=True, auto_refresh=False)
        self._shown = 0.0
        self._students = self._bars.add_task(say(COLLECTED), total=students)
        self._new = self._bars.add_task(say(GRADED), total=0)
        self._left = students
        self._found = 0
        self.waiting = 0  # new submissions that were found and are not graded yet

    def __enter__(self) -> GradingProgress:
        self._bars.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._bars.stop()

    def collected(self, student: str, new: int) -> None:
        """A student's files were read; so many of their submissions wait."""
        self._left -= 1
        self._found += new
        self.waiting += new
        self._bars.advance(self._students)
        self._bars.update(self._new, total=self._found)
        self._show()

    def following(self, settled: Iterable[Settled]) -> Iterator[Settled]:
        """Pass the results through, showing whose was the last. Those settled while others are collected were known."""
        for item in settled:
            name = f"{item.result.student}  {item.result.exercise}"
            graded = 0 if self._left else 1
            self.waiting -= graded
            self._bars.update(self._new, advance=graded, description=name)
            self._show()
            yield item

    def _show(self) -> None:
        if time.monotonic() - self._shown > REFRESH_SECONDS:
            self._bars.refresh()
            self._shown = time.monotonic()


@contextmanager
def counted(console: Console) -> Iterator[Callable[[int, int], None]]:
    """A bar that shows how many of how many are done, while the block lasts: call what it gives with both numbers."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeElapsedColumn

    with Progress(
        BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), console=console, transient=True
    ) as bar:
        task = bar.add_task("", total=None)
        yield lambda done, every: bar.update(task, completed=done, total=every)
