"""A progress bar over results as they arrive."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from autograder.grading.scheduler import Settled

if TYPE_CHECKING:
    from rich.console import Console


def with_progress(settled: Iterable[Settled], console: Console, students: int) -> Iterator[Settled]:
    """Pass the results through, showing how many students are done and who is being graded."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("{task.description}"))
    seen: set[str] = set()
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("", total=students)
        for item in settled:
            seen.add(item.result.student)
            bar.update(
                task, completed=len(seen), description=f"{item.result.student}  {item.result.exercise}"
            )
            yield item
