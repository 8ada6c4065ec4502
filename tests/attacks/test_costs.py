"""Costs: fill the trusted process's memory, keep its processor busy, or hold a worker by loading for ever.

What a test takes in is counted before it is made, a test's own code has a memory limit, loading has one budget for each
submission, and what compares answers looks at no more of one than an answer may have.
"""

from __future__ import annotations

import resource
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from autograder.feedback.explain import explain
from autograder.remote.client import LOAD_SECONDS, RemoteModule
from autograder.results import Limits, Outcome
from autograder.runner import confined
from autograder.runner.collect import TestCase
from autograder.runner.confined import ConfinedBackend
from autograder.runner.own_memory import own_memory
from autograder.runner.run import Ending, run_case
from autograder.sandbox.errors import Killed
from autograder.testing.quiz import assert_several
from autograder.testing.ranks import CollectiveError
from autograder.text import Text

LIMITS = Limits(5.0, 512)
HEALTHY = "def attack(*args):\n    return 42\n"


@pytest.fixture
def backend(sandbox: Any) -> Iterator[Callable[[str], ConfinedBackend]]:
    with ExitStack() as stack:

        def make(source: str) -> ConfinedBackend:
            return stack.enter_context(
                ConfinedBackend(sandbox, {"a.py": source.encode()}, "a.py", LIMITS, ())
            )

        yield make


Make = Callable[[str], ConfinedBackend]


def case_of(test: Callable[..., None], *fixtures: str) -> TestCase:
    return TestCase("test_it", test, fixtures or ("student",), {}, 1.0, Text("It works.", "能用。"))


def told(ending: Ending, case: TestCase) -> Text:
    return explain(ending, case, lambda name: False, LIMITS.seconds, LIMITS.memory_mb, 10)


def peak() -> int:
    """MiB that this process has had in memory at most, since the last `forget_peak`."""
    status = Path("/proc/self/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) >> 10


def forget_peak() -> int:
    Path("/proc/self/clear_refs").write_text("5")
    return peak()


# What the student's function answers, and what a test does with it.
GREEDY: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "an empty axis": ("torch.empty(20_000_000, 0), {}", lambda x: list(x[0])),
    "a long axis of nothing": ("torch.empty(1 << 40, 0)", list),
    "small integers": ("torch.zeros(5_000_000, dtype=torch.int8)", list),
    "small integers of numpy": ("torch.zeros(50_000_000, dtype=torch.int8).numpy()", list),
    "broadcast": ("torch.zeros(600_000, 1, 5)", lambda x: x == torch.zeros(1, 1000, 5)),
    "broadcast with numpy": ("torch.zeros(600_000, 1, 5).numpy()", lambda x: x - torch.zeros(1, 1000, 5).numpy()),
    "byte strings": ("iter(lambda: bytes(100_000_000), None)", list),
    "lists": ("iter(lambda: list(range(2_000_000)), None)", list),
    "flat lists": ("iter(lambda: [None] * 500_000, None)", list),
    "tensors": ("iter(lambda: torch.zeros(2_000_000), None)", list),
}  # fmt: skip


@pytest.mark.parametrize("name", GREEDY)
def test_an_answer_that_fills_the_grader_s_memory(backend: Make, name: str) -> None:
    """It is that test's failure, with a sentence of ours; the same submission's next test goes on."""
    answer, use = GREEDY[name]
    opened = backend(
        f"import torch\ndef attack():\n    return {answer}\n{HEALTHY.replace('attack', 'healthy')}"
    )
    before = forget_peak()
    greedy = case_of(lambda student: use(student.attack()))
    ending = run_case(greedy, opened, None, LIMITS)
    assert ending.outcome is Outcome.MEMORY
    assert "10 million" in told(ending, greedy).en
    assert "1000 万" in told(ending, greedy).zh
    assert peak() - before < 1800
    healthy = case_of(lambda student: None if student.healthy() == 42 else pytest.fail())
    assert run_case(healthy, opened, None, LIMITS).passed


