"""A loop that does not end is ended, and whoever sits at a debugger is not."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from autograder.course import Exercise
from autograder.guest.cell_runner import OutOfTime
from autograder.guest.deadline import debugging, time_limit
from autograder.guest.loading import load_module
from autograder.learn import advice
from autograder.learn.check import check_file
from autograder.results import Limits, Outcome
from autograder.runner import in_process
from autograder.runner.in_process import InProcessBackend
from autograder.sandbox.errors import TimedOut
from autograder.testing.ranks import run_ranks

Edit = Callable[[Path, str, str], None]
LOOP = (
    "import time\nbegan = time.monotonic()\nwhile time.monotonic() < began + 20:\n    pass\n"  # not for ever
)

pytestmark = pytest.mark.skipif(debugging(), reason="under a debugger or a tracer nothing is limited")


@pytest.fixture(autouse=True)
def free_alarm() -> Iterator[None]:
    """pytest-timeout may have the alarm in this very process."""
    handler, left = signal.getsignal(signal.SIGALRM), signal.setitimer(signal.ITIMER_REAL, 0)[0]
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    yield
    assert signal.getsignal(signal.SIGALRM) is signal.SIG_DFL
    assert signal.getitimer(signal.ITIMER_REAL)[0] == 0
    signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, left)


def here(filename: str) -> bool:
    return filename == "<loop.py>"


def run(source: str) -> None:
    exec(compile(source, "<loop.py>", "exec"), {})


@pytest.mark.parametrize("system", ["unix", "windows"])
@pytest.mark.parametrize(
    "indoors", [LOOP, LOOP.replace("pass", "try: time.sleep(0.01)\n    except Exception: pass")]
)
def test_a_loop_is_ended(system: str, indoors: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if system == "windows":
        monkeypatch.delattr(signal, "setitimer")
    before, threads = signal.getsignal(signal.SIGTERM), threading.active_count()
    began, told = time.monotonic(), []
    with pytest.raises(OutOfTime), time_limit(0.2, here, lambda: told.append("told")):
        run(indoors)
    assert 0.2 <= time.monotonic() - began < 10
    assert told == ["told"]
    assert signal.getsignal(signal.SIGTERM) is before
    assert threading.active_count() == threads
    monkeypatch.undo()


def test_a_bare_except_is_interrupted_again() -> None:
    with pytest.raises(OutOfTime), time_limit(0.2, here):
        run(f"try:\n    {LOOP.replace(chr(10), chr(10) + '    ')}\nexcept:\n    pass\n{LOOP}")


def test_only_the_file_s_own_code_is_ended() -> None:
    with time_limit(0.1, here):
        time.sleep(0.3)


@pytest.mark.parametrize("seconds", [0.0, 0.3])
def test_somebody_else_s_alarm_is_left_alone(seconds: float) -> None:
    """pytest-timeout's, say, whether or not it is running."""
    rung: list[int] = []

    def ring(number: int, frame: object) -> None:
        rung.append(number)

    signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    with time_limit(0.1, here):
        assert signal.getsignal(signal.SIGALRM) is ring
        run("import time\ntime.sleep(0.5)")
    assert rung == [signal.SIGALRM] * bool(seconds)
    assert signal.signal(signal.SIGALRM, signal.SIG_DFL) is ring


def test_nothing_is_limited_under_a_debugger() -> None:
    before = sys.gettrace()
    sys.settrace(lambda *event: None)
    try:
        with time_limit(0.1, here):
            run("import sys, time\nsys.settrace(None)\ntime.sleep(0.3)")  # `continue` takes it back
    finally:
        sys.settrace(before)


def test_nor_after_one_was_entered() -> None:
    """breakpoint() sets the trace function, and `continue` takes it back."""
    with time_limit(0.1, here):
        run(
            "import sys, time\nsys.settrace(lambda *event: None)\ntime.sleep(0.3)\n"
            "sys.settrace(None)\ntime.sleep(0.8)"
        )


def test_nor_in_another_thread() -> None:
    ended: list[str] = []

    def body() -> None:
        with time_limit(0.1, here):
            run("import time\ntime.sleep(0.3)")
        ended.append("by itself")

    thread = threading.Thread(target=body)
    thread.start()
    thread.join()
    assert ended == ["by itself"]


