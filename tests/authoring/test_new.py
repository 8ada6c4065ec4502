"""`new`: an exercise that works from the first minute, and what its author still owes."""

from __future__ import annotations

import re
from pathlib import Path

import jupytext
import nbformat
import pytest

from autograder.authoring.build import build
from autograder.authoring.new import new_exercise
from autograder.authoring.translation import translates_line
from autograder.course import Course, CourseError
from autograder.course.sizes import SIZES
from autograder.course.spec import Kind, Tier

CHINESE = re.compile(r"[\u3400-\u9fff]")
MADE: list[tuple[Kind, Tier]] = [
    ("exercise", "core"),
    ("exercise", "standard"),
    ("exercise", "short"),
    ("capstone", "core"),
    ("quiz", "short"),
]


def owed(kind: Kind, tier: Tier, topic: str) -> list[str]:
    """All that an audit says of what `new` wrote: how much of it a person has still to write."""
    if kind == "quiz":
        return ["4 questions; write 8 to 12"]
    size = SIZES[tier]
    counted = [
        ("1 lines of reference", size.reference),
        ("1 public tests", size.public),
        ("2 hidden tests", size.hidden),
        ("1 misconceptions", size.misconceptions),
        (f"48 words in {topic}.md", size.lesson),
        (f"42 words in {topic}.zh.md", size.lesson),
    ]
    return [f"{what}; a {tier} exercise has {least} to {most}" for what, (least, most) in counted]


def begin(root: Path, name: str, kind: Kind = "exercise", tier: Tier = "standard") -> list[Path]:
    """`new`, with the toy's first exercise as the part of a capstone."""
    parts = ("basics/affine",) if kind == "capstone" else ()
    return new_exercise(Course.load(root, authoring=True), name, kind=kind, tier=tier, parts=parts)


def test_new_build_audit(toy: Path) -> None:
    """Everything that can work does; red is only what a person has to write."""
    from autograder.audit import audit

    names = {f"fresh/{kind}_{tier}": (kind, tier) for kind, tier in MADE}
    for name, (kind, tier) in names.items():
        begin(toy, name, kind, tier)
    build(Course.load(toy, authoring=True))
    course = Course.load(toy)
    assert course.units[-1].exercises == tuple(name.removeprefix("fresh/") for name in names)
    for name, kind_and_tier in names.items():
        spec = course.exercise(name).spec
        assert (spec.kind, spec.tier) == kind_and_tier
    reports = audit(course, course.select(["fresh"]))
    said = {
        report.exercise: [text for point in report.points for text in (*point.problems, *point.warnings)]
        for report in reports
    }
    assert said == {name: owed(kind, tier, f"{kind}_{tier}") for name, (kind, tier) in names.items()}
    (affine,) = audit(course, [course.exercise("affine")])
    assert affine.points[5].green  # what is given of it to the capstone is no leak


@pytest.mark.parametrize("kind", ["exercise", "quiz", "capstone"])
def test_lessons_open_as_notebooks(toy: Path, kind: Kind) -> None:
    pages = [path for path in begin(toy, "fresh/idea", kind) if path.suffix == ".md"]
    assert len(pages) == 2
    for page in pages:
        notebook = jupytext.reads(page.read_text(encoding="utf-8"), fmt="md:myst")
        nbformat.validate(notebook)
        assert notebook.metadata.kernelspec == {
            "display_name": "Python 3",
            "language": "python",
            "name": "python3",
        }
    english, chinese = (page.read_text(encoding="utf-8") for page in pages)
    assert translates_line(english) in chinese.splitlines()


@pytest.mark.parametrize("tier", SIZES)
def test_each_file_says_how_much_is_asked_for(toy: Path, tier: Tier) -> None:
    files = {path.relative_to(toy).as_posix(): path for path in begin(toy, "fresh/idea", tier=tier)}
    size = SIZES[tier]
    for name, (low, high) in {
        "solutions/fresh/idea.py": size.reference,
        "solutions/fresh/idea.toml": size.misconceptions,
        "solutions/fresh/test_idea.py": size.hidden,
        "exercises/fresh/test_idea.py": size.public,
        "course/fresh/idea.md": size.lesson,
    }.items():
        assert re.search(rf"(#|<!--) .*\b{low:,} to {high:,} ", files[name].read_text(encoding="utf-8")), name
    assert (
        size.minutes[0] <= Course.load(toy, authoring=True).exercise("idea").spec.minutes <= size.minutes[1]
    )


