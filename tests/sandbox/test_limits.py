"""Time, memory and output: each limit holds, and what an honest submission does stays within it."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

from autograder.remote import wire
from autograder.remote.client import RemoteModule
from autograder.remote.errors import StudentError
from autograder.remote.module_sandbox import ModuleSandbox
from autograder.remote.server import Server
from autograder.remote.values import MODULE
from autograder.runner.own_memory import own_memory
from autograder.sandbox.budget import Budget, own_delay
from autograder.sandbox.errors import Blocked, Crashed, Ended, Killed, OutOfMemory, TimedOut

SPIN = "import time\ndef spin(s):\n    end = time.process_time() + s\n    while time.process_time() < end: pass\n    return s\n"


def test_cpu_time(run: Callable[..., RemoteModule]) -> None:
    child = run(SPIN, seconds=0.4)
    assert child.student.spin(0.1) == 0.1
    began = time.monotonic()
    with pytest.raises(TimedOut, match="CPU"):
        child.student.spin(9)
    assert time.monotonic() - began < 9
    assert not child.alive
    with pytest.raises(TimedOut):
        child.student.spin(0)
    with pytest.raises(TimedOut):
        child.seed(1)
    assert 0.3 < child.cpu_seconds < 2


def test_a_deadline_is_armed_anew_for_every_test(run: Callable[..., RemoteModule]) -> None:
    child = run(SPIN, seconds=0.5)
    for _ in range(4):
        child.deadline(0.5)
        assert child.student.spin(0.3) == 0.3
    with pytest.raises(TimedOut):
        child.student.spin(0.3)  # the sum counts, not the single call


def test_cpu_time_counts_background_threads(run: Callable[..., RemoteModule]) -> None:
    source = (
        SPIN
        + "import threading\ndef start():\n    threading.Thread(target=spin, args=(9,), daemon=True).start()\n"
    )
    child = run(source, seconds=0.4)
    child.student.start()
    with pytest.raises(TimedOut):
        for _ in range(1000):
            time.sleep(0.02)
            child.student.spin(0)


def test_wall_clock(run: Callable[..., RemoteModule]) -> None:
    child = run("import time\ndef sleep(s):\n    time.sleep(s)\n    return s\n", seconds=0.4)
    assert child.student.sleep(0.5) == 0.5  # waiting is not computing
    began = time.monotonic()
    with pytest.raises(TimedOut, match="no answer"):
        child.student.sleep(60)
    assert time.monotonic() - began < 100


def test_waiting_for_a_processor_is_not_the_childs() -> None:
    """The same wait ends the child where it slept, and not where the machine kept it from running."""

    class Recorded:
        queue = 0.0
        runnable = False

        def cpu(self) -> float:
            return 0.0

        def queued(self) -> float:
            return self.queue

        def waits_for_processor(self) -> bool:
            return self.runnable

    # A child that has not had its turn yet is known by its state alone.
    for queue, runnable, ends in ((0.0, False, True), (10.0, False, False), (0.0, True, False)):
        clock = Recorded()
        clock.runnable = runnable
        budget = Budget(clock)  # type: ignore[arg-type]
        budget.arm(0.01)
        clock.queue = queue
        with budget:
            time.sleep(0.1)
            if ends:
                with pytest.raises(TimedOut):
                    budget.check()
            else:
                assert budget.check() > 0


@pytest.fixture
def crowded() -> Iterator[int]:
    """A processor that another process keeps busy."""
    processor = min(os.sched_getaffinity(0))
    rival = os.fork()
    if rival == 0:
        os.sched_setaffinity(0, {processor})
        while True:
            pass
    yield processor
    os.kill(rival, signal.SIGKILL)
    os.waitpid(rival, 0)


def starve(pid: int, processor: int) -> None:
    """Let a child have about a seventieth of that busy processor."""
    os.sched_setaffinity(pid, {processor})
    os.setpriority(os.PRIO_PROCESS, pid, 19)
    with suppress(OSError):  # where each session has its fair share, that of a session counts
        Path(f"/proc/{pid}/autogroup").write_text("19")


@pytest.mark.parametrize(("after", "how"), [("", Crashed), ("while True: time.sleep(1)", Blocked)])
def test_a_starved_child_that_closes_its_channel(
    run: Callable[..., RemoteModule], crowded: int, after: str, how: type[Ended]
) -> None:
    """It is given the time to end by itself and say how, as long as it takes where it hardly ever has a processor."""
    child = run(
        f"import os, time\ndef die():\n    os.close(3)\n    sum(range(1_000_000))\n    {after}\n    os._exit(3)\n"
    )
    starve(child._process.budget.pid, crowded)
    with pytest.raises(how):
        child.student.die()


def test_our_own_waiting_for_a_processor_is_not_the_childs(
    run: Callable[..., RemoteModule], crowded: int
) -> None:
    """The child answers at once, and the thread that asked it hardly ever gets a processor to read the answer."""
    child = run("def at_once():\n    return 1\n", seconds=0.05)  # so it may keep us waiting for 0.3 s
    answers: list[int] = []
    late: list[float] = []

    def ask() -> None:
        os.sched_setaffinity(0, {crowded})
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 19)
        child.deadline(0.05)
        began = time.monotonic()
        while time.monotonic() - began < 3 and own_delay() < 2:
            answers.append(child.student.at_once())
        late.append(own_delay())

    thread = threading.Thread(target=ask)
    thread.start()
    thread.join()
    assert late, "the child was ended"
    assert late[0] > 0.3  # else nothing was shown
    assert child.idle < 0.3


def test_a_new_deadline_counts_at_once() -> None:
    """Between two looks the budget can't be spent; that must not hold from one budget to the next."""

    class Recorded:
        used = 0.0

        def cpu(self) -> float:
            return self.used

        def queued(self) -> float:
            return 0.0

    clock = Recorded()
    budget = Budget(clock)  # type: ignore[arg-type]
    budget.arm(1000)
    assert budget.check() > 0
    budget.arm(0.5)
    clock.used = 1.0
    with pytest.raises(TimedOut):
        budget.check()


