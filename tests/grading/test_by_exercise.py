"""A class is collected student by student and graded exercise by exercise, and memory knows neither's number."""

from __future__ import annotations

import gc
import io
import json
import linecache
import os
import sys
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any, BinaryIO
from weakref import WeakSet

import pytest
from rich.console import Console

from autograder.cli.common import Lang, Speaker
from autograder.cli.progress_bar import GradingProgress
from autograder.course import Course
from autograder.grading import apart, scheduler, spool
from autograder.grading.bundle import bundle_of
from autograder.grading.diagnosis import REFERENCE, SILENT
from autograder.grading.grader import ExerciseGrader
from autograder.grading.scheduler import Grader
from autograder.grading.spool import Spool
from autograder.grading.submissions import Submission, students_of
from autograder.grading.work import Settled
from autograder.grading.worker import Mode, Worker
from autograder.results import ExerciseResult, Isolation, Status
from autograder.text import Text

HandIn = Callable[..., Path]
VOWELS = "def vowels(text):\n    return sum(c in 'aeiou' for c in text)\n"
AFFINE = "def affine(x, scale, shift):\n    return x * scale + shift\n"


def class_of(hand_in: HandIn, count: int) -> Path:
    for number in range(1, count + 1):
        files = {"vowels.py": f"# {number}\n{VOWELS}", "affine.py": f"# {number}\n{AFFINE}"}
        folder = hand_in(f"s{number:03}", files)
    return folder


def grader_of(course: Course, recorded: dict[str, ExerciseResult], **options: Any) -> Grader:
    return Grader(
        course.select([]), Mode(), known=recorded.get, record=lambda r: recorded.update({r.key: r}), **options
    )


@pytest.fixture
def graders(monkeypatch: pytest.MonkeyPatch) -> WeakSet[ExerciseGrader]:
    """Those that were made since, and are still alive."""
    alive: WeakSet[ExerciseGrader] = WeakSet()
    made = ExerciseGrader.__init__

    def make(self: ExerciseGrader, *given: Any) -> None:
        made(self, *given)
        alive.add(self)

    monkeypatch.setattr(ExerciseGrader, "__init__", make)
    return alive


def test_one_exercise_is_ready_at_a_time(
    toy_course: Course, hand_in: HandIn, shared_sandbox: Any, graders: WeakSet[ExerciseGrader]
) -> None:
    found = []
    modules, sources = set(sys.modules), set(linecache.cache)
    for settled in grader_of(toy_course, {}).run(students_of(class_of(hand_in, 3))):
        found.append((settled.result.exercise, settled.result.student))
        assert [grader.bundle.exercise for grader in graders] == [settled.result.exercise]
        topic = settled.result.exercise.split("/")[1]
        tests = [name for name in sys.modules.keys() - modules if ".test_" in name]
        assert sorted(name.split(".")[-1] for name in tests) == [
            f"test_hidden_{topic}",
            f"test_public_{topic}",
        ]
        places = {name.split("/")[-2] for name in linecache.cache.keys() - sources if "/bundle_" in name}
        assert places == {name.split(".")[-2] for name in tests}
    students = ["s001", "s002", "s003"]
    assert found == [(name, student) for name in ("basics/affine", "extras/vowels") for student in students]


def test_a_process_apart_has_one_exercise_ready(
    toy_course: Course, shared_sandbox: Any, graders: WeakSet[ExerciseGrader], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "autograder.sandbox.linux.prctl", lambda *arguments: None
    )  # this process is to live on
    asked = [("basics/affine", AFFINE), ("extras/vowels", VOWELS)]

    class Asking:
        def recv_bytes(self) -> bytes:
            if not asked:
                raise EOFError
            name, source = asked[0]
            main = name.split("/")[1] + ".py"
            submission = Submission("s001", name, main, main, {main: source.encode()})
            return apart.packed(bundle_of(toy_course.exercise(name)), submission, Mode())

        def send(self, answer: Any) -> None:
            name, _ = asked.pop(0)
            assert answer.exercise == name
            assert [grader.bundle.exercise for grader in graders] == [name]

    apart.serve(Asking())  # type: ignore[arg-type]
    assert not asked


