"""A class is graded: once, one by one, the same wherever it runs, and whatever happens on the way."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, NoReturn

import pytest
from msgspec.structs import replace

from autograder.course import Course, Exercise
from autograder.errors import UserError
from autograder.gradebook import Gradebook
from autograder.grading.grader import ExerciseGrader
from autograder.grading.scheduler import Grader
from autograder.grading.submissions import students_of
from autograder.grading.work import Settled
from autograder.grading.worker import Mode
from autograder.results import ExerciseResult, Isolation, Status
from autograder.sandbox.errors import SandboxFault, SandboxUnavailable

Edit = Callable[[Path, str, str], None]
HandIn = Callable[..., Path]
GOOD = "def vowels(text):\n    return sum(text.lower().count(c) for c in 'aeiou')\n"
LOWER = "def vowels(text):\n    return sum(c in 'aeiou' for c in text)\n"
AFFINE = "def affine(x, scale, shift):\n    return x * scale + shift\n"


def settle(
    course: Course, folder: Path, book: Gradebook, names: list[str] | None = None, **options: Any
) -> list[Settled]:
    exercises = [Exercise(e.root, e.unit, e.topic) for e in course.select(names or [])]  # nothing remembered
    students = students_of(folder)
    book.add_students(list(students))
    mode = options.pop("mode", Mode())
    return list(Grader(exercises, mode, known=book.known, record=book.record, **options).run(students))


@pytest.fixture
def book(tmp_path: Path) -> Any:
    with Gradebook(str(tmp_path / "book.db")) as opened:
        yield opened


def summary(found: list[Settled]) -> list[tuple[str, str, float | None, bool]]:
    return [(p.result.student, p.result.exercise, p.result.score, p.cached) for p in found]


def test_grade_and_grade_again(
    toy_course: Course, hand_in: HandIn, book: Gradebook, shared_sandbox: Any
) -> None:
    hand_in("s001", {"vowels.py": GOOD, "affine.py": AFFINE})
    folder = hand_in("s002", {"vowels.py": LOWER})
    first = settle(toy_course, folder, book)
    assert summary(first) == [
        ("s001", "basics/affine", 6.0, False),
        ("s001", "extras/vowels", 4.0, False),
        ("s002", "extras/vowels", 1.0, False),
    ]
    again = settle(toy_course, folder, book)
    assert summary(again) == [(*row[:3], True) for row in summary(first)]
    assert [p.result for p in again] == [p.result for p in first]
    assert all(len(attempts) == 1 for attempts in book.attempts().values())


def test_a_known_result_is_not_run(
    toy_course: Course,
    hand_in: HandIn,
    book: Gradebook,
    shared_sandbox: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = hand_in("s001", {"vowels.py": GOOD})
    settle(toy_course, folder, book, ["vowels"])

    def refuse(*args: Any) -> Any:
        raise UserError("a known result was graded again")

    monkeypatch.setattr("autograder.grading.scheduler.Worker.grade", refuse)
    assert [p.cached for p in settle(toy_course, folder, book, ["vowels"])] == [True]
    hand_in("s001", {"vowels.py": LOWER})
    with pytest.raises(UserError, match="graded again"):
        settle(toy_course, folder, book, ["vowels"])


def test_the_same_content_of_two_students(
    toy_course: Course, hand_in: HandIn, book: Gradebook, shared_sandbox: Any
) -> None:
    hand_in("s001", {"vowels.py": LOWER})
    folder = hand_in("s002", {"week1/vowels.py": LOWER})
    found = settle(toy_course, folder, book, ["vowels"])
    assert summary(found) == [("s001", "extras/vowels", 1.0, False), ("s002", "extras/vowels", 1.0, True)]
    attempts = book.attempts()
    assert attempts["s002", "extras/vowels"][0].result.path == "s002/week1/vowels.py"
    assert attempts["s001", "extras/vowels"][0].result.path == "s001/vowels.py"


def test_one_changed_test_regrades_one_exercise(
    toy_course: Course, hand_in: HandIn, book: Gradebook, shared_sandbox: Any, edited: Edit
) -> None:
    folder = hand_in("s001", {"vowels.py": LOWER, "affine.py": AFFINE})
    settle(toy_course, folder, book)
    edited(toy_course.root / "solutions/extras/test_vowels.py", "points(3)", "points(5)")
    found = settle(toy_course, folder, book)
    assert summary(found) == [("s001", "basics/affine", 6.0, True), ("s001", "extras/vowels", 1.0, False)]
    assert found[1].result.max_score == 6.0


def test_results_are_recorded_one_by_one(
    toy_course: Course, hand_in: HandIn, book: Gradebook, shared_sandbox: Any
) -> None:
    """Whoever stops looking after the first result still has it in the gradebook."""
    hand_in("s001", {"vowels.py": GOOD})
    folder = hand_in("s002", {"vowels.py": LOWER})
    grader = Grader(toy_course.select(["vowels"]), Mode(), known=book.known, record=book.record)
    running = grader.run(students_of(folder))
    first = next(running)
    assert first.result.student == "s001"
    assert list(book.attempts()) == [("s001", "extras/vowels")]
    running.close()


def test_a_broken_student_changes_nothing_for_others(
    toy_course: Course, hand_in: HandIn, book: Gradebook, shared_sandbox: Any
) -> None:
    hand_in("s001", {"vowels.py": "def vowels(:"})
    hand_in("s002", {"a/vowels.py": GOOD, "b/vowels.py": GOOD})
    hand_in("s003", {"notes.txt": "nothing"})
    folder = hand_in("s004", {"vowels.py": GOOD})
    found = settle(toy_course, folder, book, ["vowels"])
    assert [(p.result.student, p.result.status, p.result.score) for p in found] == [
        ("s002", Status.INVALID, 0.0),  # it need not be run to know that
        ("s001", Status.INVALID, 0.0),
        ("s004", Status.GRADED, 4.0),
    ]
    assert book.students() == ["s001", "s002", "s003", "s004"]


def test_a_fault_is_tried_once_more(
    toy_course: Course, hand_in: HandIn, book: Gradebook, shared_sandbox: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, faults = ExerciseGrader.grade, iter([True, False])

    def sometimes(self: ExerciseGrader, submission: Any) -> ExerciseResult:
        if next(faults):
            raise SandboxFault("the zygote is gone")
        return real(self, submission)

    monkeypatch.setattr(ExerciseGrader, "grade", sometimes)
    (found,) = settle(toy_course, hand_in("s001", {"vowels.py": GOOD}), book, ["vowels"])
    assert found.result.score == 4.0


@pytest.mark.parametrize("fault", [SandboxFault("the zygote is gone"), KeyError("a bug of ours")])
def test_a_fault_that_stays_is_nobody_s_zero(
    toy_course: Course,
    hand_in: HandIn,
    book: Gradebook,
    shared_sandbox: Any,
    monkeypatch: pytest.MonkeyPatch,
    fault: Exception,
) -> None:
    """Two faults in a row: that student stays ungraded, with the reason; the next one is graded."""
    real = ExerciseGrader.grade

    def sometimes(self: ExerciseGrader, submission: Any) -> ExerciseResult:
        if submission.student == "s001":
            raise fault
        return real(self, submission)

    monkeypatch.setattr(ExerciseGrader, "grade", sometimes)
    hand_in("s001", {"vowels.py": GOOD})
    found = settle(toy_course, hand_in("s002", {"vowels.py": GOOD}), book, ["vowels"])
    assert [(p.result.student, p.result.status, p.result.score) for p in found] == [
        ("s001", Status.UNGRADED, None),
        ("s002", Status.GRADED, 4.0),
    ]
    (attempt,) = book.in_full(book.attempts()["s001", "extras/vowels"])
    assert attempt.detail.splitlines()[0] == f"grading: {type(fault).__name__}: {fault}"
    assert "in sometimes" in attempt.detail
    assert str(fault) not in attempt.message.en


def test_ungraded_is_graded_by_the_next_run(
    toy_course: Course, hand_in: HandIn, book: Gradebook, shared_sandbox: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = ExerciseGrader.grade
    monkeypatch.setattr(
        ExerciseGrader, "grade", lambda self, s: replace(real(self, s), status=Status.UNGRADED, score=None)
    )
    folder = hand_in("s001", {"vowels.py": GOOD})
    (found,) = settle(toy_course, folder, book, ["vowels"])
    assert found.result.status is Status.UNGRADED
    monkeypatch.setattr(ExerciseGrader, "grade", real)
    (found,) = settle(toy_course, folder, book, ["vowels"])
    assert (found.result.score, found.cached) == (4.0, False)


def test_no_sandbox_no_grading(
    toy_course: Course, hand_in: HandIn, book: Gradebook, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(**options: Any) -> Any:
        raise SandboxUnavailable("nothing protects here")

    monkeypatch.setattr("autograder.grading.worker.ModuleSandbox", refuse)
    with pytest.raises(SandboxUnavailable):
        settle(toy_course, hand_in("s001", {"vowels.py": GOOD}), book, ["vowels"])
    assert book.attempts() == {}


def test_unsafe_results_never_stand_in(
    toy_course: Course, hand_in: HandIn, book: Gradebook, shared_sandbox: Any
) -> None:
    folder = hand_in("s001", {"vowels.py": GOOD})
    (unsafe,) = settle(toy_course, folder, book, ["vowels"], mode=Mode(unsafe=True))
    assert unsafe.result.isolation is Isolation.UNSAFE
    (safe,) = settle(toy_course, folder, book, ["vowels"])
    assert not safe.cached
    assert safe.result.isolation is not Isolation.UNSAFE


def test_the_course_is_hidden(
    toy_course: Course, hand_in: HandIn, book: Gradebook, unavailable: Callable[[object], NoReturn]
) -> None:
    """A submission that looks for the hidden tests finds none, wherever the course lies."""
    target = str(toy_course.root / "solutions/extras/test_vowels.py")
    source = f"def vowels(text):\n    print(open({target!r}).read())\n    return 3\n"
    folder = hand_in("s001", {"vowels.py": source})
    try:
        (found,) = settle(toy_course, folder, book, ["vowels"], mode=Mode(hide=(toy_course.root,)))
    except SandboxUnavailable as reason:
        unavailable(reason)
    assert found.result.score == 0.0
    assert "Need" not in found.result.output


def comparable(book: Gradebook) -> list[ExerciseResult]:
    return book.in_full(attempt for _, attempts in sorted(book.attempts().items()) for attempt in attempts)


def test_on_two_workers(
    toy_course: Course, hand_in: HandIn, book: Gradebook, shared_sandbox: Any, tmp_path: Path
) -> None:
    """Two workers give what this process gives."""
    for number in range(6):
        folder = hand_in(f"s{number:03}", {"vowels.py": f"# {number}\n{LOWER if number % 2 else GOOD}"})
    settle(toy_course, folder, book, ["vowels"])
    with Gradebook(str(tmp_path / "other.db")) as other:
        found = settle(toy_course, folder, other, ["vowels"], workers=2)
        assert not any(p.cached for p in found)
        assert comparable(other) == comparable(book)
        assert all(p.cached for p in settle(toy_course, folder, other, ["vowels"], workers=2))


def test_no_scheduler_at_the_address(
    toy_course: Course, hand_in: HandIn, book: Gradebook, shared_sandbox: Any
) -> None:
    pytest.importorskip("distributed")
    import dask

    with (
        dask.config.set({"distributed.comm.timeouts.connect": "1s"}),
        pytest.raises(UserError, match=r"tcp://127\.0\.0\.1:1: no Dask scheduler answers"),
    ):
        settle(
            toy_course, hand_in("s001", {"vowels.py": GOOD}), book, ["vowels"], scheduler="tcp://127.0.0.1:1"
        )


def test_without_dask(
    toy_course: Course, hand_in: HandIn, book: Gradebook, shared_sandbox: Any, monkeypatch: pytest.MonkeyPatch
) -> None:

    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(UserError, match="install the instructor extra"):
        settle(
            toy_course, hand_in("s001", {"vowels.py": GOOD}), book, ["vowels"], scheduler="tcp://127.0.0.1:1"
        )


@pytest.mark.usefixtures("sandbox")  # says so where there can be none
def test_killed_and_run_again(
    toy_course: Course, hand_in: HandIn, environment: dict[str, str], tmp_path: Path
) -> None:
    """Forty submissions, SIGKILL half-way, the same command again: the gradebook of an undisturbed run."""
    count = 40
    slow = "import time\ntime.sleep(0.05)\n"
    for number in range(count):
        folder = hand_in(f"s{number:03}", {"vowels.py": f"# {number}\n{slow}{LOWER if number % 3 else GOOD}"})

    def command(name: str) -> list[str]:
        return [sys.executable, "-m", "autograder", "grade", str(folder), "--course", str(toy_course.root),
                "--only", "vowels", "--gradebook", str(tmp_path / name)]  # fmt: skip

    def run(name: str) -> str:
        done = subprocess.run(command(name), env=environment, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
        return done.stderr

    started = subprocess.Popen(
        command("killed.db"), env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    recorded = 0
    while recorded < count // 2 and started.poll() is None:
        time.sleep(0.02)
        with suppress(sqlite3.OperationalError):  # not made yet
            reader = sqlite3.connect(f"file:{tmp_path / 'killed.db'}?mode=ro", uri=True)
            with closing(reader):
                (recorded,) = reader.execute("SELECT count(*) FROM attempts").fetchone()
    os.kill(started.pid, signal.SIGKILL)
    started.communicate()
    with Gradebook(str(tmp_path / "killed.db")) as book:
        before = comparable(book)
    assert count // 2 <= len(before) < count, "it was to be killed half-way"
    assert all(len(result.tests) == 2 for result in before)  # whole results only
    said = run("killed.db")
    assert f"{count - len(before)} graded, {len(before)} known already" in said
    assert f"{count} graded, 0 known already" in run("calm.db")
    with Gradebook(str(tmp_path / "killed.db")) as killed, Gradebook(str(tmp_path / "calm.db")) as calm:
        assert comparable(killed) == comparable(calm)
        assert len(comparable(calm)) == count
        assert killed.students() == calm.students()
