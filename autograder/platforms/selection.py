"""What is released: some exercises of a course, in one language, and the files that every target carries of them.

Skeletons are generated afresh: the ones on disk may hold an instructor's own attempts.
"""

from __future__ import annotations

import re
import shutil
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path
from typing import Any

import msgspec

from autograder.authoring.build import holds_work, skeleton_of, toml_lines
from autograder.authoring.new import render
from autograder.authoring.notebooks import write_notebook
from autograder.course import Course, CourseError, Exercise
from autograder.course.catalogue import COURSE_FILE, unit_file
from autograder.course.derived import Derived
from autograder.course.digests import file_digest
from autograder.course.toml import read_text
from autograder.grading.planted import given_text
from autograder.learn.reset import SKELETONS, as_given
from autograder.platforms.leftovers import files_below
from autograder.platforms.wheel import WHEN, write_package
from autograder.text import Text

SKELETON_LINK = re.compile(r"\]\(\.\./\.\./exercises/(\w+/\w+)\.py\)")  # in a lesson
# Pages and data of course/ that go with any exercise.
SHARED = ("LICENSE.md", "conventions.md", "conventions.zh.md", "examples.toml", "glossary.toml")


@dataclass(frozen=True)
class Selection:
    """Exercises of a course that are given out together."""

    course: Course
    exercises: tuple[Exercise, ...]
    assignment: str  # its id; "" for the whole course
    title: Text
    lang: str


def select(course: Course, assignment: str | None, lang: str) -> Selection:
    """The exercises of an assignment of the course (or of a unit, or a single one); all without a name.

    Raises:
        CourseError: there is no such assignment, or one of its exercises lacks a file.
    """
    titles = {a.id: a.title.text for a in course.assignments} | {u.id: u.title.text for u in course.units}
    exercises = _exercises(course, assignment)
    course.check_files(exercises)
    if not assignment:
        title = course.title.text
    elif assignment in titles:
        title = titles[assignment]
    else:
        title = exercises[0].public.title.text
    name = assignment.strip("/").rsplit("/", 1)[-1] if assignment else ""
    return Selection(course, exercises, name, title, lang)


def _exercises(course: Course, assignment: str | None) -> tuple[Exercise, ...]:
    """What is named. A derived exercise comes with that of which it is, and only where its assignment, or itself, is named.

    A mistake to find shows a reference solution: whoever releases a whole course, or a unit, did not ask for that.
    """
    if not assignment:
        return tuple(course.select([]))
    everything = course.graded
    chosen = everything.select([assignment])
    return tuple(
        everything.select({e.id for e in chosen} | {e.base.id for e in chosen if isinstance(e, Derived)})
    )


def assignments_of(selection: Selection) -> list[Selection]:
    """The selection itself if it is an assignment; else one for each of the course's, or for each unit."""
    if selection.assignment:
        return [selection]
    course = selection.course
    chosen = [(a.id, a.title.text, tuple(course.select(a.exercises))) for a in course.assignments]
    chosen = chosen or [
        (u.id, u.title.text, tuple(course.select([u.id]))) for u in course.units if u.exercises
    ]
    return [
        replace(selection, assignment=name, title=title, exercises=exercises)
        for name, title, exercises in chosen
    ]


def write_course(selection: Selection, out: Path) -> list[Exercise]:
    """Write what `check()` and pytest look for below `out`: exercises/, course/ and pytest.ini.

    Returns:
        The exercises as they lie below `out`, without those that an assignment derives.
    """
    written = [exercise for exercise in selection.exercises if not isinstance(exercise, Derived)]
    for exercise in selection.exercises:
        if isinstance(exercise, Derived):
            _put(out / exercise.skeleton.relative_to(exercise.root), given_text(exercise))
    for exercise in written:
        for path, text in _student_files(exercise).items():
            _put(out / path.relative_to(exercise.root), text)
        for path in (exercise.public_tests, exercise.mistakes_file, exercise.weights_file):
            _copy(path, exercise.root, out)
    for unit in dict.fromkeys(exercise.unit for exercise in selection.exercises):
        _write_lessons([exercise for exercise in selection.exercises if exercise.unit == unit], out)
    for name in SHARED:
        _copy(selection.course.root / "course" / name, selection.course.root, out)
    for path, text in _catalogue(selection).items():
        _put(out / path, text)
    _put(out / "pytest.ini", render("pytest.ini"))
    return [replace(exercise, root=out) for exercise in written]