def test_ranks_that_loop_are_stopped_too() -> None:
    source = LOOP.replace("while", "def loop(rank, comm):\n  while")
    namespace: dict[str, Any] = {}
    exec(compile(source, "<loop.py>", "exec"), namespace)
    threads = threading.active_count()
    with pytest.raises(OutOfTime), time_limit(0.2, lambda name: here(name) or name == __file__):
        run_ranks(2, namespace["loop"])
    limit = time.monotonic() + 5
    while threading.active_count() > threads and time.monotonic() < limit:
        time.sleep(0.01)
    assert threading.active_count() == threads


# ------------------------------------------------------------------------------------------- where tests are run


def test_a_backend_says_timed_out_and_is_less_patient_then() -> None:
    module = load_module(
        {"loop.py": f"def f():\n  {LOOP.replace(chr(10), chr(10) + '  ')}".encode()}, "loop.py"
    )
    backend = InProcessBackend(lambda skipped: module, (), here)
    waits = []
    for _ in range(2):
        began = time.monotonic()
        with pytest.raises(TimedOut), backend.begin(0, Limits(seconds=0.3)):
            module.f()
        waits.append(time.monotonic() - began)
    assert 1.8 <= waits[0] < 10
    assert 0.6 <= waits[1] < 1.6


def test_check_goes_on_after_a_loop(affine: Exercise, edited: Edit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(in_process, "PATIENCE", 0.1)
    edited(affine.skeleton, 'raise NotImplementedError("affine")', "while True: pass")
    report = check_file(affine, "en")
    assert [test.outcome for test in report.tests] == [Outcome.TIMEOUT, *2 * [Outcome.NOT_IMPLEMENTED]]
    assert "look for a loop that does not end" in str(report)


def test_a_file_that_does_not_end_while_it_is_loaded(
    affine: Exercise, edited: Edit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(in_process, "PATIENCE", 0.1)
    edited(affine.skeleton, 'raise NotImplementedError("affine")', "return x\n\n\nwhile True: pass")
    (result,) = check_file(affine, "en").tests
    assert result.outcome is Outcome.TIMEOUT


def test_pytest_goes_on_after_a_loop(
    toy: Path, edited: Edit, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(in_process, "PATIENCE", 0.1)
    monkeypatch.setenv("AUTOGRADER_LANG", "en")
    monkeypatch.chdir(toy)
    edited(toy / "exercises/extras/vowels.py", 'raise NotImplementedError("vowels")', "while True: pass")
    pytest.main(
        ["-c", os.devnull, f"--rootdir={toy}", "-p", "autograder.learn.pytest_plugin", "-p", "no:cacheprovider",
         "--import-mode=importlib", "exercises"]
    )  # fmt: skip
    out = capfd.readouterr().out
    assert "1 failed, 3 not implemented" in out
    assert "while True: pass" in out
    assert "Your code ran longer than this test allows (3 s); look for a loop that does not end." in out


def test_pytest_runs_two_endless_tests_and_no_more(
    toy: Path, edited: Edit, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(in_process, "PATIENCE", 0.1)
    monkeypatch.setattr(in_process, "AFTERWARDS", 0.1)
    monkeypatch.setenv("AUTOGRADER_LANG", "en")
    monkeypatch.chdir(toy)
    monkeypatch.delitem(
        sys.modules, "exercises.basics.test_affine", raising=False
    )  # as the master course has it
    edited(toy / "exercises/basics/test_affine.py", "[0.0, 5.0]", "[0.0, 5.0, 6.0, 7.0]")
    edited(toy / "exercises/basics/affine.py", 'raise NotImplementedError("normalise")', "while True: pass")
    armed: list[float] = []

    def watched(*arguments: Any) -> advice.Advice:
        armed.append(signal.getitimer(signal.ITIMER_REAL)[0])
        return advise(*arguments)

    advise = advice.advise
    monkeypatch.setattr(advice, "advise", watched)
    pytest.main(
        ["-c", os.devnull, f"--rootdir={toy}", "-p", "autograder.learn.pytest_plugin", "-p", "no:cacheprovider",
         "--import-mode=importlib", "exercises/basics", "solutions/basics"]
    )  # fmt: skip
    out = capfd.readouterr().out
    assert "4 failed, 3 passed, 1 not implemented" in out  # the reference's tests are others
    assert out.count("E   TimedOut: Your code ran longer than this test allows (3 s)") == 2
    failures = out[
        : out.index("short test summary")
    ]  # which repeats as much of a message as the terminal is wide
    assert failures.count("This test was not run, because other tests of the same code ran out of time") == 2
    assert armed == [0.0]  # the call's limit is not the report's
