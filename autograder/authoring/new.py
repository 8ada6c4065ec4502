"""`autograder new UNIT/TOPIC`: the files of a new exercise, quiz or capstone, ready to be filled.

What they hold works from the first minute. Comments in them say how much the audit asks for.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from autograder.authoring.translation import translates_line
from autograder.course import Course, CourseError, Exercise, sizes
from autograder.course.catalogue import COURSE_FILE, unit_file
from autograder.course.outputs import write_atomically
from autograder.course.spec import Kind, Tier
from autograder.course.toml import read_text

NAME = re.compile(r"([a-z][a-z0-9_]*)/([a-z][a-z0-9_]*)")
STYLES = {"clamp": ("By clamping.", "x.clamp(min=0)"), "where": ("By a mask.", "x * (x > 0)")}


def new_exercise(
    course: Course,
    name: str,
    *,
    tier: Tier = "standard",
    kind: Kind = "exercise",
    parts: Sequence[str] = (),
) -> list[Path]:
    """Write the files of `UNIT/TOPIC` and list it in its unit and course. Nothing that exists is overwritten.

    Args:
        parts: of a capstone, the exercises whose answers it takes as an argument.

    Raises:
        CourseError: the name is none, the exercise or a file of it exists, or `parts` does not fit the kind.
    """
    match = NAME.fullmatch(name)
    if not match:
        raise CourseError(
            f"{name!r} is no exercise name; write UNIT/TOPIC in lower case, as rag/my_topic",
            f"{name!r} 不是合法的练习名；请用小写写成 UNIT/TOPIC，例如 rag/my_topic",
        )
    if bool(parts) != (kind == "capstone"):
        raise CourseError(
            "a capstone names the exercises that it takes as parts, and nothing else does; "
            "write --kind capstone --part UNIT/TOPIC",
            "只有 capstone 需要列出作为部件的练习，而且必须列出；请写 --kind capstone --part UNIT/TOPIC",
        )
    for part in parts:
        course.exercise(part)
    exercise = Exercise(course.root, *match.groups(), languages=course.languages)
    files = quiz_files(exercise, tier) if kind == "quiz" else exercise_files(exercise, tier, kind, parts)
    existing = [path for path in files if path.exists()]
    if existing or exercise.id in course.exercises:
        there = existing[0] if existing else exercise.id
        raise CourseError(
            f"{there} exists already; choose another name or edit it",
            f"{there} 已存在；请另取名字，或直接编辑它",
        )
    shared = overviews(exercise) if kind == "quiz" else {}
    files |= {path: text for path, text in shared.items() if not path.exists()}
    return write(files | _with_exercise(course, exercise))


def exercise_files(
    exercise: Exercise, tier: Tier, kind: Kind = "exercise", parts: Sequence[str] = ()
) -> dict[Path, str]:
    """The files by hand of an exercise or a capstone."""
    part = parts[0].rpartition("/")[2] if parts else ""
    values = {
        **_values(exercise, tier, kind),
        "parts": parts,
        "part": part,
        "fixtures": "student, parts" if part else "student, reference",
        "expected": "x.clamp(min=0)" if part else "reference.first(x)",
    }
    accepted = exercise.root / "tests" / "accepted" / exercise.unit / exercise.topic
    files = {
        exercise.solution: render("solution.py", **values),
        exercise.spec_file: render("spec.toml", **values),
        exercise.hidden_tests: render("hidden.py", **values),
        exercise.public_tests: render("public.py", **values),
        exercise.oracle_tests: render("oracle.py", **values),
    }
    for name, (style, expression) in STYLES.items():
        files[accepted / f"{name}.py"] = render("accepted.py", style=style, expression=expression, **values)
    return files | _pages(exercise, exercise.topic, "lesson.md", values)


def quiz_files(exercise: Exercise, tier: Tier) -> dict[Path, str]:
    """The one file of a quiz: a question of each kind."""
    values = _values(exercise, tier, "quiz")
    return {exercise.spec_file: render("quiz.toml", unit_title=_words(exercise.unit), **values)}


def overviews(exercise: Exercise) -> dict[Path, str]:
    """The unit's overview, to which a quiz links."""
    return _pages(exercise, "overview", "overview.md", {"title": _words(exercise.unit)})


def unit_text(exercise: Exercise) -> str:
    """A unit's file that lists one exercise."""
    zh = "zh" in exercise.languages
    return render("unit.toml", title=_words(exercise.unit), topic=exercise.topic, zh=zh)


def render(name: str, **values: Any) -> str:
    """The text of `templates/NAME.j2`."""
    import jinja2

    environment = jinja2.Environment(
        undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True
    )
    environment.filters["span"] = lambda bounds: f"{bounds[0]:,} to {bounds[1]:,}"
    source = resources.files(__package__) / "templates" / f"{name}.j2"
    return environment.from_string(source.read_text(encoding="utf-8")).render(**values)


def write(files: dict[Path, str]) -> list[Path]:
    """Write each file, and the folders it lies in."""
    for path, text in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, text.encode())
    return list(files)


def _values(exercise: Exercise, tier: Tier, kind: Kind) -> dict[str, Any]:
    low, high = sizes.PUBLIC_SHARE
    return {
        "id": exercise.id,
        "topic": exercise.topic,
        "title": _words(exercise.topic),
        "zh": "zh" in exercise.languages,
        "tier": tier,
        "kind": kind,
        "size": sizes.SIZES[tier],
        "accepted": sizes.ACCEPTED,
        "share": f"{low:.0%} to {high:.0%}",
        "hint_words": sizes.HINT_WORDS,
        "hint_characters": sizes.HINT_CHARACTERS,
        "questions": sizes.QUIZ_QUESTIONS,
        "options": sizes.QUIZ_OPTIONS,
    }


def _words(name: str) -> str:
    return name.replace("_", " ").capitalize()


def _pages(exercise: Exercise, name: str, template: str, values: dict[str, Any]) -> dict[Path, str]:
    """A page of the unit in each of the course's languages."""
    folder = exercise.root / "course" / exercise.unit
    english = render(template, lang="en", **values)
    pages = {folder / f"{name}.md": english}
    if "zh" in exercise.languages:
        line = translates_line(english)
        pages[folder / f"{name}.zh.md"] = render(template, lang="zh", translates=line, **values)
    return pages


def _with_exercise(course: Course, exercise: Exercise) -> dict[Path, str]:
    """The files that list exercises and units, with this exercise at the end of its unit; their comments stay."""
    path = unit_file(course.root, exercise.unit)
    known = path.is_file()
    lists = {path: _extended(path, "exercises", exercise.topic) if known else unit_text(exercise)}
    if all(unit.id != exercise.unit for unit in course.units):
        course_file = course.root / COURSE_FILE
        lists[course_file] = _extended(course_file, "units", exercise.unit)
    return lists


def _extended(path: Path, key: str, name: str) -> str:
    """The file's text with the name at the end of this list."""
    import tomlkit

    document = tomlkit.parse(read_text(path))
    document[key].append(name)
    return tomlkit.dumps(document)
