"""Ready-to-use trees for the places where a course is taught. One module per target.

A tree is written whole beside its place first and then moved in, so that a release that fails leaves nothing half
done; a file that somebody changed since the last release is never overwritten unless told so.
"""

from __future__ import annotations

import importlib
import shutil
import tempfile
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from autograder.errors import UserError

if TYPE_CHECKING:
    from autograder.platforms.selection import Selection


class Target(StrEnum):
    """Where a course is taught."""

    PLAIN = "plain"
    GITHUB = "github"
    NBGRADER = "nbgrader"
    OTTER = "otter"
    GRADESCOPE = "gradescope"


# Each of these modules has `write(selection, out)`, and may have `carry_over(staged, out)`: it adds to the files of a new
# release what people added to those of the last one.
WRITERS = {
    Target.PLAIN: "autograder.platforms.plain",
    Target.GITHUB: "autograder.platforms.github.template",
    Target.NBGRADER: "autograder.platforms.nbgrader.source",
    Target.OTTER: "autograder.platforms.otter",
    Target.GRADESCOPE: "autograder.platforms.gradescope.package",
}


class ReleaseError(UserError):
    """The release can't be written. Nothing was."""


def release(selection: Selection, target: Target | str, out: Path, *, force: bool = False) -> list[Path]:
    """Write `selection` for one of the targets into `out`; the files that are new or changed there.

    Raises:
        ReleaseError: a file in `out` differs from the one to be written, and `force` is off.
    """
    writer = importlib.import_module(WRITERS[Target(target)])
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=".release-") as staging:
        staged = Path(staging) / "out"
        staged.mkdir()
        writer.write(selection, staged)
        if hasattr(writer, "carry_over"):
            writer.carry_over(staged, out)
        return _merge(staged, out, force=force)


def _merge(staged: Path, out: Path, *, force: bool) -> list[Path]:
    """Move what is new from one tree into the other."""
    files = sorted(path.relative_to(staged) for path in staged.rglob("*") if path.is_file())
    fresh = [name for name in files if not _same(staged / name, out / name)]
    taken = [name for name in fresh if (out / name).exists()]
    if taken and not force:
        raise ReleaseError(
            f"{out / taken[0]} is there already and differs ({len(taken)} such files); "
            "choose another folder, or replace them with --force",
            f"{out / taken[0]} 已存在且内容不同（这样的文件共 {len(taken)} 个）；请另选文件夹，或用 --force 覆盖",
        )
    for name in fresh:
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.move(staged / name, out / name)
    return [out / name for name in fresh]


def _same(one: Path, other: Path) -> bool:
    return other.is_file() and one.read_bytes() == other.read_bytes()
