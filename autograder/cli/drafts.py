"""`autograder audit --learn`: drafts of misconceptions, from what a class handed in."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from autograder.cli.common import Speaker, console
from autograder.cli.submissions import clustered
from autograder.errors import UserError
from autograder.text import Text

if TYPE_CHECKING:
    from rich.console import Console

    from autograder.course import Course, Exercise

BOTH = Text("give both: --learn SUBMISSIONS --out DRAFTS", "请两个都给出：--learn SUBMISSIONS --out DRAFTS")
DRAFTED = Text("{n} drafts in {path}", "{path} 中有 {n} 份草稿")
NONE = Text(
    "No two submissions fail in the same way that no misconception explains.",
    "没有两份提交以同样的、已知错误无法解释的方式失败。",
)
SUFFIX, LIST = ".drafts.toml", ".autograder-drafts"


def write_drafts(
    course: Course,
    exercises: Sequence[Exercise],
    submissions: Path | None,
    out: Path | None,
    remarks: Console,
    say: Speaker,
) -> None:
    """Write `UNIT-TOPIC.drafts.toml` for each exercise of which there is a draft."""
    from autograder.audit.learn import drafts
    from autograder.course.own_folder import OwnFolder

    if submissions is None or out is None:
        raise UserError.of(BOTH)
    folder = OwnFolder(out, LIST)
    files: dict[str, bytes] = {}
    with (
        remarks.status("") as status,
        clustered(submissions, course, exercises, {}, lambda key: None, remarks, say) as each,
    ):
        for done, (exercise, clusters, worker) in enumerate(each, 1):
            status.update(f"{done}/{len(exercises)}  {exercise.id}")
            text = drafts(exercise, clusters, worker)
            if text:
                files[exercise.id.replace("/", "-") + SUFFIX] = text.encode()
    if not files:
        console().print(say(NONE))
        return
    with folder:
        folder.replace(files)
    for name, content in files.items():
        n = content.count(b"[[misconception]]")
        console().print(say(DRAFTED, n=n, path=out / name), markup=False, soft_wrap=True)
