"""The catalogue: what it accepts, what it refuses, and what it says when it refuses."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from autograder.course import Course, CourseError, Exercise, find_course
from autograder.course.catalogue import exercise_at
from autograder.results import AttemptPolicy, Limits

Edit = Callable[[Path, str, str], None]
COURSE_FILE = "course/course.toml"
UNIT_FILE = "course/basics/unit.toml"
SPEC_FILE = "solutions/basics/affine.toml"


def refusal(root: Path) -> str:
    """What is said when the course, or the author file of its first exercise, is read."""
    with pytest.raises(CourseError) as caught:
        _ = Course.load(root).exercises["basics/affine"].spec
    return str(caught.value)


def test_what_is_read(toy_course: Course) -> None:
    assert [exercise.id for exercise in toy_course] == ["basics/affine", "extras/vowels"]
    assert toy_course.title.text.pick("zh") == "玩具"
    assert toy_course.has_solutions
    assert toy_course.policy.attempts is AttemptPolicy.LATEST
    spec = toy_course.exercise("affine").spec
    assert spec.limits == Limits(3.0, 512)
    assert len(spec.misconception) == 8
    assert spec.misconception[0].with_ == "x * scale"


def test_public_part_has_no_secret(affine: Exercise) -> None:
    assert affine.public.hint == affine.spec.hint
    assert not hasattr(affine.public, "misconception")
    assert not hasattr(affine.public, "oracle")


@pytest.mark.parametrize(
    ("file", "old", "new", "place", "problem"),
    [
        (COURSE_FILE, 'title.zh = "玩具"', 'title.zh = "玩具"\ncolour = "red"', "top level", "colour"),
        (COURSE_FILE, 'title.zh = "玩具"\n', "", "title", "zh"),
        (COURSE_FILE, 'units = ["basics"', 'units = ["Basics!"', "units[0]", "matching regex"),
        (COURSE_FILE, "[[assignment]]", 'languages = ["fr"]\n[[assignment]]', "languages[0]", "'fr'"),
        (UNIT_FILE, 'exercises = ["affine"]', 'exercises = "affine"', "exercises", "array"),
        (UNIT_FILE, 'exercises = ["affine"]', "exercises = []", "exercises", "length"),
        (UNIT_FILE, 'title.zh = "基础"', 'title.zh = ""', "title.zh", "length"),
        (SPEC_FILE, "forbidden = [", 'forbidden = ["@nosuch", ', "top level", "there is no group '@nosuch'"),
        (SPEC_FILE, "forbidden = [", 'forbidden = ["eval", ', "top level", "'eval' is no function of a library"),
        (SPEC_FILE, "forbidden = [", 'forbidden = ["builtins.eval", ', "top level", "is no function of a library"),
        (SPEC_FILE, 'replace = "x * scale + shift"\nwith = "x * scale"\n', "", "misconception[...]", "`replace` and `with`"),
        (SPEC_FILE, "minutes = 20", "minutes = 20\nminuets = 3", "top level", "minuets"),
        (SPEC_FILE, "minutes = 20\n", "", "top level", "minutes"),
        (SPEC_FILE, "minutes = 20", 'minutes = "20"', "minutes", "int"),
        (SPEC_FILE, "difficulty = 1", "difficulty = 6", "difficulty", "5"),
        (SPEC_FILE, 'oracle = "torch', 'limits.hours = 1\noracle = "torch', "limits", "hours"),
        (SPEC_FILE, 'caught = "test_affine"\nhint.en = "The hint of unshifted."\n',
         'hint.en = "The hint of unshifted."\n', "misconception[...]", "caught"),
        (SPEC_FILE, 'hint.zh = "unshifted 的提示。"', "", "misconception[...].hint", "zh"),
    ],
)  # fmt: skip
def test_wrong_keys_are_named(
    toy: Path, edited: Edit, file: str, old: str, new: str, place: str, problem: str
) -> None:
    edited(toy / file, old, new)
    said = refusal(toy)
    assert str(toy / file) in said
    assert problem in said
    assert "correct that key" in said
    where = said.partition("(at ")[2].partition(")")[0]
    assert where.replace("0", "...") == place.replace("0", "...") or where == "the " + place


@pytest.mark.parametrize(
    ("content", "problem"), [(b"title = [\n", "not valid TOML"), ("x = 'é'".encode("latin-1"), "not UTF-8")]
)
def test_broken_toml(toy: Path, content: bytes, problem: str) -> None:
    (toy / COURSE_FILE).write_bytes(content)
    said = refusal(toy)
    assert str(toy / COURSE_FILE) in said
    assert problem in said


@pytest.mark.parametrize(
    ("file", "old", "new", "name"),
    [
        (UNIT_FILE, 'exercises = ["affine"]', 'exercises = ["affine", "affine"]', "'affine'"),
        (COURSE_FILE, '["basics", "extras"]', '["basics", "basics", "extras"]', "'basics'"),
        (COURSE_FILE, 'exercises = ["basics/affine", "extras"]\n', 'exercises = ["extras"]\n' + """
