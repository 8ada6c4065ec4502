"""Target `plain`, the part every target shares: a tree that works by itself, and the wheel that comes with it."""

from __future__ import annotations

import subprocess
import sys
import venv
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest

from autograder.course import Course, CourseError
from autograder.platforms.publish import ReleaseError, release
from autograder.platforms.selection import select
from autograder.platforms.wheel import constraints, write_wheel

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def plain(toy_course: Course, tmp_path: Path) -> Path:
    release(select(toy_course, None, "en"), "plain", tmp_path / "out")
    return tmp_path / "out"


def test_what_is_in_it(plain: Path) -> None:
    for name in (
        "exercises/basics/affine.py", "exercises/basics/affine.toml", "exercises/basics/test_affine.py",
        "notebooks/basics/affine.ipynb", "course/basics/affine.md", "course/basics/affine.zh.md",
        "exercises/skeletons.zip", "course/course.toml", "README.md", "requirements.txt", "constraints.txt", "install.py", "pytest.ini",
    ):  # fmt: skip
        assert (plain / name).is_file(), name
    assert not (plain / "solutions").exists()
    assert list(Course.load(plain).exercises) == ["basics/affine", "extras/vowels"]
    nbformat.validate(nbformat.read(plain / "notebooks/basics/affine.ipynb", 4))


@pytest.mark.parametrize(("name", "exercises"), [("week1", 2), ("basics", 1), ("extras/vowels", 1)])
def test_part_of_a_course(toy_course: Course, tmp_path: Path, name: str, exercises: int) -> None:
    """An assignment, a unit or an exercise: the tree's own course lists these and no others."""
    release(select(toy_course, name, "en"), "plain", tmp_path / "out")
    assert len(Course.load(tmp_path / "out").exercises) == exercises


def test_unknown_assignment(toy_course: Course) -> None:
    with pytest.raises(CourseError, match="no exercise 'week9'"):
        select(toy_course, "week9", "en")


def test_links_of_the_page_lead_somewhere(toy_course: Course, tmp_path: Path) -> None:
    import re

    for lang in ("en", "zh"):
        out = tmp_path / lang
        release(select(toy_course, "week1", lang), "plain", out)
        page = (out / "README.md").read_text(encoding="utf-8")
        assert {"en": "First week", "zh": "第一周"}[lang] in page
        links = re.findall(r"\]\(([^)]+)\)", page)
        assert len(links) == 4
        assert all((out / link).is_file() for link in links)


def test_an_instructors_own_attempt_is_not_given_out(toy_course: Course, tmp_path: Path) -> None:
    """exercises/ of a self-learner holds answers; what is released is generated afresh."""
    skeleton = toy_course.exercise("basics/affine").skeleton
    fresh = skeleton.read_text(encoding="utf-8")
    skeleton.write_text(fresh.replace('raise NotImplementedError("affine")', "return x * scale + shift"))
    release(select(toy_course, None, "en"), "plain", tmp_path / "out")
    assert (tmp_path / "out/exercises/basics/affine.py").read_text(encoding="utf-8") == fresh
    assert "return x * scale + shift" not in (tmp_path / "out/notebooks/basics/affine.ipynb").read_text()


def test_without_solutions_a_filled_in_skeleton_is_taken_as_given_out(plain: Path, tmp_path: Path) -> None:
    """From the archive of skeletons; without that it is refused."""
    skeleton = plain / "exercises/basics/affine.py"
    fresh = skeleton.read_text()
    skeleton.write_text(fresh.replace("raise NotImplementedError", "return 1 or NotImplementedError"))
    release(select(Course.load(plain), None, "en"), "plain", tmp_path / "second")
    assert (tmp_path / "second/exercises/basics/affine.py").read_text() == fresh
    (plain / "exercises/skeletons.zip").unlink()
    with pytest.raises(
        CourseError, match=r"skeletons\.zip does not hold basics/affine .* take .*affine\.py back"
    ):
        release(select(Course.load(plain), None, "en"), "plain", tmp_path / "third")
    assert not (tmp_path / "third").exists()


