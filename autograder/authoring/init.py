"""`autograder init DIR`: a course of one's own, with one exercise that works."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from autograder.authoring.build import build
from autograder.authoring.new import exercise_files, render, unit_text, write
from autograder.course import Course, CourseError, Exercise
from autograder.course.catalogue import COURSE_FILE, unit_file
from autograder.text import LANGUAGES

FIRST = ("basics", "rectify")  # the unit and the topic of what it begins with


def init_course(root: Path, languages: Sequence[str] = LANGUAGES) -> Course:
    """Make a course at `root`, build it, and give it back.

    Raises:
        CourseError: the folder holds something, or it can't be made.
    """
    try:
        root.mkdir(parents=True, exist_ok=True)
        held = next(root.iterdir(), None)
    except OSError as error:
        raise CourseError(
            f"{root} can't be made a folder ({error.strerror}); choose another place",
            f"无法建立文件夹 {root}（{error.strerror}）；请另选位置",
        ) from None
    if held is not None:
        raise CourseError(
            f"{root} holds {held.name}; name a folder that is empty or new",
            f"{root} 里已有 {held.name}；请指定一个空的或新的文件夹",
        )
    exercise = Exercise(root, *FIRST, languages=tuple(languages))
    values = {
        "title": root.resolve().name.replace("_", " ").replace('"', "").replace("\\", "").capitalize(),
        "zh": "zh" in languages,
        "languages": languages,
        "unit": exercise.unit,
        "id": exercise.id,
    }
    write(
        {
            root / COURSE_FILE: render("course.toml", **values),
            root / "README.md": render("course_readme.md", **values),
            root / "pytest.ini": render("pytest.ini"),
            root / "ruff.toml": render("ruff.toml"),
            unit_file(root, exercise.unit): unit_text(exercise),
            **exercise_files(exercise, "short"),
        }
    )
    build(Course.load(root, authoring=True))
    return Course.load(root)