def test_our_own_time_is_not_the_childs(run: Callable[..., RemoteModule]) -> None:
    child = run("def use(f):\n    return f()\n", seconds=0.2)
    time.sleep(1.5)
    assert child.student.use(lambda: time.sleep(1.5)) is None


def test_deadline_while_a_frame_is_on_its_way(run: Callable[..., RemoteModule]) -> None:
    source = "import os, struct\ndef drip():\n    os.write(3, struct.pack('<IQ', 10**6, 0))\n    while True: os.write(3, b'x')\n"
    child = run(source, seconds=0.2)
    with pytest.raises(Ended):
        child.student.drip()


def test_a_child_that_does_not_read(run: Callable[..., RemoteModule]) -> None:
    source = "import threading, time, gc\ndef block(f):\n    f()\n    time.sleep(60)\n"
    child = run(source, seconds=0.2)
    with pytest.raises(TimedOut):
        child.student.block(lambda: torch.zeros(1 << 22))


def test_memory(run: Callable[..., RemoteModule]) -> None:
    source = "import torch\ndef make(n): return torch.ones(n).sum().item()\ndef plain(n): return len(bytearray(n))\n"
    child = run(source, memory_mb=256)
    assert child.student.make(1 << 20) == 1 << 20
    for name, amount in (
        ("make", 1 << 28),
        ("plain", 1 << 30),
    ):  # torch says RuntimeError, Python MemoryError
        child = run(source, memory_mb=256)
        with pytest.raises(MemoryError) as caught:
            getattr(child.student, name)(amount)
        assert isinstance(caught.value, StudentError) and "MemoryError" in caught.value.mro
        assert child.student.make(10) == 10  # it goes on


def test_memory_is_counted_from_the_load(run: Callable[..., RemoteModule]) -> None:
    """The cap is above what was mapped before: 64 MiB hold 40 MiB, and don't hold 80."""
    for mebibytes, fits in ((40, True), (80, False)):
        child = run("def make(n):\n    return len(bytearray(n << 20))\n", memory_mb=64)
        if fits:
            assert child.student.make(mebibytes) == mebibytes << 20
        else:
            with pytest.raises(MemoryError):
                child.student.make(mebibytes)


