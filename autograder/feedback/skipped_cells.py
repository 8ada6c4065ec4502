"""What a notebook's author is told about cells that were left out."""

from __future__ import annotations

from collections.abc import Sequence

from autograder.feedback.explain import FAMILIES
from autograder.feedback.handed_in import HandedIn, repeatable
from autograder.feedback.remedy import BY_FAMILY, remedy
from autograder.guest.cell_runner import TOO_LONG, OutOfTime, SkippedCell
from autograder.guest.imports import ForbiddenImport
from autograder.remote.errors import student_error
from autograder.text import Text

SHOWN = 3
KNOWN = FAMILIES | {OutOfTime.__name__, ForbiddenImport.__name__}
LEFT_OUT = Text(
    "The cell that begins with `{cell}` did not run to its end: {error}. Functions and classes in it were made all "
    "the same; the rest of it was left out.",
    "以 `{cell}` 开头的单元格没有运行完：{error}。其中的函数和类照常定义，其余部分已跳过。",
)
MORE = Text("{n} more cells were left out.", "另有 {n} 个单元格被跳过。")


def left_out(notes: Sequence[SkippedCell], handed_in: HandedIn) -> Text:
    """One line for each of the first notes. As of a file that does not load, no more is told than stands in that cell."""
    lines = []
    for note in notes[:SHOWN]:
        code = handed_in.cell_of(note.cell)
        if code is None:
            continue
        name = note.error if note.error in KNOWN else "Exception"
        said = repeatable(name, note.message, code) if note.message != TOO_LONG else Text(TOO_LONG, TOO_LONG)
        error = Text("{name}: {said}" if said.en else "{name}").format(name=name, said=said)
        line = LEFT_OUT.format(cell=note.cell, error=error)
        named = said.en or name != "ModuleNotFoundError"
        advice = remedy(student_error(name, [name], note.message)) if named else BY_FAMILY[name]
        lines.append(line if advice is None else Text(f"{line.en} {advice.en}", f"{line.zh}{advice.zh}"))
    if len(notes) > SHOWN:
        lines.append(MORE.format(n=len(notes) - SHOWN))
    return Text("\n".join(line.en for line in lines), "\n".join(line.zh for line in lines))
