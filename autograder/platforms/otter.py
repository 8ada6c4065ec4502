"""Target `otter`: a source notebook of each exercise for `otter assign` (otter-grader 7).

The source holds the reference solution, because otter strips it itself: `instructor/` is not for students, who receive
the `student/` folder that otter makes of it. Public tests only: otter runs hidden ones in the student's kernel, where
they can be read. A test cell calls one of our public tests by its name; its code stays in one place.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec

from autograder.authoring.build import defines
from autograder.authoring.notebooks import import_nbformat, notebook_of
from autograder.authoring.script import find_blocks, questions, strip_solutions
from autograder.course import Exercise
from autograder.course.cells import BEGIN, END, split_cells
from autograder.course.toml import read_text
from autograder.platforms.selection import Selection, beside_course, leave_notebooks_only, page, write_course
from autograder.platforms.wheel import write_package
from autograder.results import Visibility, total
from autograder.runner.collect import TestCase, collect
from autograder.text import Text

INSTRUCTOR = "instructor"
SKIP = "# autograder: skip"  # our engine has no otter where submissions run, and needs none of these cells
INIT = f'{SKIP}\nimport otter\n\ngrader = otter.Notebook("{{notebook}}")'
CHECK = f'{SKIP}\ngrader.check("{{question}}")'
EXPORT = f"{SKIP}\ngrader.export(pdf=False)"
HAND_IN = Text(
    "## Hand in\n\nSave the notebook, then run this cell: it writes the zip file to hand in. The tests above are public and "
    "only a part: hidden tests decide.",
    "## 提交\n\n先保存 notebook，再运行这个单元格：它会写出要提交的 zip 文件。上面的测试是公开的，只是一部分，最终由隐藏测试决定。",
)
TEST = '''\
""" # BEGIN TEST CONFIG
points: {points:.12g}
""" # END TEST CONFIG
def {name}(env):
    from autograder.learn.check import require
    require("{exercise}", "{name}", env, lang="{lang}")'''
PROMPT = '{indent}""" # BEGIN PROMPT\n{indent}{unanswered}\n{indent}""" # END PROMPT'


def write(selection: Selection, out: Path) -> None:
    """Write one folder for each exercise below `out/instructor`, and the package beside it."""
    wheel = write_package(out, "otter")
    package = sorted(path.name for path in out.iterdir())
    for exercise in selection.exercises:
        folder = out / INSTRUCTOR / exercise.unit / exercise.topic
        (given,) = write_course(replace(selection, exercises=(exercise,)), folder)
        for name in package:
            shutil.copyfile(out / name, folder / name)
        _write_source(exercise, given, package, selection.lang)
        leave_notebooks_only([given], folder)
    readme = page("otter", selection, wheel=wheel.name, example=selection.exercises[0])
    (out / "README.md").write_text(readme, encoding="utf-8")


def _write_source(exercise: Exercise, given: Exercise, package: Sequence[str], lang: str) -> None:
    nbformat = import_nbformat()
    notebook = notebook_of(given, lang)
    public = collect(given.public_tests, Visibility.PUBLIC)
    notebook.cells = list(_cells(exercise, notebook.cells, public, package, lang))
    nbformat.write(notebook, given.root / f"{exercise.topic}.ipynb")


def _cells(
    exercise: Exercise, cells: Sequence[Any], public: Sequence[TestCase], package: Sequence[str], lang: str
) -> Iterator[Any]:
    """The notebook's cells with what otter wants around them."""
    from nbformat.v4 import new_code_cell, new_markdown_cell

    answers = _answers(exercise)
    names = questions(read_text(exercise.solution), str(exercise.solution))
    yield _raw("ASSIGNMENT CONFIG", _config(package))
    for cell in cells:
        if cell.cell_type == "markdown":
            cell.source = beside_course(cell.source)
            yield cell
        elif cell.source == "from autograder import check":
            yield new_code_cell(INIT.format(notebook=f"{exercise.topic}.ipynb"))
        elif cell.source in answers:
            asked, cell.source = answers[cell.source]
            cases = [case for case in public if case.question(names) in asked]
            yield from _question(exercise, cell, asked, cases, lang)
        elif not cell.source.startswith("check("):
            yield cell
    yield new_markdown_cell(HAND_IN.pick(lang))
    yield new_code_cell(EXPORT)


def _question(
    exercise: Exercise, cell: Any, asked: Sequence[str], cases: Sequence[TestCase], lang: str
) -> Iterator[Any]:
    """The cell with its solution and tests. Without public tests there is no question to otter."""
    from nbformat.v4 import new_code_cell

    if not cases:
        yield cell
        return
    yield _raw("BEGIN QUESTION", {"name": asked[0], "check_cell": False})
    yield from (_raw("BEGIN SOLUTION"), cell, _raw("END SOLUTION"), _raw("BEGIN TESTS"))
    for name in dict.fromkeys(case.function_name for case in cases):
        points = total(case.points for case in cases if case.function_name == name)
        yield new_code_cell(TEST.format(points=points, name=name, exercise=exercise.id, lang=lang))
    yield from (_raw("END TESTS"), _raw("END QUESTION"))
    yield new_code_cell(CHECK.format(question=asked[0]))


def _answers(exercise: Exercise) -> dict[str, tuple[list[str], str]]:
    """Source of a skeleton's cell -> the questions it asks, and the same cell with the solution in otter's markers."""
    path = str(exercise.solution)
    solution = read_text(exercise.solution)
    skeleton = split_cells(strip_solutions(solution, path), path)
    marked = split_cells(_marked(solution, path), path)
    answers = {}
    for ours, theirs in zip(skeleton, marked, strict=True):
        if BEGIN in theirs.body:
            asked = [name for name in questions(solution, path) if defines(ours.body, name)]
            answers[ours.body.strip()] = asked, theirs.body.strip()
    return answers


def _marked(solution: str, path: str) -> str:
    """The solution with otter's markers, which tell it what the student's version says in its place."""
    lines = solution.splitlines()
    for block in find_blocks(solution, path):
        begin = lines[block.first - 1]
        indent = begin[: len(begin) - len(begin.lstrip())]
        lines[block.first - 1] = f"{indent}{BEGIN} NO PROMPT"
        lines[block.last - 1] = f"{indent}{END}\n" + PROMPT.format(indent=indent, unanswered=block.unanswered)
    return "\n".join(lines) + "\n"


def _config(package: Sequence[str]) -> dict[str, Any]:
    return {
        "init_cell": False,  # ours, which can be skipped, stand in their place
        "export_cell": False,
        "generate": True,  # without its zip file, neither `otter run` nor otter's check of the solution works
        "tests": {"ok_format": False},
        "strip_solutions_from_all_cells": True,
        "files": ["exercises", "course", *package],
    }


def _raw(kind: str, config: dict[str, Any] | None = None) -> Any:
    """One of otter's raw cells. JSON is YAML as well."""
    from nbformat.v4 import new_raw_cell

    lines = [
        f"# {kind}",
        *(f"{key}: {msgspec.json.encode(value).decode()}" for key, value in (config or {}).items()),
    ]
    return new_raw_cell("\n".join(lines))
