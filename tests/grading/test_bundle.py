"""The key under which a result is kept: what changes it, and what does not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from autograder.course import CourseError, Exercise
from autograder.grading import bundle as bundles
from autograder.grading.bundle import Bundle, bundle_of, result_key
from autograder.grading.submissions import Submission
from autograder.results import Isolation

Edit = Callable[[Path, str, str], None]
FILES = {"affine.py": b"x = 1", "helper.py": b"y = 2"}


def key(exercise: Exercise, **changed: object) -> str:
    fresh = Exercise(exercise.root, exercise.unit, exercise.topic)
    values = {"main": "affine.py", "files": FILES, "isolation": Isolation.FULL, **changed}
    return result_key(bundle_of(fresh), **values)  # type: ignore[arg-type]


def test_the_same_twice(affine: Exercise) -> None:
    assert key(affine) == key(affine)
    assert key(affine, files=dict(reversed(FILES.items()))) == key(affine)


def test_the_student_is_not_in_it() -> None:
    assert "student" not in Bundle.__struct_fields__
    assert {"student", "path"} <= set(Submission.__dataclass_fields__)  # given separately, and not hashed


def test_levels_of_isolation_share_results(affine: Exercise) -> None:
    assert key(affine, isolation=Isolation.STANDARD) == key(affine)


@pytest.mark.parametrize(
    "changed",
    [
        {"files": {**FILES, "affine.py": b"x = 2"}},
        {"files": {**FILES, "helper.py": b"y = 3"}},
        {"files": {"affine.py": b"x = 1"}},
        {"files": {"affine.py": b"x = 1", "helpers.py": b"y = 2"}},
        {"files": {"affine.py": b"y = 2", "helper.py": b"x = 1"}},
        {"main": "helper.py"},
        {"isolation": Isolation.UNSAFE},
    ],
    ids=["source", "sibling", "no sibling", "name", "swapped", "main", "unsafe"],
)
def test_what_is_handed_in_changes_it(affine: Exercise, changed: dict[str, object]) -> None:
    assert key(affine, **changed) != key(affine)


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("hidden_tests", "1.7, -0.6), reference", "1.7, -0.5), reference"),
        ("public_tests", "points(2)\n@pytest", "points(1)\n@pytest"),
        ("solution", "# Two maps", "# Both maps"),
        ("spec_file", "minutes = 20", "minutes = 20\nlimits.seconds = 9"),
        ("spec_file", "The hint of unscaled.", "A better hint."),
    ],
)
def test_what_the_author_wrote_changes_it(
    affine: Exercise, edited: Edit, file: str, old: str, new: str
) -> None:
    before = key(affine)
    edited(getattr(affine, file), old, new)
    assert key(affine) != before


def test_the_engine_changes_it(affine: Exercise, monkeypatch: pytest.MonkeyPatch) -> None:
    before = key(affine)
    monkeypatch.setattr(bundles, "ENGINE", "another/2")
    assert key(affine) != before


def test_names_that_are_no_text(affine: Exercise) -> None:
    assert key(affine, files={"affine.py": b"", "caf\udce9.py": b""}) != key(affine, files={"affine.py": b""})


def test_a_bundle_travels(affine: Exercise) -> None:
    """It is sent to other machines, which have no course."""
    bundle = bundle_of(affine)
    again = msgspec.msgpack.decode(msgspec.msgpack.encode(bundle), type=Bundle)
    assert again == bundle
    assert again.fingerprint == bundle.fingerprint


@pytest.mark.parametrize("file", ["solution", "hidden_tests", "public_tests"])
def test_a_file_that_is_not_here(affine: Exercise, file: str) -> None:
    path: Path = getattr(affine, file)
    path.unlink()
    with pytest.raises(CourseError, match="use the instructor's tree") as caught:
        bundle_of(affine)
    assert str(path) in str(caught.value)