def test_arguments_of_a_test_s_own_function(backend: Make) -> None:
    """What it calls back with counts, and a want of memory there is no error of the student's."""
    for source in ("f(torch.empty(20_000_000, 0))", "f(torch.zeros(5_000_000, dtype=torch.int8))"):
        body = f"    try: {source}\n    except Exception: return 42\n"
        opened = backend(f"import torch\ndef attack(f):\n{body}")
        case = case_of(lambda student: student.attack(lambda x: [*x, *x, *x]))
        assert run_case(case, opened, None, LIMITS).outcome is Outcome.MEMORY


@pytest.mark.parametrize("op", ["all_gather", "all_reduce", "broadcast"])
def test_a_gather_larger_than_a_test(backend: Make, op: str) -> None:
    """It counts before it is made, the same in process and confined."""
    opened = backend(f"import torch\ndef attack(comm, n):\n    comm.{op}(torch.zeros(n))\n")

    def test(ranks: Any) -> None:
        ranks(4, "attack", 50_000_000)

    case = case_of(test, "ranks")
    before = forget_peak()
    assert run_case(case, opened, None, LIMITS).outcome is Outcome.MEMORY
    assert peak() - before < 1800

    def small(ranks: Any) -> None:
        ranks(4, "attack", 1000)

    assert run_case(case_of(small, "ranks"), opened, None, LIMITS).passed


def test_a_gather_of_what_each_rank_may_send(backend: Make) -> None:
    opened = backend("import torch\ndef attack(comm):\n    comm.all_gather(torch.zeros(2_000_000))\n")

    def test(ranks: Any) -> None:
        ranks(8, "attack")

    ending = run_case(case_of(test, "ranks"), opened, None, LIMITS)
    assert ending.outcome is not Outcome.PASSED
    with pytest.raises(CollectiveError, match="all_gather of 4000000 elements on 8 ranks"):
        opened.ranks(8, lambda comm: comm.all_gather(torch.zeros(4_000_000)))


def test_one_after_the_other_the_grader_stays_as_large(backend: Make) -> None:
    """What a greedy test leaves scattered in memory must not add to what the next one may take."""
    opened = backend("import torch\ndef attack():\n    return torch.zeros(9_000_000, dtype=torch.int8)\n")
    case = case_of(lambda student: [list(student.attack()), torch.zeros(9)])
    before = forget_peak()
    for _ in range(6):
        assert run_case(case, opened, None, LIMITS).outcome is Outcome.MEMORY
    assert peak() - before < 1800


def test_what_is_scattered_and_free_is_not_given_again() -> None:
    """The kernel counts what is mapped. What of that is free must not raise the next test's limit."""

    def limit() -> int:
        with own_memory(512):
            return resource.getrlimit(resource.RLIMIT_DATA)[0] >> 20

    before = limit()
    blocks = [torch.empty(2048) for _ in range(40_000)]  # 312 MiB
    kept = blocks[::10]
    del blocks
    assert limit() - before < 100
    del kept
    assert limit() - before < 100


def test_an_honest_test_may_take_much(backend: Make) -> None:
    opened = backend("import torch\ndef attack(n):\n    return torch.zeros(n)\n")

    def test(student: Any) -> None:
        for _ in range(1000):
            assert torch.equal(student.attack(5000), torch.zeros(5000))
        assert student.attack(3_000_000).tolist()[0] == 0.0

    for _ in range(2):
        assert run_case(case_of(test), opened, None, LIMITS).passed


# --- time ---


@pytest.mark.parametrize(
    "answer", ["b" + "\u0301" * 40_000 + "\u0316" * 40_000, ["b", *["\u0301", "\u0316"] * 40_000]]
)
def test_an_answer_that_is_long_to_read(answer: Any) -> None:
    """To put marks above and below a letter into their order takes a time that grows with the square of their number."""
    began = time.process_time()
    with pytest.raises(AssertionError):
        assert_several(SimpleNamespace(q1=answer), "q1", "abcd", right="b")
    assert time.process_time() - began < 5


