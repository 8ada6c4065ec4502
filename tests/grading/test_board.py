"""What one worker has seen of a misconception the others read, and nothing that a dying one leaves stands in the way."""

from __future__ import annotations

import os
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest
import torch

from autograder.course import Course
from autograder.grading.board import HEADER, Board
from autograder.grading.bundle import bundle_of
from autograder.grading.diagnosis import Behaviour, Diagnostician, observed, same
from autograder.grading.forked import Forked
from autograder.grading.grader import ExerciseGrader
from autograder.grading.submissions import Submission
from autograder.grading.worker import Mode, Worker
from autograder.remote.errors import student_error
from autograder.remote.proxy import Call, Handle
from autograder.results import Outcome

WRONG = b"def affine(x, scale, shift):\n    return x + shift\n"


class Remote:
    def release(self, number: int) -> None:
        pass


TRACE = [
    Call("get", "f", Handle(Remote(), 3, "f", "function")),  # type: ignore[arg-type]
    Call("call", "f()", [torch.tensor([1.0, 2.5], requires_grad=True), {"kept": (1, "a")}]),
    Call("call", "f()", student_error("Mine", ["KeyError", "LookupError"], "no such key")),
]


def behaviour() -> Behaviour:
    return {"test_a": observed(Outcome.ERROR, TRACE)}


def elsewhere(work: Callable[[], Any]) -> Any:
    """What this gives in a process forked from here."""

    def run(connection: Connection) -> None:
        connection.send(work())

    process = Forked(run)
    try:
        return process.connection.recv()
    finally:
        process.kill()


def never(name: str) -> Behaviour:
    raise AssertionError(f"{name} was observed a second time")


def test_another_process_reads_what_one_has_seen() -> None:
    board = Board()
    elsewhere(lambda: list(board.shared(lambda name: behaviour())("shifted")))
    read = board.shared(never)("shifted")
    assert read.keys() == {"test_a"}
    assert (read["test_a"].outcome, read["test_a"].works) == (Outcome.ERROR, frozenset({"f()"}))
    assert same(list(read["test_a"].trace), TRACE)
    assert isinstance(read["test_a"].trace[2].result, KeyError)


def test_each_runs_the_reference_itself() -> None:
    """It tells why the reference fails a test there."""
    board, ran = Board(), []

    def observe(name: str) -> Behaviour:
        ran.append(name)
        return behaviour()

    for _ in range(2):
        board.shared(observe)("")
    assert ran == ["", ""]


@pytest.mark.parametrize("left", [b"\0\0\0\0\0\0\1\0half", b"\0\0\0\0\0\0\0\0no length yet"])
def test_what_a_dying_process_left_is_written_over(left: bytes) -> None:
    board = Board()
    board.shared(lambda name: behaviour())("first")
    file = board._file.fileno()
    os.pwrite(file, left, os.fstat(file).st_size)
    elsewhere(lambda: list(board.shared(lambda name: behaviour())("second")))
    read = board.shared(never)
    assert read("first").keys() == read("second").keys() == {"test_a"}
    assert HEADER == 8


def test_a_process_that_dies_with_the_lock_keeps_nobody_waiting() -> None:
    board = Board()

    def die() -> None:
        import fcntl

        fcntl.lockf(board._file, fcntl.LOCK_EX)
        os._exit(1)

    with pytest.raises(EOFError):
        elsewhere(die)
    board.shared(lambda name: behaviour())("first")


def test_workers_begin_at_different_places() -> None:
    order: list[str] = []

    def observe(name: str) -> Behaviour:
        order.append(name)
        return {"test_a": observed(Outcome.FAILED, [])}

    failing = {"test_a": observed(Outcome.FAILED, [Call("call", "f()", 7)])}
    for first in (0.0, 0.5):
        Diagnostician(dict.fromkeys("abcd", "test_a"), observe, first=first).diagnose(failing)
    assert [name for name in order if name] == list("abcd" + "cdab")


def test_a_grader_reads_what_another_process_has_seen(
    toy_course: Course, shared_sandbox: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """With the same result, and after a fault of ours has had its grader made anew, too."""
    shared_sandbox.await_ready()  # before there are two processes to wait for it
    ran = tmp_path / "ran"
    observe = ExerciseGrader._observe_variant

    def watched(self: ExerciseGrader, name: str) -> Behaviour:
        with ran.open("a") as file:
            file.write(f"{name}\n")
        return observe(self, name)

    monkeypatch.setattr(ExerciseGrader, "_observe_variant", watched)
    bundle, board = bundle_of(toy_course.exercise("basics/affine")), Board()
    submission = Submission("s001", "basics/affine", "affine.py", "affine.py", {"affine.py": WRONG})

    def grade() -> Any:
        worker = Worker(Mode())
        worker.share(board, 0.0)
        worker.grade(bundle, submission)
        worker.keep_only("")
        return worker.grade(bundle, submission)

    results = [elsewhere(grade), elsewhere(grade)]
    names = [name for name in ran.read_text().split("\n") if name]
    assert names and len(names) == len(set(names))
    assert results[0] == results[1]
    assert [test.diagnosis for test in results[0].tests if test.diagnosis]
