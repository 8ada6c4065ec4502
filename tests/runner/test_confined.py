"""The confined backend behaves like the one in process: fixtures, limits, ranks, and what it keeps."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from autograder.grading.diagnosis import same
from autograder.remote.errors import StudentError
from autograder.remote.proxy import Call
from autograder.results import Limits
from autograder.runner.confined import OUTPUT_KEPT, ConfinedBackend, _with_refusal
from autograder.sandbox.errors import Blocked, Crashed, TimedOut
from autograder.testing import per_rank, scripted_model
from autograder.testing.ranks import Aborted, CollectiveError

SOURCE = """
import torch
print("loaded")
calls = []

def double(x): return 2 * x
def remember(x): calls.append(x); return len(calls)
def die(): import os; os._exit(1)
def fill(n): return torch.ones(n * 2**18).sum()   # n MiB
def noise(): return torch.rand(3)
def ask(f, x): return f(x)
def fail(): raise RuntimeError("of my own")
class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = torch.nn.Linear(2, 1, bias=False)
    def forward(self, x): return self.inner(x)
def train(comm, mine, shared):
    total = comm.all_reduce(mine * shared)
    print("rank", comm.rank, "of", comm.world_size)
    return total
def fails(comm):
    if comm.rank == 1: raise ValueError("rank one")
    return comm.all_gather(torch.ones(2))