def test_the_author_s_comment_reaches_no_student(toy: Path) -> None:
    begin(toy, "fresh/idea")
    course = Course.load(toy, authoring=True)
    build(course, ["fresh/idea"])
    exercise = course.exercise("idea")
    first = exercise.solution.read_text(encoding="utf-8").splitlines()[0]
    assert first.startswith("# standard: ")
    assert first not in exercise.skeleton.read_text(encoding="utf-8")


def test_in_english_only(toy: Path) -> None:
    edited = (toy / "course/course.toml").read_text().replace("units =", 'languages = ["en"]\nunits =')
    (toy / "course/course.toml").write_text(edited)
    for kind in ("exercise", "quiz", "capstone"):
        for path in begin(toy, f"fresh/{kind}", kind):
            assert ".zh." not in path.name
            if path.name != "course.toml":  # the toy's own
                assert not CHINESE.search(path.read_text(encoding="utf-8")), path
    course = Course.load(toy, authoring=True)
    build(course, ["fresh"])
    for topic in ("exercise", "quiz", "capstone"):
        assert not CHINESE.search(course.exercise(topic).skeleton.read_text(encoding="utf-8"))


def test_new_unit_at_the_end(toy: Path) -> None:
    paths = new_exercise(Course.load(toy), "fresh/idea")
    course = Course.load(toy, authoring=True)
    assert course.units[-1].id == "fresh"
    assert all(path.is_file() for path in paths)
    assert "# A course small enough" in (toy / "course/course.toml").read_text()
    assert course.exercise("fresh/idea").spec.difficulty == 2


def test_a_unit_that_was_described_and_not_listed(toy: Path) -> None:
    unit = toy / "course/fresh/unit.toml"
    unit.parent.mkdir()
    unit.write_text('title.en = "Fresh"\ntitle.zh = "新"\nexercises = []  # to come\n', encoding="utf-8")
    new_exercise(Course.load(toy), "fresh/idea")
    last = Course.load(toy, authoring=True).units[-1]
    assert (last.id, last.title.en, last.exercises) == ("fresh", "Fresh", ("idea",))
    assert "# to come" in unit.read_text(encoding="utf-8")


def test_an_unusual_layout_is_not_spoilt(toy: Path) -> None:
    path = toy / "course/basics/unit.toml"
    path.write_text(path.read_text().replace('["affine"]', '[\n  "affine",  # first\n]'))
    begin(toy, "basics/rectify")
    assert Course.load(toy, authoring=True).units[0].exercises == ("affine", "rectify")
    assert "# first" in path.read_text()


@pytest.mark.parametrize("name", ["affine", "Basics/affine", "basics/a-b", "basics/a/b", "../x", "basics/"])
def test_bad_names(toy: Path, name: str) -> None:
    with pytest.raises(CourseError, match="write UNIT/TOPIC"):
        new_exercise(Course.load(toy), name)


def test_nothing_is_overwritten(toy: Path) -> None:
    with pytest.raises(CourseError, match=r"affine\.py exists already; choose another name"):
        new_exercise(Course.load(toy), "basics/affine")
    lesson = toy / "course/basics/started.md"
    lesson.write_text("mine")
    before = (toy / "course/basics/unit.toml").read_text()
    with pytest.raises(CourseError, match=r"started\.md exists already"):
        new_exercise(Course.load(toy), "basics/started")
    assert lesson.read_text() == "mine"
    assert (toy / "course/basics/unit.toml").read_text() == before
    assert not (toy / "solutions/basics/started.py").exists()


def test_shared_files_stay_as_they_are(toy: Path) -> None:
    """A quiz's overview may be there already."""
    kept = toy / "course/fresh/overview.md"
    kept.parent.mkdir()
    kept.write_text("mine")
    assert kept not in begin(toy, "fresh/quiz", "quiz")
    assert kept.read_text() == "mine"


@pytest.mark.parametrize(("kind", "parts"), [("capstone", ()), ("exercise", ("basics/affine",))])
def test_parts_belong_to_a_capstone(toy: Path, kind: Kind, parts: tuple[str, ...]) -> None:
    with pytest.raises(CourseError, match="write --kind capstone --part"):
        new_exercise(Course.load(toy), "fresh/idea", kind=kind, parts=parts)


def test_an_unknown_part(toy: Path) -> None:
    with pytest.raises(CourseError, match="there is no exercise 'basics/afine'; did you mean"):
        new_exercise(Course.load(toy), "fresh/idea", kind="capstone", parts=("basics/afine",))
    assert not (toy / "solutions/fresh").exists()
