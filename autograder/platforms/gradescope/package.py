"""Target `gradescope`: for each assignment the zip file that Gradescope builds its container from.

The zip holds the hidden side, packed; the container's first act is to read and delete it. What the platform allows and
what is done about it is told in the README, and in `autograder.platforms.gradescope.harness`.
"""

from __future__ import annotations

import math
import tempfile
import zipfile
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from autograder.course import Exercise
from autograder.grading.bundle import bundle_of
from autograder.platforms.gradescope.harness import CONTAINER_MB, HELD_MB, PAYLOAD, Part, Payload
from autograder.platforms.selection import Selection, assignments_of, page
from autograder.platforms.wheel import WHEN, write_package
from autograder.results import Visibility, total
from autograder.runner.collect import TestCase, collect

SCRIPTS = {"setup.sh": "setup.sh", "run_autograder": "run.sh"}
UNFINISHED = "unfinished.json"
STARTING_SECONDS = 60  # with half a CPU, until the first test runs
CPU_SHARE = 0.5


@dataclass(frozen=True)
class Upload:
    """One zip file, as the README lists it."""

    selection: Selection
    name: str
    points: float
    minutes: int  # the longest a run can compute, when every test runs into its time limit


def write(selection: Selection, out: Path) -> None:
    """Write a zip file for each assignment and the README into the empty folder `out`."""
    uploads = [_write_zip(part, out) for part in assignments_of(selection)]
    memory = {"container": CONTAINER_MB, "submission": CONTAINER_MB - HELD_MB}
    (out / "README.md").write_text(
        page("gradescope", selection, uploads=uploads, memory=memory), encoding="utf-8"
    )


def _write_zip(selection: Selection, out: Path) -> Upload:
    points = {exercise.id: exercise.public.max_score for exercise in selection.exercises}
    payload = Payload(
        selection.lang,
        tuple(Part(bundle_of(e), e.public.title.text, points[e.id]) for e in selection.exercises),
    )
    name = f"{selection.assignment or 'course'}.zip"
    with tempfile.TemporaryDirectory() as folder:
        write_package(Path(folder), "")
        members = {path.name: path.read_bytes() for path in sorted(Path(folder).iterdir())}
    for member, file in SCRIPTS.items():
        members[member] = (resources.files(__package__) / "files" / file).read_bytes()
    members[PAYLOAD] = payload.pack()
    members[UNFINISHED] = payload.empty_report().json()
    for (
        exercise
    ) in selection.exercises:  # by whose digests a form of the exercise that was left as it was is known
        members[f"exercises/{exercise.id}.toml"] = exercise.public_spec_file.read_bytes()
    with zipfile.ZipFile(out / name, "w") as archive:
        for member, content in members.items():
            entry = zipfile.ZipInfo(member, WHEN)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = (
                0o755 if member in SCRIPTS else 0o600 if member == PAYLOAD else 0o644
            ) << 16
            archive.writestr(entry, content)
    seconds = sum(case.limits(e.spec.limits).seconds for e in selection.exercises for case in _cases(e))
    minutes = math.ceil((STARTING_SECONDS + seconds / CPU_SHARE) / 60)
    return Upload(selection, name, total(points.values()), minutes)


def _cases(exercise: Exercise) -> list[TestCase]:
    return [
        *collect(exercise.public_tests, Visibility.PUBLIC),
        *collect(exercise.hidden_tests, Visibility.HIDDEN),
    ]