def test_memory_that_ends_with_the_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is none left to look at what the call has bound anew: the other side is told to ask again."""

    def full(server: Server) -> bool:
        raise MemoryError

    said: list[Any] = []
    monkeypatch.setattr(Server, "_rebound", full)
    monkeypatch.setattr(Server, "_write", lambda server, pieces: said.append(b"".join(pieces)))
    server = Server(channel=-1)
    server._handles[MODULE] = ModuleType("submission")
    server._answer(wire.Request(7, "get", MODULE, "__name__", wire.Arguments(), []), bytearray())
    answer = wire.unpack_from_child(said[0][wire.HEAD.size :])
    assert isinstance(answer, wire.Raised)
    assert (answer.call, answer.name, answer.rebound) == (7, "MemoryError", True)


def test_room_in_the_address_space_is_no_memory(run: Callable[..., RemoteModule]) -> None:
    """Whoever gives libraries back has no more for data than before."""
    child = run(
        "import resource\n"
        "def limits(): return resource.getrlimit(resource.RLIMIT_AS), resource.getrlimit(resource.RLIMIT_DATA)\n",
        memory_mb=64,
    )
    (space, _), (data, hard) = child.student.limits()
    assert data == hard
    assert 64 << 20 < data < space - (256 << 20)  # torch's libraries alone are larger than that


def test_no_shared_memory(run: Callable[..., RemoteModule]) -> None:
    """No limit counts its pages."""
    child = run("import mmap\ndef shared(): mmap.mmap(-1, 4096, mmap.MAP_SHARED | mmap.MAP_ANONYMOUS)\n")
    with pytest.raises(PermissionError):
        child.student.shared()


def test_exhausting_memory_for_good(run: Callable[..., RemoteModule]) -> None:
    child = run("hoard = []\ndef fill():\n    while True: hoard.append(bytearray(1 << 16))\n", memory_mb=128)
    for _ in range(3):
        with pytest.raises((MemoryError, OutOfMemory)):
            child.student.fill()


@pytest.mark.parametrize("asks", [True, False])
def test_what_is_sent_counts_as_well(run: Callable[..., RemoteModule], asks: bool) -> None:
    """A tensor that doesn't fit is the memory limit, not a crash: as an argument, and as a function's answer."""
    child = run("def take(x):\n    return x() if callable(x) else x\n", memory_mb=64)
    large = torch.zeros(100 << 18)
    with pytest.raises(OutOfMemory, match="64 MiB"):
        child.student.take((lambda: large) if asks else large)


def test_output(run: Callable[..., RemoteModule]) -> None:
    source = (
        "import sys, os\nprint('loading')\n"
        "def talk():\n    print('out'); print('err', file=sys.stderr); os.write(1, b'raw')\n"
        "def flood(n):\n    for _ in range(n): print('x' * 1000)\n    return n\n"
    )
    child = run(source)
    child.student.talk()
    text = child.output.decode()
    assert text.startswith("loading\n") and all(word in text for word in ("out", "err", "raw"))
    assert child.student.flood(30_000) == 30_000
    assert len(child.output) == 64 << 10
    child.close()
    assert len(child.output) == 64 << 10


def test_output_of_a_child_that_died(run: Callable[..., RemoteModule]) -> None:
    child = run("import os\ndef die():\n    print('last words', flush=True)\n    os._exit(3)\n")
    with pytest.raises(Crashed, match="status 3"):
        child.student.die()
    assert b"last words" in child.output
    with pytest.raises(Crashed):
        child.load()


def test_signals_are_named(run: Callable[..., RemoteModule]) -> None:
    child = run("import os, signal\ndef die(): os.kill(os.getpid(), signal.SIGSEGV)\n")
    with pytest.raises(Crashed, match="SIGSEGV"):
        child.student.die()


def test_a_kill_from_outside_is_told_apart(run: Callable[..., RemoteModule]) -> None:
    """The system may have wanted the memory for others."""
    child = run("import os, signal\ndef die(): os.kill(os.getpid(), signal.SIGKILL)\n")
    with pytest.raises(Killed):
        child.student.die()


def test_answers_too_large_to_keep(run: Callable[..., RemoteModule], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("autograder.remote.client.MAX_TRACED", 10_000)
    child = run("import torch\ndef zeros(n): return torch.zeros(n)\n")
    child.reset_trace()
    child.student.zeros(10)
    assert child.trace
    for _ in range(2):
        assert len(child.student.zeros(5000)) == 5000
        assert child.trace == []
    child.reset_trace()
    child.student.zeros(10)
    assert child.trace


def test_the_tests_functions_have_a_limit(
    run: Callable[..., RemoteModule], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("autograder.remote.client.TEST_FACTOR", 0.01)
    child = run("def ask(f, n):\n    for _ in range(n): f()\n", seconds=10)
    child.student.ask(lambda: None, 3)
    with pytest.raises(TimedOut, match="the test's own functions"):
        child.student.ask(lambda: sum(range(100_000)), 1000)


def test_waiting_is_counted_apart(run: Callable[..., RemoteModule]) -> None:
    child = run(SPIN + "def nap(s): time.sleep(s)\n", seconds=2)
    child.deadline(2)
    child.student.nap(0.3)
    assert 0.2 < child.idle < 2
    child.deadline(0.2, patient=False)
    with pytest.raises(TimedOut, match=r"within 0\.2 s"):
        child.student.nap(5)


def test_a_dead_child_leaves_the_others_alone(run: Callable[..., RemoteModule]) -> None:
    one, two = run("import os\ndef die(): os._exit(1)\n"), run("def live(): return 1\n")
    with pytest.raises(Crashed):
        one.student.die()
    assert two.student.live() == 1


def test_closing_is_quick_and_final(run: Callable[..., RemoteModule]) -> None:
    child = run(
        "import threading\ndef spin():\n    while True: pass\ndef start(): threading.Thread(target=spin).start()\n"
    )
    child.student.start()
    began = time.monotonic()
    child.close()
    child.close()
    assert time.monotonic() - began < 10
    with pytest.raises(Ended):
        child.student.start()


@pytest.mark.usefixtures("sandbox")  # says so where there can be none
def test_a_zygote_started_within_a_test_is_not_bound_by_its_cap() -> None:
    """A dead zygote may be started again while a test's own memory is capped, and serves all tests after it."""
    with own_memory(64), ModuleSandbox() as made:
        pid = made._zygote._process.pid
        limits = Path(f"/proc/{pid}/limits").read_text(encoding="ascii").splitlines()
        (data,) = (line.split()[3:5] for line in limits if line.startswith("Max data size"))
        assert data[0] == data[1]