"""


@pytest.fixture
def backend(sandbox: Any) -> Iterator[Callable[..., ConfinedBackend]]:
    with ExitStack() as stack:

        def make(source: str = SOURCE, **options: Any) -> ConfinedBackend:
            limits = options.pop("limits", Limits(5.0, 512))
            opened = ConfinedBackend(
                sandbox, {"a.py": source.encode()}, "a.py", limits, options.pop("forbidden", ())
            )
            return stack.enter_context(opened)

        yield make


Make = Callable[..., ConfinedBackend]


def test_one_child_for_all_tests(backend: Make) -> None:
    opened = backend()
    for count in (1, 2, 3):
        with opened.begin(0, Limits(5.0, 512)):
            assert opened.student.remember("x") == count
    assert opened.output.count(b"loaded") == 0  # gathered when the child is closed
    opened.__exit__()
    assert opened.output.count(b"loaded") == 1


def test_a_new_child_after_one_ended(backend: Make) -> None:
    opened = backend()
    with pytest.raises(Crashed), opened.begin(0, Limits(5.0, 512)):
        opened.student.die()
    with opened.begin(0, Limits(5.0, 512)):
        assert opened.student.remember("x") == 1


def test_a_memory_limit_of_its_own_gets_a_child_of_its_own(backend: Make) -> None:
    opened = backend()
    with opened.begin(0, Limits(5.0, 512)):
        assert float(opened.student.fill(200)) > 0
    with opened.begin(0, Limits(5.0, 64)), pytest.raises(MemoryError):
        opened.student.fill(200)
    with opened.begin(0, Limits(5.0, 512)):
        assert float(opened.student.fill(200)) > 0


def test_seeded_for_every_test(backend: Make) -> None:
    opened = backend()
    drawn = []
    for seed in (1, 2, 1):
        with opened.begin(seed, Limits(5.0, 512)):
            drawn.append(opened.student.noise())
    assert torch.equal(drawn[0], drawn[2])
    assert not torch.equal(drawn[0], drawn[1])


def test_a_file_that_does_not_load_is_loaded_once(backend: Make) -> None:
    opened = backend("print('once')\n1 / 0\n")
    for _ in range(3):
        with pytest.raises(ZeroDivisionError) as caught, opened.begin(0, Limits(5.0, 512)):
            pass
        assert isinstance(caught.value, StudentError)
        assert caught.value is opened.load_error
    assert opened.output.count(b"once") == 1


def test_gradients_and_build(backend: Make) -> None:
    opened = backend()
    with opened.begin(0, Limits(5.0, 512)):
        x = torch.ones(3)
        done = opened.helpers["gradients"](opened.student.double, x)
        assert done.arguments[0].tolist() == [2.0, 2.0, 2.0]
        net = opened.student.Net()
        net.load_state_dict({"inner.weight": torch.tensor([[1.0, 2.0]])})
        done = opened.helpers["gradients"](net, torch.ones(1, 2), upstream=torch.tensor([[3.0]]))
        assert done.parameters["inner.weight"].tolist() == [[3.0, 3.0]]
        linear = opened.helpers["build"]("torch.nn.Linear", 2, 1)
        assert linear(torch.ones(1, 2)).shape == (1, 1)
        here = opened.helpers["gradients"](
            lambda x: 3 * x, x
        )  # a function of the test, such as the reference's
        assert here.arguments[0].tolist() == [3.0, 3.0, 3.0]


def test_patience_ends(backend: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """A submission that sleeps in every test would hold up a class."""
    monkeypatch.setattr("autograder.runner.confined.PATIENCE", 1.0)
    opened = backend("import time\ndef nap(s): time.sleep(s)\n", limits=Limits(0.5, 512))
    with opened.begin(0, Limits(0.5, 512)):
        opened.student.nap(1.2)
    with pytest.raises(TimedOut, match=r"within 0\.5 s"), opened.begin(0, Limits(0.5, 512)):
        opened.student.nap(1.2)


def test_answers_of_all_tests_together_are_bounded(backend: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("autograder.runner.confined.TRACED", 30_000)
    opened = backend("import torch\ndef zeros(): return torch.zeros(4000)\n")
    kept = []
    for _ in range(3):
        with opened.begin(0, Limits(5.0, 512)):
            opened.student.zeros()
        kept.append(len(opened.trace()))
    assert kept[0] > 0 and kept[2] == 0


def test_unchanged_looks_where_the_target_lives(backend: Make) -> None:
    opened = backend("def clear(x): x.clear()\n")
    with opened.begin(0, Limits(5.0, 512)):
        mine = [1]
        assert not opened.helpers["unchanged"](opened.student.clear, mine)
        assert mine == [1]
        assert not opened.helpers["unchanged"](lambda x: x.clear(), mine)
        assert mine == []


def test_ranks_are_processes(backend: Make) -> None:
    opened = backend()
    with opened.begin(0, Limits(5.0, 512)):
        tensors = per_rank([torch.ones(4), torch.full((4,), 2.0), torch.zeros(4)])
        done = opened.ranks(3, "train", tensors, 10)
        assert [result.tolist() for result in done.results] == [[30.0] * 4] * 3
        assert done.bytes_sent == pytest.approx(2 * 16 * 2 / 3)
        in_process = opened.ranks(3, lambda comm, mine, shared: comm.all_reduce(mine * shared), tensors, 10)
        assert torch.equal(in_process.results[0], done.results[0])
        assert in_process.bytes_sent == done.bytes_sent
        assert len(opened.trace()) > 0


def test_an_error_in_one_rank(backend: Make) -> None:
    opened = backend()
    with opened.begin(0, Limits(5.0, 512)), pytest.raises(ValueError, match="rank one"):
        opened.ranks(2, "fails")
    with opened.begin(0, Limits(5.0, 512)):
        assert opened.student.remember(1) == 1


def test_the_trace_is_of_the_last_test(backend: Make) -> None:
    opened = backend()
    with opened.begin(0, Limits(5.0, 512)):
        opened.student.double(1)
        opened.student.double(2)
    assert [call.result for call in opened.trace() if isinstance(call.result, int)] == [2, 4]
    with opened.begin(0, Limits(5.0, 512)):
        opened.student.double(5)
    assert [call.result for call in opened.trace() if isinstance(call.result, int)] == [10]


def test_what_a_function_of_the_test_refused_is_in_the_trace(backend: Make) -> None:
    """Told before the error it led to, and only in the test it belongs to: two misuses of it are two mistakes."""

    def layer(number: int) -> int:
        if number != 3:
            raise ValueError(f"the next layer is 3, not {number}")
        return number

    opened = backend()
    for asked in (0, 1):
        with opened.begin(0, Limits(5.0, 512)), pytest.raises(RuntimeError):
            opened.student.ask(layer, asked)
        *_, refusal, error = opened.trace()
        assert (refusal.kind, refusal.result) == ("callback", f"ValueError: the next layer is 3, not {asked}")
        assert isinstance(error.result, StudentError)
    with opened.begin(0, Limits(5.0, 512)), pytest.raises(RuntimeError):
        opened.student.fail()
    assert "callback" not in [call.kind for call in opened.trace()]
    with opened.begin(0, Limits(5.0, 512)):
        assert opened.student.ask(layer, 3) == 3
    assert "callback" not in [call.kind for call in opened.trace()]


def test_what_a_function_of_the_test_raises_for_the_student(backend: Make) -> None:
    """It is met as it was raised, and is no refusal; any other exception of the test is met as one that says nothing."""
    opened = backend(
        "def ask(model):\n try:\n  return model('?')\n except Exception as error:\n"
        "  return f'{type(error).__name__}: {error}'\n"
    )

    def secret(_: str) -> str:
        raise ValueError("the answer is 42")

    with opened.begin(0, Limits(5.0, 512)):
        model = scripted_model([TimeoutError("no reply in time"), "fine"])
        assert opened.student.ask(model) == "TimeoutError: no reply in time"
        assert opened.student.ask(model) == "fine"
    assert "callback" not in [call.kind for call in opened.trace()]
    with opened.begin(0, Limits(5.0, 512)):
        assert opened.student.ask(secret) == "RuntimeError: a function given by the test raised an exception"


def test_an_exception_of_a_class_without_a_module(backend: Make) -> None:
    """As `exec` makes one: it is the builtin that it derives from, whatever its own name."""
    opened = backend(
        "def f(name):\n names = {'__builtins__': {}, 'Base': ValueError, 'type': type}\n"
        " exec(f'kind = type({name!r}, (Base,), {{}})', names)\n raise names['kind']('bad')\n"
    )
    with opened.begin(0, Limits(5.0, 512)):
        for name in ("Mine", "KeyError"):
            with pytest.raises(ValueError, match="bad") as caught:
                opened.student.f(name)
            assert not isinstance(caught.value, KeyError) and isinstance(caught.value, StudentError)


def test_forbidden_calls(backend: Make) -> None:
    opened = backend("import torch\ndef f(x): return torch.softmax(x, -1)\n", forbidden=["torch.softmax"])
    with opened.begin(0, Limits(5.0, 512)), pytest.raises(RuntimeError, match="not allowed in this exercise"):
        opened.student.f(torch.ones(2))


def test_output_is_bounded(backend: Make) -> None:
    opened = backend("print('x' * 200_000)\nprint('the end')\n")
    with opened.begin(0, Limits(5.0, 512)):
        _ = opened.student
    opened.__exit__()
    assert len(opened.output) <= OUTPUT_KEPT


def test_nothing_counts_as_the_student_s_but_what_says_so(backend: Make) -> None:
    assert backend().made_by_student(ValueError("from the test")) is False


def test_which_rank_failed_first_is_not_in_the_trace() -> None:
    """Several ranks fail at once, each by itself or because another has: two runs must leave the same trace."""
    failed = Call("call", "stage()", StudentError("RuntimeError", ("RuntimeError",), "sizes"))
    for refusal, length in (
        (None, 1),
        (Aborted(), 1),
        (CollectiveError("sizes"), 1),
        (ValueError("mine"), 2),
    ):
        child: Any = SimpleNamespace(trace=[failed], callback_error=refusal)
        assert len(_with_refusal(child)) == length


def test_a_starved_rank_leaves_the_same_trace(backend: Make) -> None:
    """Each rank fails by itself after a collective, also the one whose turn comes long after the others have."""
    source = """
