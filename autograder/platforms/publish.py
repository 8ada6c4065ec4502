"""Ready-to-use trees for the places where a course is taught. One module per target.

A tree is written whole beside its place first and then moved in, so that a release that fails leaves nothing half
done; a file that somebody changed since the last release is never overwritten unless told so.
"""

from __future__ import annotations

import importlib
import shutil
import tempfile
from collections.abc import Container
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from autograder.course.catalogue import COURSE_FILE
from autograder.errors import UserError
from autograder.text import Text

if TYPE_CHECKING:
    from autograder.platforms.selection import Selection


class Target(StrEnum):
    """Where a course is taught."""

    PLAIN = "plain"
    GITHUB = "github"
    NBGRADER = "nbgrader"
    OTTER = "otter"
    GRADESCOPE = "gradescope"
    SITE = "site"


# Each of these modules has `write(selection, out)`, and may have `carry_over(staged, out)`: it adds to the files of a new
# release what people added to those of the last one.
WRITERS = {
    Target.PLAIN: "autograder.platforms.plain",
    Target.GITHUB: "autograder.platforms.github.template",
    Target.NBGRADER: "autograder.platforms.nbgrader.source",
    Target.OTTER: "autograder.platforms.otter",
    Target.GRADESCOPE: "autograder.platforms.gradescope.package",
    Target.SITE: "autograder.platforms.site.build",
}

BY_ASSIGNMENT = {Target.NBGRADER, Target.GRADESCOPE}  # a whole course is released as its assignments
WITH_DERIVED = {Target.PLAIN, Target.GITHUB}  # whose students get files, and not notebooks alone

WORK = Text(
    "holds somebody's work and is not replaced, with --force neither",
    "里有写过的内容，即使用 --force 也不会覆盖",
)
FOLDER = Text("is a folder, and a file of that name is to be written", "是文件夹，而这里要写入同名文件")


class ReleaseError(UserError):
    """The release can't be written. Nothing was."""


def release(selection: Selection, target: Target | str, out: Path, *, force: bool = False) -> list[Path]:
    """Write `selection` for one of the targets into `out`; the files that are new or changed there.

    Raises:
        ReleaseError: a file in `out` differs from the one to be written, and `force` is off; or it holds somebody's work.
        UserError: a file in `out` is a database.
    """
    _refuse_derived(selection, Target(target))
    writer = importlib.import_module(WRITERS[Target(target)])
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ReleaseError(
            f"{out.parent} can't be made a folder ({error.strerror}); choose another place",
            f"{out.parent} 无法建成文件夹（{error.strerror}）；请另选位置",
        ) from None
    if out.exists() and not out.is_dir():
        raise ReleaseError(
            f"{out} is a file; name a folder, new or of an earlier release",
            f"{out} 是文件；请给出文件夹名，新的或以前发布过的都可以",
        )
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=".release-") as staging:
        staged = Path(staging) / "out"
        staged.mkdir()
        writer.write(selection, staged)
        if hasattr(writer, "carry_over"):
            writer.carry_over(staged, out)
        return _merge(staged, out, _filled_in(selection, out), force=force)


def _refuse_derived(selection: Selection, target: Target) -> None:
    """ReleaseError where the target can't give out an exercise that an assignment derives from another."""
    from autograder.course.derived import Derived

    course = selection.course
    exercises = list(selection.exercises)
    if not selection.assignment and target in BY_ASSIGNMENT:
        exercises += course.graded.select(name for one in course.assignments for name in one.exercises)
    derived = next((exercise.id for exercise in exercises if isinstance(exercise, Derived)), None)
    if derived is not None and target not in WITH_DERIVED:
        raise ReleaseError(
            f"{derived} is assigned in {course.root / COURSE_FILE}, and target {target.value} can't give it out; release its "
            "assignment with --to plain or --to github, and the others one by one with --assignment",
            f"{course.root / COURSE_FILE} 中布置了 {derived}，而目标 {target.value} 无法发放它；请用 --to plain 或 --to github "
            "发布该作业，其余作业用 --assignment 逐个发布",
        )


def _filled_in(selection: Selection, out: Path) -> set[Path]:
    """The files of an earlier release in `out` that a student has worked in: it is somebody's folder, not a release."""
    from autograder.course.derived import Derived
    from autograder.grading.pristine import is_pristine

    found = set()
    for exercise in selection.exercises:
        there = replace(exercise, root=out)
        if isinstance(exercise, Derived):
            if there.skeleton.is_file():  # where it differs, somebody may have written in it
                found.add(there.skeleton)
            continue
        notebook = out / "notebooks" / there.unit / f"{there.topic}.ipynb"
        for path in (there.skeleton, notebook) if there.public_spec_file.is_file() else ():
            if path.is_file() and not is_pristine(there, path.name, path.read_bytes()):
                found.add(path)
    return found


def _merge(staged: Path, out: Path, filled_in: Container[Path], *, force: bool) -> list[Path]:
    """Move what is new from one tree into the other."""
    from autograder.course.outputs import refuse_database

    files = sorted(path.relative_to(staged) for path in staged.rglob("*") if path.is_file())
    fresh = [name for name in files if not _same(staged / name, out / name)]
    taken = [name for name in fresh if (out / name).exists()]
    if taken and not force:
        raise ReleaseError(
            f"{out / taken[0]} is there already and differs ({len(taken)} such files); "
            "choose another folder, or replace them with --force",
            f"{out / taken[0]} 已存在且内容不同（这样的文件共 {len(taken)} 个）；请另选文件夹，或用 --force 覆盖",
        )
    for path in (out / name for name in taken):
        refuse_database(path)
        if path in filled_in or path.is_dir():
            what = WORK if path in filled_in else FOLDER
            raise ReleaseError(
                f"{path} {what.en}; move it away, or choose another folder",
                f"{path} {what.zh}；请把它移走，或另选文件夹",
            )
    for name in fresh:
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.move(staged / name, out / name)
    return [out / name for name in fresh]


def _same(one: Path, other: Path) -> bool:
    return other.is_file() and one.read_bytes() == other.read_bytes()
