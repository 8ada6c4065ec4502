"""The notebook that nbgrader's formgrader and feedback show: what was handed in, and what our engine says of it.

Structure and metadata come from the released notebook; of the student's, only sources, text and images are taken. No hidden test is in either, so what nbgrader makes of it can't show one.
"""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from autograder.feedback.markdown import literal
from autograder.grading.hand_in import MAX_FILE
from autograder.grading.notebook_view import PNG, ShownCell, shown_cells
from autograder.guest.notebook import NotebookError
from autograder.platforms.nbgrader.foreign_markdown import ForeignMarkdown
from autograder.text import Text

ABSENT = Text(
    "{name} was not handed in. This is the notebook that was given out.",
    "没有提交 {name}。以下是发布时的 notebook。",
)
UNREADABLE = Text(
    "{name} could not be shown: {reason}. This is the notebook that was given out.",
    "无法显示 {name}：{reason}。以下是发布时的 notebook。",
)
PYTHON = Text(
    "{name}.py was handed in and graded. This is the notebook that was given out.",
    "提交并评分的是 {name}.py。以下是发布时的 notebook。",
)
TAKEN_OUT = Text("this cell was not in the notebook that was handed in", "提交的 notebook 中没有这个单元格")


class CellOutput(NamedTuple):
    """What is said of a question: in its grade cell, and as a comment (Markdown) on its solution cell."""

    html: str
    text: str
    comment: str


def write_autograded(
    target: Path,
    released: dict[str, Any],
    submitted: Path,
    tables: Mapping[str, CellOutput],
    lang: str,
) -> bool:
    """Write the notebook unless it is there already for the same submission and tables; whether it was written.

    Args:
        target: `autograded/STUDENT/ASSIGNMENT/NAME.ipynb`.
        released: the notebook that was given out.
        submitted: the notebook that was handed in, if it is there.
        tables: the name of a grade cell -> what it shows.
    """
    raw, note = _handed_in(submitted)
    told = msgspec.json.encode([released, tables, note, lang])
    digest = hashlib.sha256(told + b"\0" + (raw or b"")).hexdigest()
    if _digest_of(target) == digest:
        return False
    cells: list[ShownCell] | None = None
    if raw is not None:
        try:
            cells = shown_cells(raw)
        except NotebookError as error:
            note = UNREADABLE.format(name=target.name, reason=str(error))
    notebook = _merged(released, cells, tables, note.pick(lang), lang)
    notebook["metadata"]["autograder"] = {**notebook["metadata"]["autograder"], "shows": digest}
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_suffix(".partial")
    partial.write_text(json.dumps(notebook, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    partial.replace(target)
    return True


def _handed_in(path: Path) -> tuple[bytes | None, Text]:
    """The notebook's bytes, or None and why there are none."""
    if not path.is_file():
        answered = path.with_suffix(".py").is_file()
        return None, (PYTHON if answered else ABSENT).format(name=path.stem if answered else path.name)
    try:
        if path.is_symlink():
            raise OSError("it is a link")
        if path.stat().st_size > MAX_FILE:
            raise OSError(f"it has more than {MAX_FILE >> 20} MB")
        return path.read_bytes(), Text()
    except OSError as error:
        return None, UNREADABLE.format(name=path.name, reason=error.strerror or str(error))


def _digest_of(target: Path) -> str | None:
    """What an autograded notebook of ours was made from; None for anybody else's, or none."""
    try:
        found = json.loads(target.read_bytes())["metadata"]["autograder"]["shows"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return found if isinstance(found, str) else None


def grade_id(cell: Mapping[str, Any]) -> str:
    """nbgrader's name for a cell of a released notebook; "" for other cells."""
    settings = cell["metadata"].get("nbgrader") or {}
    return str(settings.get("grade_id") or "")


def _merged(
    released: dict[str, Any],
    cells: Sequence[ShownCell] | None,
    tables: Mapping[str, CellOutput],
    note: str,
    lang: str,
) -> dict[str, Any]:
    """The student's cells in their order, in the released notebook's clothes. What they took out is put back."""
    notebook = copy.deepcopy(released)
    known = {name: cell for cell in notebook["cells"] if (name := grade_id(cell))}
    given = {text.strip(): text for cell in notebook["cells"] if (text := _text(cell))}
    harmless = ForeignMarkdown()
    for name, cell in known.items():
        if name in tables:
            cell["outputs"] = [_output(tables[name])]
    if cells is None:
        notebook["cells"] = [_markdown("note", f"**{literal(note)}**"), *notebook["cells"]]
        return notebook
    # Of two cells with one name the later is meant: that is the definition that counted.
    last = {cell.grade_id: place for place, cell in enumerate(cells) if cell.grade_id in known}
    merged: list[dict[str, Any]] = []
    for place, cell in enumerate(cells):
        if last.get(cell.grade_id) == place:
            merged.append(_with_student_source(known[cell.grade_id], cell, harmless))
        elif cell.kind == "markdown" and cell.source.strip() in given:
            merged.append(_markdown(f"own-{place}", given[cell.source.strip()]))
        else:
            merged.append(_own(cell, place, harmless))
    before = ""
    for name, cell in known.items():
        if name not in last:
            at = next((n + 1 for n, there in enumerate(merged) if before and grade_id(there) == before), 0)
            merged[at:at] = [_markdown(f"note-{name}"[:64], f"*{TAKEN_OUT.pick(lang)}:*"), cell]
        before = name
    notebook["cells"] = merged
    return notebook


def _text(cell: Mapping[str, Any]) -> str:
    """The source of a Markdown cell that was given out; "" of any other."""
    return "".join(cell["source"]) if cell["cell_type"] == "markdown" else ""


def _with_student_source(
    released: dict[str, Any], cell: ShownCell, harmless: ForeignMarkdown
) -> dict[str, Any]:
    """A cell that nbgrader knows: a locked one as it was given out, any other with the student's source."""
    if not released["metadata"]["nbgrader"].get("locked"):
        is_code = released["cell_type"] == "code"
        released["source"] = cell.source if is_code else harmless(cell.source)
        if is_code:
            released["outputs"] = [_student_output(*output) for output in cell.outputs]
    return released


def _own(cell: ShownCell, place: int, harmless: ForeignMarkdown) -> dict[str, Any]:
    """A cell that nbgrader does not know."""
    if cell.kind != "code":
        return _markdown(f"own-{place}", harmless(cell.source))
    return {
        "cell_type": "code",
        "id": f"own-{place}",
        "metadata": {},
        "execution_count": None,
        "source": cell.source,
        "outputs": [_student_output(*output) for output in cell.outputs],
    }


def _markdown(name: str, source: str) -> dict[str, Any]:
    return {"cell_type": "markdown", "id": name, "metadata": {}, "source": source}


def _output(shown: CellOutput) -> dict[str, Any]:
    data = {"text/html": shown.html, "text/plain": shown.text}
    return {"output_type": "display_data", "metadata": {}, "data": data}


def _student_output(kind: str, content: str) -> dict[str, Any]:
    if kind == PNG:
        return {"output_type": "display_data", "metadata": {}, "data": {PNG: content}}
    return {"output_type": "stream", "name": "stdout", "text": content}