import torch
def step(comm, begin, check):
    begin()
    check(comm.all_gather(torch.ones(comm.rank + 1).sum()[None]))
"""

    def check(gathered: torch.Tensor) -> None:
        raise ValueError(f"{gathered.tolist()} is not what was expected")

    def starve() -> None:
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))  # of the thread that serves this rank

    traces = []
    for begin in (lambda: None, starve):
        with backend(source) as opened:
            with opened.begin(0, Limits(5.0, 512)), pytest.raises(StudentError):
                opened.ranks(3, "step", per_rank([lambda: None, begin, lambda: None]), check)
            traces.append(opened.trace())
    assert [call.kind for call in traces[0]] == ["load", "get", "callback", "call"] * 3
    assert same(traces[1], traces[0])


def test_one_processor_for_the_length_of_a_submission(sandbox: Any) -> None:
    before = os.sched_getaffinity(0)
    source = b"import os\ndef cpus(): return sorted(os.sched_getaffinity(0))\n"
    with ConfinedBackend(sandbox, {"a.py": source}, "a.py", Limits(), ()) as backend:
        mine = os.sched_getaffinity(0)
        assert len(mine) == 1
        with backend.begin(0, Limits()):
            assert backend.student.cpus() == sorted(mine)
    assert os.sched_getaffinity(0) == before


@pytest.mark.parametrize("answer", [None, [5], ["abc"], [("a", "b")], [("a", "b", 3)], [["a", "b", "c"]]])
def test_notes_of_another_form_end_the_child(
    sandbox: Any, monkeypatch: pytest.MonkeyPatch, answer: Any
) -> None:
    """What a taken-over child answers to `load` is looked at before it is used."""
    with sandbox.open({"a.py": b""}, "a.py", limits=Limits()) as child:
        monkeypatch.setattr(child, "operate", lambda *request: answer)
        with pytest.raises(Blocked, match="something else than notes"):
            child.load()
        assert not child.alive
