"""`autograder build`: write `exercises/` from `solutions/`, and given code into the solutions that name it.

A skeleton and its public TOML are generated, never edited; of a quiz everything but its one file is. A learner, though,
works in the same files: a skeleton that was filled in is left alone unless told otherwise (its digest in the public TOML
tells).
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import msgspec

from autograder.authoring.given import with_given
from autograder.authoring.mistakes import mistakes_text
from autograder.authoring.quiz import hidden_tests_of, public_tests_of, quiz_points, quiz_solution
from autograder.authoring.script import questions, strip_solutions, surviving_lines
from autograder.course import Course, Exercise, ExerciseSpec, PublicSpec
from autograder.course.cells import Cell, ScriptError, split_cells
from autograder.course.digests import code_digest, file_digest
from autograder.course.glossary import CONVENTIONS, GLOSSARY_FILE, load_glossary, with_glossary
from autograder.course.outputs import write_atomically
from autograder.course.spec import BasicSpec, PristineDigests, QuestionPoints
from autograder.course.toml import read_text, read_toml
from autograder.grading.known_mistakes import alike
from autograder.results import Visibility, total
from autograder.runner.collect import collect

JUPYTER_HEADER = """\
# ---
# jupyter:
#   jupytext:
#     cell_metadata_filter: lang,-all
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

"""
IMPORT_CELL = "# %%\nfrom autograder import check\n"


class State(StrEnum):
    """What `build` did to one file."""

    UNCHANGED = "unchanged"
    WRITTEN = "written"
    KEPT = "kept"  # it holds somebody's work


@dataclass(frozen=True)
class Built:
    path: Path
    state: State


def _title_cells(exercise: Exercise, spec: ExerciseSpec) -> list[Cell]:
    cells = []
    is_quiz = exercise.kind == "quiz"
    for lang, header, minutes, difficulty, lesson in (
        ("en", "# %% [markdown]", "minutes", "difficulty", "overview" if is_quiz else "lesson"),
        ("zh", '# %% [markdown] lang="zh"', "分钟", "难度", "单元概览" if is_quiz else "讲义"),
    ):
        if lang not in exercise.languages:
            continue
        link = f"../../course/{exercise.unit}/{exercise.lesson(lang).name}"
        body = (
            f"# # {spec.title.text.pick(lang)}\n#\n"
            f"# `{exercise.id}` · {spec.minutes} {minutes} · {difficulty} {spec.difficulty}/5 · [{lesson}]({link})\n"
        )
        cells.append(Cell(header, body))
    return cells


def skeleton_text(exercise: Exercise, solution: str, spec: ExerciseSpec) -> str:
    """The student's file: title, statement, given code, and one unanswered question after another."""
    path = str(exercise.solution)
    names = questions(solution, path)
    cells = [*_title_cells(exercise, spec), Cell(*IMPORT_CELL.split("\n", 1))]
    for cell in split_cells(strip_solutions(solution, path), path):
        cells.append(cell)
        if not cell.is_markdown and any(defines(cell.body, name) for name in names):
            cells.append(Cell("# %%", f'check("{exercise.id}")\n'))
    text = JUPYTER_HEADER + "\n".join(cell.text for cell in cells)
    survivors = surviving_lines(solution, path, text)
    if survivors:
        raise ScriptError(
            f"{path}: the solution line {survivors[0]!r} also stands outside the markers, so it would reach students; "
            "reword one of the two",
            f"{path}：答案中的 {survivors[0]!r} 一行在标记之外也出现，会泄露给学生；请改写其中一处",
        )
    return text


def defines(code: str, name: str) -> bool:
    """Whether a cell's code defines this top-level function, class or variable."""
    return re.search(rf"^((async def|def|class) {name}\b|{name} = )", code, re.MULTILINE) is not None


def public_spec(exercise: Exercise, solution: str, skeleton: str) -> PublicSpec:
    """What students may know, what each question is worth, and how an untouched skeleton is known."""
    cells = split_cells(skeleton.removeprefix(JUPYTER_HEADER), str(exercise.skeleton))
    return PublicSpec(
        **{name: getattr(exercise.spec, name) for name in BasicSpec.__struct_fields__},
        points=quiz_points(exercise.quiz) if exercise.kind == "quiz" else _points(exercise, solution),
        pristine=PristineDigests(
            file=file_digest(skeleton),
            script=code_digest(skeleton),
            cells=tuple(dict.fromkeys(code_digest(cell.body) for cell in cells if not cell.is_markdown)),
        ),
    )


def _points(exercise: Exercise, solution: str) -> tuple[QuestionPoints, ...]:
    """What each question is worth, by its tests."""
    names = questions(solution, str(exercise.solution))
    points: dict[tuple[str, Visibility], list[float]] = {}
    for path, visibility in (
        (exercise.public_tests, Visibility.PUBLIC),
        (exercise.hidden_tests, Visibility.HIDDEN),
    ):
        for case in collect(path, visibility):
            points.setdefault((case.question(names), visibility), []).append(case.points)
    return tuple(
        QuestionPoints(name, *(total(points.get((name, visibility), ())) for visibility in Visibility))
        for name in names
    )


