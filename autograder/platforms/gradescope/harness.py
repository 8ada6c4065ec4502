"""What runs in Gradescope's container: `python -m autograder.platforms.gradescope.harness /autograder`, once for each submission.

Gradescope gives a fresh container, root, 768 MB of memory and half a CPU; no namespaces, perhaps no Landlock. Hidden
material therefore comes in one file, which is read and deleted before any line of the submission runs; from then on it
is in this process's memory alone, and submissions run as another user, who can't look there. Where neither Landlock nor
namespaces are to be had, grading goes on all the same: what a file layer protects is no longer on the disk. Refusing
would keep nothing secret, and would leave everybody there without a grade. Without the system-call filter, or a user
to change to, it refuses.

The report is written again after each exercise, and always says what would be true if the run ended there.
"""

from __future__ import annotations

import sys
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from autograder.course import Exercise
from autograder.errors import UserError
from autograder.grading.bundle import Bundle
from autograder.grading.internal_errors import internal_error
from autograder.grading.submissions import Submission, submissions_of
from autograder.grading.worker import Mode, Worker
from autograder.platforms.gradescope.results_json import GradescopeReport
from autograder.results import ExerciseResult, Isolation, Status, Unrecognised
from autograder.text import Text, marked

PAYLOAD = "exercises.bin"
MEBIBYTE = 1 << 20
CONTAINER_MB = 768  # the smallest container that Gradescope has
# This process, the zygote and a child at work: measured 545 MB, resident and counted once.
HELD_MB = 576
LOGGED = 5000  # characters of one fault
LEAST_MB = 64
MEMORY_FILES = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")

GONE = Text(
    "{path} can't be read ({reason}). The first run in a container deletes it, so that no submission can read it; "
    "start a fresh container, as Gradescope does for each submission",
    "{path} 无法读取（{reason}）。容器第一次运行时会删除它，使提交读不到它；请像 Gradescope 对每份提交那样启动新的容器",
)


class Part(Struct, frozen=True):
    """One exercise of the assignment."""

    bundle: Bundle
    title: Text
    points: float


class Payload(Struct, frozen=True):
    """All that grading an assignment takes."""

    lang: str
    parts: tuple[Part, ...]

    def pack(self) -> bytes:
        return zlib.compress(msgspec.msgpack.encode(self), 9)

    def empty_report(self) -> GradescopeReport:
        """An empty report on these exercises."""
        return GradescopeReport(
            self.lang, [(part.bundle.exercise, part.title, part.points) for part in self.parts]
        )


def take(path: Path) -> Payload:
    """Read the payload and delete its file. UserError where either fails: then nothing may be graded."""
    try:
        packed = path.read_bytes()
        path.unlink()
    except OSError as error:
        raise UserError.of(GONE, path=path, reason=error.strerror) from None
    return msgspec.msgpack.decode(zlib.decompress(packed), type=Payload)


def memory_left_mb() -> int:
    """How much memory a submission may add, given what the container has."""
    found = [int(text) // MEBIBYTE for text in map(_read, MEMORY_FILES) if text.isdigit()]
    physical = next(int(line.split()[1]) >> 10 for line in _read("/proc/meminfo").splitlines())
    container = min([mb for mb in found if mb < physical], default=CONTAINER_MB)
    return max(LEAST_MB, container - HELD_MB)


def _read(name: str) -> str:
    try:
        return Path(name).read_text(encoding="ascii").strip()
    except OSError:
        return ""


def fitted(bundle: Bundle, memory_mb: int) -> Bundle:
    """The exercise with no more memory than there is: a submission must meet its own limit before the container's."""
    limits = bundle.spec.limits
    limits = replace(limits, memory_mb=min(limits.memory_mb, memory_mb))
    return replace(bundle, spec=replace(bundle.spec, limits=limits))


def grade(payload: Payload, root: Path, worker: Worker) -> None:
    """Grade what lies in `root/submission`, exercise by exercise."""
    report = root / "results" / "results.json"
    sheet = payload.empty_report()
    sheet.write(report)
    memory = memory_left_mb()
    bundles = [fitted(part.bundle, memory) for part in payload.parts]
    for bundle in bundles:
        worker.grader(bundle)  # all tests are read, and their files gone, before the first submission runs
    found, sheet.unrecognised = _submissions(root, bundles, worker)
    for part, bundle in zip(payload.parts, bundles, strict=True):
        result = _result(worker, bundle, found.get(bundle.exercise), part.points)
        if result.status is Status.UNGRADED:
            _log(f"{bundle.exercise} is not graded: {result.detail}")
        sheet.add(result)
        sheet.write(report)


def _submissions(
    root: Path, bundles: Sequence[Bundle], worker: Worker
) -> tuple[Mapping[str, Submission], list[Unrecognised]]:
    """Exercise -> the submission to it, and the files that nobody could place."""
    folder = root / "submission"
    entries = [folder] if folder.is_dir() else []
    exercises = [Exercise(root / "source", *bundle.exercise.split("/")) for bundle in bundles]
    unrecognised: list[Unrecognised] = []
    found = submissions_of("", entries, exercises, worker.unpack, root, None, unrecognised.append)
    submissions = {submission.exercise: submission for submission in found}
    own = [replace(file, path=file.path.removeprefix(f"{folder.name}/")) for file in unrecognised]
    return submissions, own


def _result(worker: Worker, bundle: Bundle, found: Submission | None, points: float) -> ExerciseResult:
    nothing = ExerciseResult(
        student="",
        exercise=bundle.exercise,
        status=Status.MISSING,
        score=0.0,
        max_score=points,
        isolation=Isolation.NONE,
    )
    if found is None:
        return nothing
    try:
        return worker.grade(bundle, found)
    except Exception as error:
        return replace(nothing, status=Status.UNGRADED, score=None, detail=internal_error("grading", error))


def main(root: Path) -> None:
    """Grade the submission in `root`, laid out as Gradescope's /autograder. SystemExit, with the reason told, where it can't be."""
    worker = Worker(Mode(nothing_hidden=True))
    try:
        grade(take(root / "source" / PAYLOAD), root, worker)
    except Exception as error:
        _log(internal_error("the run ended", error))
        sys.exit(1)
    finally:
        worker.close()


def _log(said: str) -> None:
    """For the instructor: it may quote the submission."""
    print(marked(said, LOGGED), file=sys.stderr)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