[[assignment]]
id = "week1"
title.en = "Again"
title.zh = "又来"
exercises = ["extras"]
""", "'week1'"),
    ],
    ids=["exercise", "unit", "assignment"],
)  # fmt: skip
def test_duplicates(toy: Path, edited: Edit, file: str, old: str, new: str, name: str) -> None:
    edited(toy / file, old, new)
    said = refusal(toy)
    assert str(toy / file) in said
    assert name in said
    assert "twice" in said
    assert any(remedy in said for remedy in ("take one entry out", "rename one"))


def test_a_course_has_units(toy: Path, edited: Edit) -> None:
    edited(toy / COURSE_FILE, '["basics", "extras"]', "[]")
    said = refusal(toy)
    assert str(toy / COURSE_FILE) in said
    assert "`units` is empty; name at least one unit" in said


def test_a_unit_without_its_file(toy: Path) -> None:
    (toy / UNIT_FILE).unlink()
    said = refusal(toy)
    assert str(toy / UNIT_FILE) in said


def test_duplicate_misconception(toy: Path, edited: Edit) -> None:
    edited(toy / SPEC_FILE, 'name = "unscaled"', 'name = "unshifted"')
    said = refusal(toy)
    assert str(toy / SPEC_FILE) in said
    assert "'unshifted'" in said
    assert "rename one" in said


def test_unknown_key_of_a_generated_file(toy: Path, edited: Edit) -> None:
    path = toy / "exercises/basics/affine.toml"
    edited(path, "minutes = 20", 'minutes = 20\noracle = "leaked"')
    with pytest.raises(CourseError, match="oracle") as caught:
        _ = Course.load(toy).exercise("affine").public
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("file", "remedy"),
    [
        ("exercises/basics/affine.py", "autograder build"),
        ("exercises/basics/affine.toml", "autograder build"),
        ("exercises/basics/test_affine.py", "write it"),
        ("solutions/basics/affine.py", "write it"),
        ("solutions/basics/affine.toml", "write it"),
        ("solutions/basics/test_affine.py", "write it"),
    ],
)
def test_missing_files(toy: Path, file: str, remedy: str) -> None:
    (toy / file).unlink()
    with pytest.raises(CourseError) as caught:
        Course.load(toy)
    said = str(caught.value)
    assert str(toy / file) in said
    assert "basics/affine" in said
    assert remedy in said
    assert len(Course.load(toy, authoring=True).exercises) == 2  # an author may be writing it


def test_missing_course_file(toy: Path) -> None:
    (toy / COURSE_FILE).unlink()
    assert str(toy / COURSE_FILE) in refusal(toy)


def test_stray_file(toy: Path) -> None:
    stray = toy / "exercises" / "basics" / "forgotten.py"
    stray.write_text("")
    said = refusal(toy)
    assert str(stray) in said
    assert "'forgotten'" in said
    assert str(toy / UNIT_FILE) in said
    assert "remove it" in said


def test_released_tree_needs_no_solutions(toy: Path) -> None:
    import shutil

    shutil.rmtree(toy / "solutions")
    course = Course.load(toy)
    assert not course.has_solutions
    assert course.exercise("affine").public.minutes == 20
    with pytest.raises(CourseError, match=r"affine\.toml is missing"):
        _ = course.exercise("affine").spec


def test_selection(toy_course: Course) -> None:
    def ids(*names: str) -> list[str]:
        return [exercise.id for exercise in toy_course.select(names)]

    everything = ["basics/affine", "extras/vowels"]
    assert ids() == everything
    assert ids("extras/vowels", "basics/affine") == everything  # course order
    assert ids("basics") == ids("basics/") == ids("affine") == ["basics/affine"]
    assert ids("week1") == everything
    assert ids("extras", "vowels") == ["extras/vowels"]


def test_unknown_names(toy_course: Course) -> None:
    with pytest.raises(CourseError, match=r"'basics/afine'; did you mean 'basics/affine'\?"):
        toy_course.exercise("basics/afine")
    with pytest.raises(CourseError, match=r"did you mean 'vowels'\?"):
        toy_course.select(["vowel"])
    with pytest.raises(CourseError, match="the course has basics/affine, extras/vowels"):
        toy_course.exercise("quantum")


def test_unknown_name_in_an_assignment(toy: Path, edited: Edit) -> None:
    edited(toy / COURSE_FILE, '"basics/affine", "extras"]', '"basics/affine", "extra"]')
    said = refusal(toy)
    assert str(toy / COURSE_FILE) in said
    assert "assignment 'week1'" in said
    assert "'extra'" in said


def test_topic_of_two_units(toy: Path, edited: Edit) -> None:
    edited(toy / "course/extras/unit.toml", 'exercises = ["vowels"]', 'exercises = ["vowels", "affine"]')
    course = Course.load(toy, authoring=True)
    with pytest.raises(CourseError, match="basics/affine, extras/affine; write one of these in full"):
        course.exercise("affine")
    assert course.exercise("extras/affine").unit == "extras"


def test_find_course_upwards(toy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(toy / "exercises" / "basics")
    assert find_course() == toy.resolve()
    assert find_course(toy / "solutions") == toy.resolve()
    assert find_course(tmp_path, given=toy) == toy.resolve()


def test_no_course_to_be_found(tmp_path: Path) -> None:
    with pytest.raises(CourseError, match="--course DIR") as above:
        find_course(tmp_path)
    assert str(tmp_path.resolve()) in str(above.value)
    with pytest.raises(CourseError, match=r"course\.toml") as given:
        find_course(given=tmp_path)
    assert str(tmp_path) in str(given.value)


def test_exercise_of_a_file(toy_course: Course, affine: Exercise) -> None:
    for path in (affine.skeleton, affine.public_tests, affine.solution, affine.hidden_tests):
        found = exercise_at(toy_course, path)
        assert found is not None
        assert found.id == "basics/affine"
    assert exercise_at(toy_course, Path("basics/other.py")) is None


def test_misconception_must_match_once(affine: Exercise) -> None:
    mistake = affine.spec.misconception[0]
    assert "return x * scale\n" in mistake.apply(affine.solution.read_text())
    for solution, count in (("", 0), ("x * scale + shift; x * scale + shift", 2)):
        with pytest.raises(ValueError, match=rf"'unshifted'.*occurs {count} times"):
            mistake.apply(solution)


def test_one_mistake_at_two_places(affine: Exercise, edited: Edit) -> None:
    old = 'replace = "x * scale + shift"\nwith = "x * scale"\n'
    two = """edits = [
    { replace = "x * scale + shift", with = "x * scale" },
    { replace = "centred.square()", with = "centred.abs()" },
]
"""
    edited(affine.spec_file, old, two)
    changed = affine.spec.misconception[0].apply(affine.solution.read_text())
    assert "return x * scale\n" in changed
    assert "centred.abs()" in changed


def test_edits_may_not_overlap(affine: Exercise, edited: Edit) -> None:
    old = 'replace = "x * scale + shift"\nwith = "x * scale"\n'
    two = (
        'edits = [{ replace = "x * scale + shift", with = "0" }, { replace = "scale + shift", with = "1" }]\n'
    )
    edited(affine.spec_file, old, two)
    with pytest.raises(ValueError, match="no two edits may overlap"):
        affine.spec.misconception[0].apply(affine.solution.read_text())


def test_groups_of_forbidden_calls(affine: Exercise, edited: Edit) -> None:
    edited(affine.spec_file, "forbidden = [", 'forbidden = ["@attention", ')
    calls = affine.spec.forbidden_calls
    assert "torch.nn.MultiheadAttention" in calls  # of a group within the group
    assert "torch.nn.functional.layer_norm" in calls
    assert not [name for name in calls if name.startswith("@")]
