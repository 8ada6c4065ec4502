"""A whole run of the audit, in its own processes: every exercise is reported, and every second is counted."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from autograder.audit import Begun, Ended, Event, ExerciseAudit, audit, audit_events
from autograder.audit.report import TITLES
from autograder.authoring.build import build
from autograder.course import Course
from autograder.errors import UserError

# The exercise that loops is built in this process, which only a free SIGALRM ends.
pytestmark = pytest.mark.timeout(900, method="thread")

COURSE = """
title.en = "Toys"
title.zh = "玩具"
units = ["basics"]
"""
UNIT = """
title.en = "Basics"
title.zh = "基础"
exercises = ["affine", "looping", "dying"]
"""
LOOP = """
[[misconception]]
name = "endless"
replace = "return x * scale + shift"
with = "while True: pass"
caught = "test_affine"
hint.en = "The hint of endless."
hint.zh = "endless 的提示。"
"""


def copy(root: Path, name: str) -> None:
    """basics/affine once more, under another name."""
    places = [
        *(f"{tree}/basics/{prefix}{{}}{suffix}" for tree, prefix, suffix in (
            ("solutions", "", ".py"), ("solutions", "", ".toml"), ("solutions", "test_", ".py"),
            ("exercises", "test_", ".py"), ("course", "", ".md"), ("course", "", ".zh.md"),
        )),
        "tests/oracles/basics/test_{}.py",
    ]  # fmt: skip
    shutil.copytree(root / "tests/accepted/basics/affine", root / "tests/accepted/basics" / name)
    for place in places:
        text = (root / place.format("affine")).read_text(encoding="utf-8")
        (root / place.format(name)).write_text(
            text.replace("basics/affine", f"basics/{name}"), encoding="utf-8"
        )


@pytest.fixture(scope="module")
def events(tmp_path_factory: pytest.TempPathFactory, _toy_master: Path) -> list[Event]:
    """What a run says of a sound exercise, one with a misconception that loops, and one that kills its worker."""
    root = Path(shutil.copytree(_toy_master, tmp_path_factory.mktemp("run") / "toy"))
    copy(root, "looping")
    copy(root, "dying")
    (root / "course/course.toml").write_text(COURSE, encoding="utf-8")
    (root / "course/basics/unit.toml").write_text(UNIT, encoding="utf-8")
    with (root / "solutions/basics/looping.toml").open("a", encoding="utf-8") as file:
        file.write("\n" + LOOP)
    spec = root / "solutions/basics/looping.toml"
    spec.write_text(spec.read_text().replace("difficulty = 1", "difficulty = 1\nlimits.seconds = 1.5"))
    accepted = root / "tests/accepted/basics/dying/rows.py"
    accepted.write_text(
        accepted.read_text().replace(
            "import torch\n", "import os\n\nimport torch\n\nos.kill(os.getpid(), 11)\n"
        )
    )
    course = Course.load(root, authoring=True)
    build(course)
    return list(audit_events(course, list(course), workers=2))


def reports(events: list[Event]) -> dict[str, ExerciseAudit]:
    return {event.exercise: event for event in events if isinstance(event, ExerciseAudit)}


def test_a_sound_exercise_is_green(events: list[Event]) -> None:
    report = reports(events)["basics/affine"]
    assert {p.number: p.problems for p in report.points} == dict.fromkeys(TITLES, ())
    assert report.green
    assert (report.tests, report.misconceptions) == (6, 8)
    summaries = {p.number: p.summary for p in report.points}
    assert summaries[1] == "3 score 12 of 12, in process and isolated"
    assert summaries[2] == "scores 0; 2 questions say not implemented"
    assert "1 passed" in summaries[5]


def test_seconds_of_every_process_count(events: list[Event]) -> None:
    """The endless loop runs in a child of the zygote: two tests of 1.5 s, in point 3."""
    seconds = {name: {p.number: p.seconds for p in report.points} for name, report in reports(events).items()}
    assert seconds["basics/looping"][3] > 3 + 0.5 * seconds["basics/affine"][3]
    end = events[-1]
    assert isinstance(end, Ended)
    told = sum(report.seconds for report in reports(events).values())
    assert end.seconds == pytest.approx(told + end.start + end.oracles, abs=0.01)
    assert end.start > 1  # of imports


def test_a_worker_s_death_names_its_exercise_and_spares_the_others(events: list[Event]) -> None:
    report = reports(events)["basics/dying"]
    assert not report.green
    assert report.problem == "the process that audited basics/dying did not come to its end: SIGSEGV ended it"
    assert set(reports(events)) == {"basics/affine", "basics/looping", "basics/dying"}
    assert [event.exercise for event in events if isinstance(event, Begun)] == [
        "basics/affine",
        "basics/looping",
        "basics/dying",
    ]


def test_what_keeps_a_run_from_beginning_is_told(toy_course: Course) -> None:
    (toy_course.root / "course/course.toml").write_text("title = 1")
    with pytest.raises(UserError, match=r"course\.toml"):
        audit(toy_course, list(toy_course))


def test_a_run_that_is_given_up_leaves_no_process(toy_course: Course) -> None:
    before = children()
    events = audit_events(toy_course, list(toy_course), workers=1)
    next(events)
    assert children() > before
    events.close()
    assert children() == before


def children() -> set[str]:
    """The living processes that this one has started."""
    tasks = Path(f"/proc/{os.getpid()}/task")
    return {pid for task in tasks.iterdir() for pid in (task / "children").read_text().split()}