# --- loading ---

BURN = "import os, time\nend = time.process_time() + {seconds}\nwhile time.process_time() < end: pass\n"


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch) -> list[RemoteModule]:
    """Every child that has begun to load."""
    found: list[RemoteModule] = []
    load = RemoteModule.load

    def noted(child: RemoteModule, **options: Any) -> Any:
        found.append(child)
        return load(child, **options)

    monkeypatch.setattr(RemoteModule, "load", noted)
    return found


def run_all(opened: ConfinedBackend, test: Callable[..., None], count: int, *fixtures: str) -> list[Ending]:
    """As the grader runs them: twice where the system killed the process."""
    endings = []
    for _ in range(count):
        for _ in range(2):
            ending = run_case(case_of(test, *fixtures), opened, None, LIMITS)
            if not isinstance(ending.error, Killed):
                break
        endings.append(ending)
    return endings


def test_a_file_that_dies_while_loading_is_tried_once_more(backend: Make, loads: list[RemoteModule]) -> None:
    opened = backend("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n")
    endings = run_all(opened, lambda student: None, 8)
    assert {ending.outcome for ending in endings} == {Outcome.MEMORY}
    assert len(loads) == 2


@pytest.mark.parametrize(
    "after", ["while True: pass", "os.abort()", "x = []\nwhile True: x.append(bytes(1 << 20))"]
)
def test_a_file_that_hangs_or_dies_otherwise_is_loaded_once(
    backend: Make, loads: list[RemoteModule], monkeypatch: pytest.MonkeyPatch, after: str
) -> None:
    monkeypatch.setattr("autograder.runner.confined.LOAD_SECONDS", 1.0)
    opened = backend(f"import os\n{after}\n")
    endings = run_all(opened, lambda student: None, 5)
    assert not any(ending.passed for ending in endings)
    assert len(loads) == 1


def test_loading_again_after_tests_that_end_the_process(
    backend: Make, loads: list[RemoteModule], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In all it takes no more than two loads may; a load that costs little is no matter."""
    monkeypatch.setattr("autograder.runner.confined.LOAD_SECONDS", 1.0)
    opened = backend(BURN.format(seconds=0.6) + "def attack(): os._exit(1)\n")
    endings = run_all(opened, lambda student: student.attack(), 10)
    assert endings[0].outcome is Outcome.CRASHED
    assert endings[-1].outcome is Outcome.TIMEOUT
    assert "loading" in told(endings[-1], case_of(lambda: None)).en
    assert opened.load_error is None  # it did load: what it answered before counts
    assert len(loads) <= 4
    assert sum(child.cpu_seconds for child in loads) < 3.0

    del loads[:]
    opened = backend("import os\ndef attack(): os._exit(1)\n")
    assert {ending.outcome for ending in run_all(opened, lambda student: student.attack(), 12)} == {
        Outcome.CRASHED
    }


def test_ranks_that_hang_while_loading(
    backend: Make, loads: list[RemoteModule], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file loads, and hangs when it is loaded for a rank."""
    monkeypatch.setattr("autograder.runner.confined.LOAD_SECONDS", 0.5)
    opened = backend("def attack(comm): return comm.barrier()\n")
    with opened.begin(0, LIMITS):
        assert opened.student.attack is not None
    opened._files = {"a.py": b"while True: pass\n"}

    def test(ranks: Any) -> None:
        ranks(4, "attack")

    endings = run_all(opened, test, 8, "ranks")
    assert {ending.outcome for ending in endings} == {Outcome.TIMEOUT}
    assert sum(child.cpu_seconds for child in loads) < 2.0


def test_the_figures() -> None:
    """At most 20 s in all."""
    assert 2 * LOAD_SECONDS <= 20
    assert confined.LOAD_SECONDS == LOAD_SECONDS