def public_toml(spec: PublicSpec) -> str:
    """The public TOML's text."""
    lines = ["# Generated by `autograder build` from the exercise's author file."]
    data = msgspec.to_builtins(spec)
    tables = {name: data.pop(name) for name in ("hint", "points")}
    lines += toml_lines(data)
    for name, entries in tables.items():
        for entry in entries:
            lines += ["", f"[[{name}]]", *toml_lines(entry)]
    return "\n".join(lines) + "\n"


def toml_lines(data: dict[str, object], prefix: str = "") -> list[str]:
    """Flat `key = value` lines with dotted keys. JSON's strings, numbers and string arrays are TOML's as well."""
    lines = []
    for key, value in data.items():
        if isinstance(value, dict):
            lines += toml_lines(value, f"{prefix}{key}.")
        else:
            # TOML, unlike JSON, wants DEL escaped.
            lines.append(
                f"{prefix}{key} = {json.dumps(value, ensure_ascii=False)}".replace("\x7f", "\\u007f")
            )
    return lines


def solution_of(exercise: Exercise) -> str:
    """The solution: a quiz's from its questions, any other with given code as it stands in `solutions/given/` now."""
    if exercise.kind == "quiz":
        return quiz_solution(exercise.quiz, exercise.languages)
    return with_given(read_text(exercise.solution), exercise.root, str(exercise.solution))


def skeleton_of(exercise: Exercise) -> str:
    """The skeleton, afresh: the one on disk may hold somebody's work."""
    return skeleton_text(exercise, solution_of(exercise), exercise.spec)


def generate(exercise: Exercise) -> dict[Path, str]:
    """The exercise's generated files as text.

    They are what `exercises/` holds but for the public tests; of a quiz both test files and the solution, and any solution whose given code has changed. Only a quiz has no file of known mistakes: its
    public tests look at the form of an answer alone.
    """
    solution = solution_of(exercise)
    files: dict[Path, str] = {}
    if exercise.kind == "quiz":
        files[exercise.public_tests] = public_tests_of(exercise.quiz)
        files[exercise.hidden_tests] = hidden_tests_of(exercise.quiz)
    if exercise.kind == "quiz" or solution != read_text(exercise.solution):
        files[exercise.solution] = solution
    skeleton = skeleton_text(exercise, solution, exercise.spec)
    public = public_toml(public_spec(exercise, solution, skeleton))
    files |= {exercise.skeleton: skeleton, exercise.public_spec_file: public}
    if exercise.kind != "quiz":
        files[exercise.mistakes_file] = mistakes_text(exercise, solution)
    return files


def stale(exercise: Exercise) -> list[Path]:
    """Generated files that are missing or differ from a fresh build."""
    return [path for path, text in generate(exercise).items() if not _holds(path, text)]


def holds_work(exercise: Exercise) -> bool:
    """Whether the skeleton on disk was changed since it was generated."""
    if not exercise.skeleton.is_file() or not exercise.public_spec_file.is_file():
        return False
    known = read_toml(exercise.public_spec_file, PublicSpec).pristine.file
    return file_digest(exercise.skeleton.read_text(encoding="utf-8")) != known


def build_exercise(exercise: Exercise, *, force: bool = False) -> list[Built]:
    """Write this exercise's generated files; keep a skeleton that holds somebody's work unless `force`."""
    files = generate(exercise)
    current = exercise.skeleton
    if not force and holds_work(exercise) and current.read_text(encoding="utf-8") != files[current]:
        return [Built(path, State.KEPT) for path in files]
    return [_write(path, text) for path, text in files.items()]


def build_conventions(root: Path) -> list[Built]:
    """Write the glossary's table into the conventions pages. Nothing to do in a course that has no glossary."""
    if not (root / GLOSSARY_FILE).is_file():
        return []
    terms = load_glossary(root)
    pages = {lang: root / page for lang, page in CONVENTIONS.items()}
    return [_write(path, with_glossary(read_text(path), terms, lang)) for lang, path in pages.items()]


def _holds(path: Path, text: str) -> bool:
    """Whether a generated file says this, numbers up to rounding."""
    if not path.is_file():
        return False
    present = path.read_text(encoding="utf-8")
    return present == text or (path.suffix == ".json" and alike(present, text))


def _write(path: Path, text: str) -> Built:
    """Write a generated file where it is missing or says something else."""
    if _holds(path, text):
        return Built(path, State.UNCHANGED)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, text.encode())
    return Built(path, State.WRITTEN)


def build(course: Course, names: list[str] | None = None, *, force: bool = False) -> list[Built]:
    """Build the named exercises; without names all of them, and the conventions pages."""
    built = [
        built for exercise in course.select(names or []) for built in build_exercise(exercise, force=force)
    ]
    return built if names else [*built, *build_conventions(course.root)]