def test_submissions_are_in_memory_one_at_a_time(
    toy_course: Course, shared_sandbox: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    alive: WeakSet[Submission] = WeakSet()

    class Counted(Submission):
        __hash__ = object.__hash__  # type: ignore[assignment]

        def __init__(self, *values: Any) -> None:
            super().__init__(*values)
            alive.add(self)

        def __reduce__(self) -> Any:  # the worker gets a plain one
            return Submission, tuple(getattr(self, field.name) for field in fields(self))

    monkeypatch.setattr(spool, "Submission", Counted)
    collected: list[int] = []

    def held() -> int:
        gc.collect()  # what failed may be held by its traceback until then
        return len(alive)

    def many(student: str, *given: Any) -> Iterator[Submission]:
        """As many as a student of a large course hands in."""
        for number in range(10):
            collected.append(held())
            source = f"# {number}\n{VOWELS}".encode()
            path = f"{student}/vowels.py"
            yield Counted(student, "extras/vowels", path, "vowels.py", {"vowels.py": source})

    monkeypatch.setattr(scheduler, "submissions_of", many)
    graded = [held() for _ in grader_of(toy_course, {}).run({"s001": [], "s002": []})]
    assert (len(collected), len(graded)) == (20, 20)
    assert max(collected) <= 2 and max(graded) <= 2  # one, and the one before it


def test_an_archive_is_unpacked_once(
    toy_course: Course, tmp_path: Path, shared_sandbox: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "zips"
    folder.mkdir()
    with zipfile.ZipFile(folder / "s001.zip", "w") as archive:
        archive.writestr("vowels.py", VOWELS)
        archive.writestr("affine.py", AFFINE)
    unpack, times = Worker.unpack, []

    def counted(self: Worker, archive: BinaryIO) -> dict[str, bytes]:
        times.append(1)
        return unpack(self, archive)

    monkeypatch.setattr(Worker, "unpack", counted)
    found = list(grader_of(toy_course, {}).run(students_of(folder)))
    assert [settled.result.path for settled in found] == ["s001.zip/affine.py", "s001.zip/vowels.py"]
    assert len(times) == 1


@pytest.fixture
def half_collected(monkeypatch: pytest.MonkeyPatch) -> None:
    """What s002 handed in can be read up to a point only."""
    read = scheduler.submissions_of

    def faulty(student: str, *given: Any) -> Iterator[Submission]:
        for submission in read(student, *given):
            yield submission
            if student == "s002":
                raise KeyError("a bug of ours")

    monkeypatch.setattr(scheduler, "submissions_of", faulty)


@pytest.mark.usefixtures("half_collected")
def test_a_fault_while_collecting_is_one_student_s(
    toy_course: Course, hand_in: HandIn, shared_sandbox: Any
) -> None:
    collected = []
    grader = grader_of(toy_course, {}, collected=lambda student, new: collected.append((student, new)))
    found = list(grader.run(students_of(class_of(hand_in, 3))))
    assert collected == [("s001", 2), ("s002", 0), ("s003", 2)]
    ungraded = {(s.result.student, s.result.exercise) for s in found if s.result.status is Status.UNGRADED}
    assert ungraded == {("s002", "basics/affine"), ("s002", "extras/vowels")}
    assert len(found) == 6


def test_what_is_known_is_settled_while_others_are_collected(
    toy_course: Course, hand_in: HandIn, shared_sandbox: Any
) -> None:
    recorded: dict[str, ExerciseResult] = {}
    folder = class_of(hand_in, 2)
    list(grader_of(toy_course, recorded).run(students_of(folder)))
    collected: list[int] = []
    grader = grader_of(toy_course, recorded, collected=lambda student, new: collected.append(new))
    running = grader.run(students_of(folder))
    first = next(running)
    assert (first.cached, first.result.student, collected) == (True, "s001", [])
    assert all(settled.cached for settled in running) and collected == [0, 0]


def test_a_variant_s_traces_are_those_that_are_compared(toy_course: Course, shared_sandbox: Any) -> None:
    worker = Worker(Mode())
    grader = worker.grader(bundle_of(toy_course.exercise("basics/affine")))
    names = list(grader.variants)
    assert len(names) > 1
    for name in names:
        for test, seen in grader.diagnostician.behaviour(name).items():
            assert bool(seen.trace) == (name == REFERENCE or seen.outcome not in SILENT), (name, test)


def test_a_submission_waits_unchanged(tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9.py")  # Latin-1, as an old zip file has it
    work = Submission("s001", "u/t", "s001/t.py", "t.py", {"t.py": b"x = 1\n", name: b"\xff\0", "n.py": b""})
    unread = Submission("s002", "u/t", "s002/t.py", problem=Text("Too large.", "太大。"))
    waiting = Spool(tmp_path)
    for one in (work, unread):
        waiting.add(waiting.keep(one, one.main))
    assert list(waiting.take("u/t")) == [("t.py", work), ("", unread)]
    assert list(waiting.take("u/other")) == []


def test_the_same_file_waits_once(tmp_path: Path) -> None:
    waiting = Spool(tmp_path)
    beside = os.urandom(50_000)
    for number in range(20):
        files = {"t.py": f"# {number}".encode(), "given.py": beside}
        waiting.add(waiting.keep(Submission(f"s{number:03}", "u/t", "t.py", "t.py", files), "key"))
    assert sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file()) < 70_000
    assert len(list(waiting.take("u/t"))) == 20


def test_json_is_in_the_students_order(
    cli: Callable[..., Any], toy_course: Course, hand_in: HandIn, shared_sandbox: Any, tmp_path: Path
) -> None:
    folder = class_of(hand_in, 2)
    command = ("grade", folder, "--course", toy_course.root, "--gradebook", tmp_path / "b.db", "--json")
    first, again = cli(*command), cli(*command)
    assert first.code == 0, first.err
    rows = [(row["student"], row["exercise"]) for row in json.loads(first.out)["results"]]
    assert rows == sorted(rows) and len(rows) == 4
    assert again.out == first.out


def test_progress_counts_students_and_what_is_new() -> None:
    def settled(student: str, cached: bool) -> Settled:
        result = ExerciseResult(
            student=student, exercise="u/t", status=Status.GRADED, score=1.0, max_score=1.0, isolation=Isolation.FULL
        )  # fmt: skip
        return Settled(result, cached)

    out = io.StringIO()
    progress = GradingProgress(
        Console(file=out, force_terminal=True, width=120), students=4, say=Speaker(Lang.EN)
    )

    def run() -> Iterator[Settled]:
        progress.collected("s001", 2)
        yield settled("s002", cached=True)
        progress.collected("s002", 0)
        progress.collected("s003", 1)
        progress.collected("s004", 0)
        yield settled("s001", cached=False)
        yield settled("s001", cached=False)
        yield settled("s003", cached=True)  # the same as another's

    with progress:
        assert len(list(progress.following(run()))) == 4
    assert "4/4" in out.getvalue() and "3/3" in out.getvalue()
    assert "s003  u/t" in out.getvalue()