def write_tree(selection: Selection, out: Path, readme: str) -> None:
    """Everything a student works with, and the README made from this template."""
    released = write_course(selection, out)
    for exercise in released:
        write_notebook(exercise, out / "notebooks", selection.lang)
    _write_skeletons(released, out)
    wheel = write_package(out)
    derived = [f"`{e.skeleton.name}`" for e in selection.exercises if isinstance(e, Derived)]
    told = Text(", ".join(derived), "、".join(derived)).pick(selection.lang)
    text = page(readme, selection, wheel=wheel.name, derived=told)
    (out / "README.md").write_text(text, encoding="utf-8")


def _write_skeletons(released: Sequence[Exercise], out: Path) -> None:
    """Keep the skeletons in one archive, too: `autograder reset` takes them from it where there are no solutions."""
    with zipfile.ZipFile(out / SKELETONS, "w") as archive:
        for exercise in released:
            entry = zipfile.ZipInfo(f"{exercise.id}.py", WHEN)
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, exercise.skeleton.read_bytes())


def leave_notebooks_only(released: Sequence[Exercise], out: Path) -> None:
    """For a platform whose students work in notebooks that lie in `out` itself, beside course/ and exercises/.

    A second form of each exercise would only be filled in by mistake: it goes, and the lessons link to the notebooks.
    """
    for exercise in released:
        exercise.skeleton.unlink()
    (out / "pytest.ini").unlink()
    notebooks = {exercise.id: f"](../../{exercise.topic}.ipynb)" for exercise in released}
    for lesson in (out / "course").rglob("*.md"):
        text = lesson.read_text(encoding="utf-8")
        text = SKELETON_LINK.sub(lambda link: notebooks.get(link[1], link[0]), text)
        lesson.write_text(text, encoding="utf-8")


def beside_course(markdown: str) -> str:
    """A statement cell's links, for a notebook that lies beside course/."""
    return markdown.replace("](../../course/", "](course/")


def _student_files(exercise: Exercise) -> dict[Path, str]:
    """The skeleton and the public TOML as text."""
    if exercise.solution.is_file():
        skeleton = skeleton_of(exercise)
        if file_digest(skeleton) != exercise.public.pristine.file:
            raise CourseError(
                f"{exercise.public_spec_file} was not built from {exercise.solution} as it is now; run "
                f"`autograder build {exercise.id}`",
                f"{exercise.public_spec_file} 不是由现在的 {exercise.solution} 生成的；请运行 `autograder build {exercise.id}`",
            )
        return {exercise.skeleton: skeleton, exercise.public_spec_file: read_text(exercise.public_spec_file)}
    # A learner may have filled it in; then it is taken as it was given out, or refused.
    skeleton = as_given(exercise) if holds_work(exercise) else read_text(exercise.skeleton)
    return {exercise.skeleton: skeleton, exercise.public_spec_file: read_text(exercise.public_spec_file)}


def _write_lessons(exercises: Sequence[Exercise], out: Path) -> None:
    """One unit's lessons in both languages (the skeletons link to both), its overview, and figures."""
    root, unit = exercises[0].root, exercises[0].unit
    names = {"overview", *(exercise.topic for exercise in exercises)}
    for path in files_below(root / "course" / unit):
        if path.name.split(".")[0] in names or path.suffix not in (".md", ".toml"):
            _copy(path, root, out)


def _catalogue(selection: Selection) -> dict[Path, str]:
    """A course.toml and unit.toml files that list what is released and nothing else."""
    course = selection.course
    files = {}
    for unit in course.units:
        topics = [
            exercise.topic
            for exercise in selection.exercises
            if exercise.unit == unit.id and not isinstance(exercise, Derived)
        ]
        if topics:
            title = msgspec.to_builtins(unit.title)
            files[unit_file(Path(), unit.id)] = toml_lines({"title": title, "exercises": topics})
    title = msgspec.to_builtins(course.title)
    units = [path.parent.name for path in files]
    files[COURSE_FILE] = toml_lines({"title": title, "languages": course.languages, "units": units})
    return {path: "\n".join(lines) + "\n" for path, lines in files.items()}


def page(template: str, selection: Selection, **values: Any) -> str:
    """A page from `templates/TEMPLATE.LANG.md`, in the selection's language."""
    import jinja2

    source = resources.files(__package__) / "templates" / f"{template}.{selection.lang}.md"
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    text = environment.from_string(source.read_text(encoding="utf-8"))
    return text.render(selection=selection, title=selection.title.pick(selection.lang), **values) + "\n"


def _copy(path: Path, root: Path, out: Path) -> None:
    if path.is_file():
        target = out / path.relative_to(root)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)


def _put(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
