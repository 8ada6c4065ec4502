"""Workers forked from the driver: the same results, whatever happens to one of them, or to the driver."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from autograder.course import Course
from autograder.gradebook import Gradebook
from autograder.grading import pool
from autograder.grading.grader import ExerciseGrader
from autograder.grading.scheduler import Grader
from autograder.grading.submissions import students_of
from autograder.grading.work import Settled
from autograder.grading.worker import Mode, Worker
from autograder.results import ExerciseResult, Status

HandIn = Callable[..., Path]
VOWELS = "def vowels(text):\n    return sum(text.lower().count(c) for c in 'aeiou')\n"
AFFINE = "def affine(x, scale, shift):\n    return x * scale + shift\n"
SLOW = "import time\ntime.sleep(0.2)\n"


def class_of(hand_in: HandIn, count: int, before: str = "") -> Path:
    for number in range(1, count + 1):
        own = f"# {number}\n{before}"
        folder = hand_in(f"s{number:03}", {"vowels.py": own + VOWELS, "affine.py": own + AFFINE})
    return folder


def run(course: Course, folder: Path, **options: Any) -> tuple[list[Settled], list[ExerciseResult]]:
    recorded: list[ExerciseResult] = []
    mode = options.pop("mode", Mode())
    options = {"workers": 2, **options}
    grader = Grader(course.select([]), mode, known=lambda key: None, record=recorded.append, **options)
    return list(grader.run(students_of(folder))), recorded


@pytest.fixture
def ending(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., list[str]]:
    """`ending("s001", times=1)`: the worker that grades this student's work is killed, so many times.

    What it returns tells, in order, whose work was begun (`+s001`) and whose was done (`-s001`); the reference's is nobody's.
    """
    real = ExerciseGrader.grade
    log = tmp_path / "log"

    def note(mark: str) -> None:
        with log.open("a") as lines:
            lines.write(f"{mark}\n")

    def arrange(*students: str, times: int) -> Callable[[], list[str]]:
        def grade(self: ExerciseGrader, submission: Any) -> ExerciseResult:
            mark = f"{submission.student} {submission.exercise}"
            note(f"+{mark}")
            if submission.student in students and log.read_text().count(f"+{mark}\n") <= times:
                os.kill(os.getpid(), signal.SIGKILL)
            result = real(self, submission)
            note(f"-{mark}")
            return result

        monkeypatch.setattr(ExerciseGrader, "grade", grade)
        return lambda: log.read_text().splitlines()

    return arrange


FULL = {"basics/affine": 6.0, "extras/vowels": 4.0}


def lost_and_others(
    course: Course, folder: Path, count: int, **options: Any
) -> tuple[list[ExerciseResult], list[ExerciseResult]]:
    """The results of s002, and everybody else's, after a run in which everything was settled once."""
    found, recorded = run(course, folder, **options)
    assert sorted((r.exercise, r.student) for r in recorded) == sorted(
        (name, f"s{number:03}") for name in FULL for number in range(1, count + 1)
    )
    assert [settled.result for settled in found] == recorded
    own = [result for result in recorded if result.student == "s002"]
    return own, [result for result in recorded if result.student != "s002"]


def test_a_worker_s_death_costs_nobody_a_point(
    toy_course: Course, hand_in: HandIn, shared_sandbox: Any, ending: Callable[..., Any]
) -> None:
    """Its submission is tried once more, when nothing else runs: what another one needed may have been the cause."""
    log = ending("s002", times=1)
    own, others = lost_and_others(toy_course, class_of(hand_in, 6), 6)
    assert all(result.score == FULL[result.exercise] for result in own + others)
    lines = log()
    for exercise in FULL:
        again = len(lines) - 1 - lines[::-1].index(f"+s002 {exercise}")
        before, after = lines[:again], lines[again:]
        assert {f"-s{number:03} {exercise}" for number in (1, 3, 4, 5, 6)} <= set(before)
        assert after[1] == f"-s002 {exercise}"


@pytest.mark.parametrize("workers", [1, 2])
def test_who_ends_the_worker_again_alone_has_failed(
    toy_course: Course, hand_in: HandIn, shared_sandbox: Any, ending: Callable[..., Any], workers: int
) -> None:
    """The class goes on. The reference shows that a worker survives the exercise here."""
    log = ending("s002", times=99)
    own, others = lost_and_others(toy_course, class_of(hand_in, 4), 4, workers=workers)
    assert all(result.score == FULL[result.exercise] for result in others)
    for result in own:
        assert (result.status, result.score) == (Status.INVALID, 0.0)
        assert "ended the program that tests it, twice (SIGKILL ended it)" in result.message.en
        assert result.message.zh and result.key == ""  # the next run tries again
        assert log().count(f"+s002 {result.exercise}") == 2


def test_where_the_reference_ends_it_too_it_is_our_fault(
    toy_course: Course, hand_in: HandIn, shared_sandbox: Any, ending: Callable[..., Any]
) -> None:
    ending("s002", "", times=99)
    own, others = lost_and_others(toy_course, class_of(hand_in, 4), 4)
    assert all(result.score == FULL[result.exercise] for result in others)
    for result in own:
        assert (result.status, result.score) == (Status.UNGRADED, None)
        assert "its worker died, and so did the reference solution's: SIGKILL ended it" in result.detail


