"""What a notebook's author is told about cells that were left out."""

from __future__ import annotations

from collections.abc import Sequence

from autograder.feedback.remedy import remedy
from autograder.feedback.words import words
from autograder.guest.cell_runner import SkippedCell
from autograder.remote.errors import student_error
from autograder.text import Text

SHOWN = 3
LEFT_OUT = Text(
    "The cell that begins with `{cell}` did not run to its end: {error}. Functions and classes in it were made all "
    "the same; the rest of it was left out.",
    "以 `{cell}` 开头的单元格没有运行完：{error}。其中的函数和类照常定义，其余部分已跳过。",
)
MORE = Text("{n} more cells were left out.", "另有 {n} 个单元格被跳过。")


def left_out(notes: Sequence[SkippedCell]) -> Text:
    """One line for each of the first notes. Nothing hidden was known when they were written, so all is told."""
    lines = []
    for note in notes[:SHOWN]:
        error = student_error(note.error, [note.error], note.message, [])
        said = Text("{name}: {words}" if note.message else "{name}")
        line = LEFT_OUT.format(cell=note.cell, error=said.format(name=note.error, words=words(error)))
        advice = remedy(error)
        lines.append(line if advice is None else Text(f"{line.en} {advice.en}", f"{line.zh}{advice.zh}"))
    if len(notes) > SHOWN:
        lines.append(MORE.format(n=len(notes) - SHOWN))
    return Text("\n".join(line.en for line in lines), "\n".join(line.zh for line in lines))
