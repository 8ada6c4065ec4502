"""The example of `course.toml` that instructors read is one that works, and so is the file that `init` writes."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from autograder.authoring.init import init_course
from autograder.course import Course, CourseError
from autograder.results import AttemptPolicy

ROOT = Path(__file__).resolve().parents[2]


def example() -> str:
    page = (ROOT / "docs/own_course.md").read_text(encoding="utf-8")
    found = re.search(r"```toml\n(.*?)```", page, re.DOTALL)
    assert found is not None
    return found[1]


def test_the_example_loads(tmp_path: Path) -> None:
    for name in ("tokenizers", "attention"):
        unit = tmp_path / "course" / name
        unit.mkdir(parents=True)
        shutil.copyfile(ROOT / "course" / name / "unit.toml", unit / "unit.toml")
    (tmp_path / "course/course.toml").write_text(example(), encoding="utf-8")
    course = Course.load(tmp_path, authoring=True)
    week1, week2 = course.assignments
    assert str(week2.due) == "2026-09-15 23:59:00+08:00"
    assert week1.due is not None and week1.due.utcoffset() is not None
    chosen = [exercise.id for exercise in course.select(["week1"])]
    assert "attention/scaled_dot_product" in chosen and "tokenizers/byte_pair_encoding" in chosen
    assert course.policy.attempts is AttemptPolicy.BEST


@pytest.mark.parametrize(
    "key",
    [
        "[[assignment]]",
        "id",
        "title.en",
        "title.zh",
        "exercises",
        "due",
        "days",
        "starts",
        "[policy]",
        "attempts",
    ],
)
def test_the_example_shows_every_key(key: str) -> None:
    assert re.search(rf"^{re.escape(key)}( = |\s)", example(), re.MULTILINE)


def test_what_init_writes_can_be_filled_in(tmp_path: Path) -> None:
    """Also what stands there behind a #."""
    course = init_course(tmp_path / "mine", ["en"])
    assert course.assignments[0].due is None and course.policy.attempts is AttemptPolicy.LATEST
    path = course.root / "course/course.toml"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("# due =", "due =").replace('"latest"\n', '"best"\n'), encoding="utf-8")
    again = Course.load(course.root)
    assert again.assignments[0].due is not None and again.policy.attempts is AttemptPolicy.BEST


def test_a_plan_in_days_has_no_deadline_until_the_course_starts(toy: Path) -> None:
    path = toy / "course/course.toml"
    bare = path.read_text(encoding="utf-8")
    plan = '\n[[assignment]]\nid = "w"\ntitle.en = "W"\ntitle.zh = "周"\nexercises = ["basics"]\ndays = 7\n'
    path.write_text(bare + plan, encoding="utf-8")
    assert Course.load(toy).assignments[-1].due is None
    path.write_text("starts = 2026-09-01T08:00:00Z\n" + bare + plan, encoding="utf-8")
    assert str(Course.load(toy).assignments[-1].due) == "2026-09-08 08:00:00+00:00"
    path.write_text(bare + plan + "due = 2026-09-01T08:00:00Z\n", encoding="utf-8")
    with pytest.raises(CourseError, match="'w' has both `due` and `days`; take one of them out"):
        Course.load(toy)