def test_many_who_end_their_workers(
    toy_course: Course, hand_in: HandIn, shared_sandbox: Any, ending: Callable[..., Any]
) -> None:
    """More of them than workers, and the last in line among them."""
    ending(*(f"s{number:03}" for number in range(2, 7)), times=99)
    _, recorded = run(toy_course, class_of(hand_in, 6))
    scores = {(result.student, result.exercise): result.score for result in recorded}
    assert len(recorded) == len(scores) == 12
    assert [place for place, score in scores.items() if score] == [("s001", name) for name in FULL]


def test_one_exercise_is_ready_in_workers_too(
    toy_course: Course, hand_in: HandIn, shared_sandbox: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its tests are collected once, by the driver, and no worker outlives it."""
    collected: list[str] = []
    made, begun = Worker._ready, pool.Forked.__init__
    workers: list[pool.Forked] = []

    def grader(self: Worker, bundle: Any) -> Any:
        if bundle.exercise not in self._graders:
            collected.append(bundle.exercise)
        return made(self, bundle)

    def begin(self: pool.Forked, *arguments: Any) -> None:
        ready = arguments[1]._graders
        assert list(ready) == collected[-1:]
        assert not any(worker.process.is_alive() for worker in workers[:-1] if len(workers) > 1)
        begun(self, *arguments)
        workers.append(self)

    monkeypatch.setattr(Worker, "_ready", grader)
    monkeypatch.setattr(pool.Forked, "__init__", begin)
    found, _ = run(toy_course, class_of(hand_in, 4))
    assert collected == ["basics/affine", "extras/vowels"]
    names = [settled.result.exercise for settled in found]
    assert names == sorted(names) and len(names) == 8


def test_whoever_stops_looking_leaves_no_worker(
    toy_course: Course, hand_in: HandIn, shared_sandbox: Any
) -> None:
    grader = Grader(
        toy_course.select([]), Mode(), known=lambda key: None, record=lambda result: None, workers=2
    )
    before = children(os.getpid())  # other tests' processes
    running = grader.run(students_of(class_of(hand_in, 4)))
    next(running)
    workers = children(os.getpid()) - zygotes(os.getpid()) - before
    assert len(workers) == 2
    running.close()
    assert not any(map(is_running, workers))


def test_without_isolation_there_may_be_two(toy_course: Course, hand_in: HandIn) -> None:
    found, _ = run(toy_course, class_of(hand_in, 2), mode=Mode(unsafe=True))
    assert [settled.result.score for settled in found] == [6.0, 6.0, 4.0, 4.0]


# ------------------------------------------------------------------------------------------- as commands


def children(pid: int) -> set[int]:
    return {int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()}


def zygotes(pid: int) -> set[int]:
    return {child for child in children(pid) if b"zygote" in Path(f"/proc/{child}/cmdline").read_bytes()}


def tree(pid: int) -> set[int]:
    """All that descend from a process."""
    own = children(pid)
    return own.union(*map(tree, own))


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


@pytest.fixture
def command(toy: Path, hand_in: HandIn, tmp_path: Path) -> list[str]:
    """Grade forty submissions on two workers."""
    folder = class_of(hand_in, 20, SLOW)
    return [sys.executable, "-m", "autograder", "grade", str(folder), "--course", str(toy), "--workers", "2",
            "--gradebook", str(tmp_path / "book.db")]  # fmt: skip


def recorded(tmp_path: Path) -> int:
    path = tmp_path / "book.db"
    if not path.exists():
        return 0
    with Gradebook(str(path)) as book:
        return sum(map(len, book.attempts().values()))


@pytest.mark.usefixtures("sandbox")  # says so where there can be none
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_the_driver_ends_and_nothing_is_left(
    command: list[str], environment: dict[str, str], tmp_path: Path, number: signal.Signals
) -> None:
    """Ctrl-C, which every process of a terminal gets, and SIGKILL. What was recorded stays, and a second run goes on."""
    driver = subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, process_group=0
    )
    while recorded(tmp_path) < 5 and driver.poll() is None:
        time.sleep(0.05)
    below = tree(driver.pid)
    assert len(below) >= 3  # the zygote, and two workers
    if number is signal.SIGINT:
        os.killpg(driver.pid, number)
    else:
        driver.kill()
    out, err = driver.communicate(timeout=60)
    before = recorded(tmp_path)
    assert 5 <= before < 40
    if number is signal.SIGINT:
        assert (driver.returncode, out) == (130, "")
        assert err.replace("\n", " ").strip().endswith("run the same command to go on.")
        assert "Traceback" not in err
    for _ in range(100):
        if not any(map(is_running, below)):
            break
        time.sleep(0.1)
    assert not any(map(is_running, below))
    again = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert again.returncode == 0, again.stderr
    assert f"{40 - before} graded, {before} known already" in again.stderr


def test_the_driver_has_one_thread_when_it_forks(
    command: list[str], python: Callable[..., Any], unavailable: Any, sandbox: Any
) -> None:
    watched = """
import os, sys
os.register_at_fork(before=lambda: print("THREADS", len(os.listdir("/proc/self/task"))))
from autograder.cli.main import run
run()
"""
    done = python("-c", watched, *command[3:])
    assert done.returncode == 0, done.stderr
    said = [line for line in done.stdout.splitlines() if line.startswith("THREADS")]
    assert len(said) >= 4 and set(said) == {"THREADS 1"}