def test_nothing_changed_is_overwritten(toy_course: Course, plain: Path) -> None:
    chosen = select(toy_course, None, "en")
    assert release(chosen, "plain", plain) == []  # the same bytes again
    readme = plain / "README.md"
    readme.write_text("mine")
    (plain / "course/course.toml").unlink()
    with pytest.raises(
        ReleaseError, match=r"README\.md is there already and differs \(1 such files\).*--force"
    ):
        release(chosen, "plain", plain)
    assert readme.read_text() == "mine"
    assert not (plain / "course/course.toml").exists()  # all or nothing
    assert set(release(chosen, "plain", plain, force=True)) == {readme, plain / "course/course.toml"}


def test_command(cli: Callable[..., Any], toy: Path, tmp_path: Path) -> None:
    said = cli("release", tmp_path / "out", "--to", "plain", "--assignment", "basics", "--course", toy)
    assert (said.code, said.err) == (0, "")
    assert "for 1 exercises" in said.out
    assert (tmp_path / "out/exercises/basics/affine.py").is_file()
    said = cli("release", tmp_path / "out", "--to", "moon", "--course", toy)
    assert said.code == 2


# ------------------------------------------------------------------------------------------- the package


def test_wheel_is_a_wheel(tmp_path: Path) -> None:
    """pip's own check of RECORD is its installation: see test_on_a_machine_that_never_saw_the_project."""
    first, second = write_wheel(tmp_path / "one"), write_wheel(tmp_path / "two")
    assert first.read_bytes() == second.read_bytes()
    names = zipfile.ZipFile(first).namelist()
    assert "autograder/platforms/templates/plain.en.md" in names
    assert "autograder/platforms/files/install.py" in names
    assert not [name for name in names if not name.startswith(("autograder/", "llm_autograder-"))]


def test_constraints_cover_what_is_needed(tmp_path: Path) -> None:
    small, large = constraints(), constraints("notebook")
    assert set(small) < set(large)
    assert "torch==2.13.0" in small  # no local label of a build: other systems have others
    assert any(line.startswith("jupyterlab==") for line in large)
    assert not any(line.startswith(("jupyterlab==", "ruff==")) for line in small)


def test_on_a_machine_that_never_saw_the_project(
    plain: Path, toy_course: Course, tmp_path: Path, environment: dict[str, str]
) -> None:
    """The released wheel in an environment of its own. Third-party packages are lent, so that nothing is downloaded."""
    place = tmp_path / "fresh"
    venv.create(place, with_pip=False)
    (lent,) = (Path(path) for path in sys.path if path.endswith("site-packages"))
    (site,) = (place / "lib").glob("python*/site-packages")
    wheel = next(plain.glob("*.whl"))
    own = {key: value for key, value in environment.items() if key != "PYTHONPATH"}
    pip = [
        sys.executable,
        "-m",
        "pip",
        "--python",
        place / "bin/python",
        "install",
        "--quiet",
        "--no-deps",
        wheel,
    ]
    done = subprocess.run(pip, env=own, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (site / "lent.pth").write_text(f"{lent}\n")

    def run(*command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [place / "bin/python", *command], cwd=plain, env=own, capture_output=True, text=True, timeout=120
        )

    where = run("-c", "import autograder; print(autograder.__file__)")
    assert where.stdout.startswith(str(site))
    done = run("-m", "pytest", "exercises/")
    assert done.returncode == 0, done.stdout  # nothing is begun, and that is no failure
    assert "0/4" in done.stdout and "4 not implemented" in done.stdout, done.stdout
    skeleton = plain / "exercises/basics/affine.py"
    skeleton.write_text(toy_course.exercise("basics/affine").solution.read_text(encoding="utf-8"))
    done = run("-m", "autograder", "check", "basics/affine")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "4 of 4 points" in done.stdout


@pytest.mark.parametrize("out", ["course", "exercises/week1", ".", "..", "solutions"])
def test_never_into_the_course_itself(cli: Callable[..., Any], toy_course: Course, out: str) -> None:
    place = toy_course.root / out
    before = sorted(toy_course.root.rglob("*"))
    said = cli("release", place, "--to", "plain", "--course", toy_course.root)
    assert said.code == 2 and "belongs to the course itself; give a folder of its own" in said.err
    assert sorted(toy_course.root.rglob("*")) == before
    assert cli("release", toy_course.root / "week1", "--to", "plain", "--course", toy_course.root).code == 0
