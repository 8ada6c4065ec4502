"""The interconnect: values and bytes of every collective, and ranks that do not agree."""

from __future__ import annotations

import contextlib
import re
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from autograder.guest.loading import load_module
from autograder.results import Limits
from autograder.runner.in_process import InProcessBackend
from autograder.testing import per_rank, ranks
from autograder.testing.ranks import (
    MAX_RANKS,
    Aborted,
    CollectiveError,
    Comm,
    RankRun,
    arguments_of,
    run_ranks,
)

SIZES = [1, 2, 3, 4]


def run(n: int, body: Callable[[Any], Any]) -> RankRun:
    """Run on n ranks, in a thread of its own so that a hang is a failure and not a hang."""
    outcome: list[Any] = []

    def target() -> None:
        try:
            outcome.append(run_ranks(n, lambda rank, comm: body(comm)))
        except BaseException as error:
            outcome.append(error)

    thread = threading.Thread(target=target, daemon=True)
    thread.start()
    thread.join(10)
    assert outcome, "the ranks hang"
    if isinstance(outcome[0], BaseException):
        raise outcome[0]
    result: RankRun = outcome[0]
    return result


def values(rank: int, numel: int) -> Tensor:
    return torch.arange(numel, dtype=torch.float32) + 10 * rank


@pytest.mark.parametrize("n", SIZES)
def test_all_reduce(n: int) -> None:
    done = run(n, lambda comm: comm.all_reduce(values(comm.rank, 6)))
    expected = sum(values(rank, 6) for rank in range(n))
    assert all(torch.equal(result, expected) for result in done.results)
    assert done.bytes_sent == pytest.approx(2 * 24 * (n - 1) / n)


@pytest.mark.parametrize("n", SIZES)
def test_reduce_scatter(n: int) -> None:
    done = run(n, lambda comm: comm.reduce_scatter(values(comm.rank, 12)))
    expected = sum(values(rank, 12) for rank in range(n))
    assert torch.equal(torch.cat(done.results), expected)
    assert {result.numel() for result in done.results} == {12 // n}
    assert done.bytes_sent == pytest.approx(48 * (n - 1) / n)


@pytest.mark.parametrize("n", SIZES)
def test_all_gather(n: int) -> None:
    done = run(n, lambda comm: comm.all_gather(values(comm.rank, 5)))
    expected = torch.cat([values(rank, 5) for rank in range(n)])
    assert all(torch.equal(result, expected) for result in done.results)
    assert done.bytes_sent == pytest.approx(20 * n * (n - 1) / n)  # P is the full tensor


@pytest.mark.parametrize("n", SIZES)
def test_broadcast_and_barrier(n: int) -> None:
    def body(comm: Any) -> Tensor:
        comm.barrier()
        return comm.broadcast(values(comm.rank, 4), n - 1)

    done = run(n, body)
    assert all(torch.equal(result, values(n - 1, 4)) for result in done.results)
    assert done.bytes_sent == pytest.approx(16 * (n - 1) / n)
    assert [collective.op for collective in done.traffic] == ["barrier", "broadcast"]


@pytest.mark.parametrize(("dtype", "size"), [(torch.float64, 8), (torch.bfloat16, 2), (torch.int64, 8)])
def test_bytes_follow_the_dtype(dtype: torch.dtype, size: int) -> None:
    done = run(2, lambda comm: comm.all_reduce(torch.ones(6, dtype=dtype)))
    (collective,) = done.traffic
    assert (collective.op, collective.dtype, collective.numel) == ("all_reduce", dtype, 6)
    assert collective.bytes_sent == 6 * size
    assert done.results[0].dtype == dtype


def test_all_reduce_is_reduce_scatter_and_all_gather() -> None:
    once = run(4, lambda comm: comm.all_reduce(values(comm.rank, 8)))
    twice = run(4, lambda comm: comm.all_gather(comm.reduce_scatter(values(comm.rank, 8))))
    assert torch.equal(once.results[0], twice.results[0])
    assert once.bytes_sent == twice.bytes_sent


def test_many_rounds_keep_their_order() -> None:
    def body(comm: Any) -> list[float]:
        return [comm.all_reduce(torch.full((1,), float(step * (comm.rank + 1)))).item() for step in range(50)]

    done = run(3, body)
    assert done.results == [[6.0 * step for step in range(50)]] * 3


def test_results_are_nobody_else_s() -> None:
    done = run(3, lambda comm: comm.all_reduce(torch.ones(2)).add_(comm.rank))
    assert [result.tolist() for result in done.results] == [[3.0, 3.0], [4.0, 4.0], [5.0, 5.0]]


def _mismatch(comm: Any) -> Any:
    return comm.all_reduce(torch.ones(2)) if comm.rank else comm.all_gather(torch.ones(2))


def _sizes(comm: Any) -> Any:
    return comm.all_reduce(torch.ones(2 + comm.rank))


def _dtypes(comm: Any) -> Any:
    return comm.all_reduce(torch.ones(2, dtype=torch.float64 if comm.rank else torch.float32))


def _sources(comm: Any) -> Any:
    return comm.broadcast(torch.ones(2), comm.rank)


def _early_return(comm: Any) -> Any:
    return None if comm.rank else comm.all_reduce(torch.ones(2))


def _one_more(comm: Any) -> Any:
    comm.barrier()
    return None if comm.rank else comm.barrier()


def _matrix(comm: Any) -> Any:
    return comm.all_reduce(torch.ones(2, 2))


def _scalar(comm: Any) -> Any:
    return comm.all_gather(torch.tensor(1.0))


def _no_tensor(comm: Any) -> Any:
    return comm.all_reduce([1.0])


def _remainder(comm: Any) -> Any:
    return comm.reduce_scatter(torch.ones(7))


def _source(comm: Any) -> Any:
    return comm.broadcast(torch.ones(2), 5)


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (_mismatch, "different collectives at the same point: all_gather, all_reduce"),
        (_sizes, "different sizes"),
        (_dtypes, "dtypes"),
        (_sources, "sources"),
        (
            _early_return,
            "returned while another waits in all_reduce|all_reduce after another rank has returned",
        ),
        (_one_more, "returned while another waits in barrier|barrier after another rank has returned"),
        (_matrix, "1-D tensor; flatten it first"),
        (_scalar, "1-D tensor"),
        (_no_tensor, "1-D tensor"),
        (_remainder, "7 elements on 2 ranks; pad"),
        (_source, "src as the number of a rank, and the ranks are 0 to 1"),
    ],
)
def test_ranks_that_do_not_agree(body: Callable[[Any], Any], problem: str) -> None:
    for _ in range(5):  # whichever rank comes first
        with pytest.raises(CollectiveError, match=problem):
            run(2, body)


TENSOR_OPS = ["all_reduce", "reduce_scatter", "all_gather", "broadcast"]
NO_VECTORS = [None, True, 2**80, "0", [1.0], (torch.ones(2),), Tensor, torch.tensor(1.0), torch.ones(1, 2)]
NO_RANKS = [None, True, False, 0.0, "0", -1, 2, 2**80, 10**5000, [0], {}, torch.tensor(0), torch.ones(2)]


def told(calls: list[Callable[[Any], Any]], problem: str) -> None:
    """Rank r makes call r, catches every error and goes on; each is told the problem, then, and at the end."""
    met: dict[int, list[Exception]] = {}

    def body(comm: Any) -> None:
        met[comm.rank] = []
        for call in (calls[comm.rank], lambda comm: comm.barrier(), calls[0]):
            try:
                call(comm)
            except Exception as error:
                met[comm.rank].append(error)

    with pytest.raises(CollectiveError, match=problem):
        run(len(calls), body)
    for errors in met.values():
        assert [type(error) for error in errors] == [CollectiveError] * 3
        assert re.search(problem, str(errors[0]))


def send(op: str, /, *args: Any, **kwargs: Any) -> Callable[[Any], Any]:
    return lambda comm: getattr(comm, op)(*args, **kwargs)


def in_every_place(wrong: Callable[[Any], Any], right: Callable[[Any], Any], problem: str) -> None:
    """All ranks are wrong, or one of them is, whichever comes first."""
    for calls in ([wrong] * 3, [wrong, right, right], [right, right, wrong]):
        told(calls, problem)


@pytest.mark.parametrize("op", TENSOR_OPS)
@pytest.mark.parametrize("value", NO_VECTORS, ids=lambda value: repr(value)[:20])
def test_what_is_no_vector(op: str, value: Any) -> None:
    in_every_place(send(op, value), send(op, torch.ones(3)), f"{op} takes a 1-D tensor; flatten it first")


@pytest.mark.parametrize("src", NO_RANKS, ids=lambda src: f"{type(src).__name__}")
def test_what_is_no_rank(src: Any) -> None:
    """Huge numbers, too, which Python refuses to print."""
    wrong = send("broadcast", torch.ones(2), src)
    for other in (wrong, send("broadcast", torch.ones(2))):
        told([wrong, other], "broadcast takes src as the number of a rank, and the ranks are 0 to 1")
        told([other, wrong], "broadcast takes src as the number of a rank, and the ranks are 0 to 1")


@pytest.mark.parametrize("op", ["all_reduce", "reduce_scatter"])
@pytest.mark.parametrize("dtype", [torch.float8_e4m3fn, torch.float8_e5m2, torch.uint16, torch.uint64])
def test_numbers_that_torch_can_t_add(op: str, dtype: torch.dtype) -> None:
    told([send(op, torch.ones(2).to(dtype))] * 2, f"{op} can't add {dtype}; convert the tensor first")
    for moved in ("all_gather", "broadcast"):  # without a sum
        assert run(2, send(moved, torch.ones(2).to(dtype))).results[0].dtype == dtype


@pytest.mark.parametrize(
    ("op", "args", "named", "problem"),
    [
        ("all_reduce", (torch.ones(2),), {"op": "sum"}, "all_reduce: .* 'op'"),
        ("all_reduce", (), {}, "all_reduce: .* 'tensor'"),
        ("reduce_scatter", (torch.ones(2), torch.ones(2)), {}, "reduce_scatter: too many"),
        ("all_gather", ([torch.ones(2)], torch.ones(2)), {}, "all_gather: too many"),
        ("broadcast", (torch.ones(2), 0, True), {}, "broadcast: too many"),
        ("barrier", (torch.ones(2),), {}, "barrier: too many"),
    ],
)
def test_arguments_that_a_collective_does_not_take(
    op: str, args: tuple[Any, ...], named: dict[str, Any], problem: str
) -> None:
    """Those of torch.distributed, say."""
    right = send(op) if op == "barrier" else send(op, torch.ones(3))
    in_every_place(send(op, *args, **named), right, problem)


@pytest.mark.parametrize("n", [2, 3, MAX_RANKS])
def test_nothing_at_all_to_add(n: int) -> None:
    for op in TENSOR_OPS:
        assert [part.numel() for part in run(n, send(op, torch.empty(0))).results] == [0] * n


@pytest.mark.parametrize(
    ("calls", "problem"),
    [
        ([send("barrier"), send("all_reduce", torch.ones(2))], "different .*: all_reduce, barrier"),
        ([send("broadcast", torch.ones(2), 0), send("broadcast", torch.ones(2), 1)], "sources"),
        ([send("all_gather", torch.ones(2)), send("all_gather", torch.ones(3))], "different sizes"),
        ([send("reduce_scatter", torch.ones(3))] * 2, "3 elements on 2 ranks"),
    ],
)
def test_ranks_that_go_on_after_they_disagreed(calls: list[Callable[[Any], Any]], problem: str) -> None:
    told(calls, problem)


def test_the_last_to_leave_finds_all_who_wait() -> None:

    def body(comm: Any) -> None:
        if comm.rank == 1:
            while len(comm._net._offers) < 2:
                time.sleep(0.001)
            return
        with pytest.raises(CollectiveError, match="a rank returned while another waits in all_gather"):
            comm.all_gather(torch.ones(2))

    with pytest.raises(CollectiveError, match="a rank returned while another waits in all_gather"):
        run(3, body)


def test_a_rank_that_waits_in_two_threads() -> None:
    done = threading.Event()

    def body(comm: Any) -> None:
        def reduce() -> None:
            with contextlib.suppress(CollectiveError):
                comm.all_reduce(torch.ones(2))

        if comm.rank == 0:
            threads = [threading.Thread(target=reduce, daemon=True) for _ in range(2)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            done.set()
        else:
            done.wait()

    with pytest.raises(CollectiveError, match="all_reduce in one thread while it waits in another"):
        run(2, body)


def _breaks(op: str, tensors: list[Tensor], src: int) -> Any:
    raise ZeroDivisionError("ours")


def _forgets_one(op: str, tensors: list[Tensor], src: int) -> Any:
    return tensors[:-1], 2


@pytest.mark.parametrize(("collect", "fault"), [(_breaks, ZeroDivisionError), (_forgets_one, ValueError)])
def test_a_fault_of_ours_wakes_all(
    collect: Callable[..., Any], fault: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    """And it is seen, though each rank catches what it meets. It is no CollectiveError: the student did no wrong."""
    monkeypatch.setattr(ranks, "_collect", collect)
    woken = []

    def body(comm: Any) -> None:
        try:
            comm.all_reduce(torch.ones(2))
        except Aborted as error:
            woken.append(error.__cause__)

    with pytest.raises(fault) as caught:
        run(3, body)
    assert woken == [caught.value] * 3


@pytest.mark.parametrize("failing", [0, 1, 2])
def test_an_error_in_one_rank_ends_the_others(failing: int) -> None:
    def body(comm: Any) -> Any:
        if comm.rank == failing:
            raise ZeroDivisionError(f"in rank {failing}")
        return comm.all_reduce(torch.ones(2))

    with pytest.raises(ZeroDivisionError, match=f"in rank {failing}"):
        run(3, body)


def test_an_error_takes_no_answer_from_a_slower_rank() -> None:
    """A collective that all ranks have called is over, however late one of them wakes up."""
    switch = sys.getswitchinterval()
    sys.setswitchinterval(
        5
    )  # the rank that completes the collective also fails before another thread may run
    got: list[float] = []
    waits = threading.Event()

    def body(comm: Any) -> None:
        if comm.rank == 0:
            waits.wait(10)
            time.sleep(0.05)
            comm.all_reduce(torch.ones(1))
            raise ZeroDivisionError
        waits.set()
        got.append(float(comm.all_reduce(torch.ones(1))))

    try:
        with pytest.raises(ZeroDivisionError):
            run(2, body)
    finally:
        sys.setswitchinterval(switch)
    assert got == [2.0]


@pytest.mark.parametrize("first", [0, 1, 2])
def test_whose_error_is_told_does_not_depend_on_who_is_first(first: int) -> None:
    """Ranks 1 and 2 fail by themselves, and rank 0 by waiting for a rank that never comes."""
    failed = threading.Event()

    def body(comm: Any) -> None:
        if comm.rank != first:
            failed.wait(0.2 if first == 0 else 10)
        if comm.rank == 0:
            comm.barrier()
        if comm.rank == first:
            threading.Timer(0.05, failed.set).start()
        raise ZeroDivisionError(f"in rank {comm.rank}")

    with pytest.raises(ZeroDivisionError, match="in rank 1"):
        run(3, body)


def test_arguments_by_rank() -> None:
    assert arguments_of(1, 3, [per_rank(["a", "b", "c"]), 5]) == ["b", 5]
    assert arguments_of(1, 3, [["a", "b", "c"]]) == [["a", "b", "c"]]
    with pytest.raises(ValueError, match="holds 2 arguments for 3 ranks"):
        arguments_of(0, 3, [per_rank([1, 2])])


@pytest.mark.parametrize("n", [0, -1, MAX_RANKS + 1])
def test_number_of_ranks(n: int) -> None:
    with pytest.raises(ValueError, match=f"1 to {MAX_RANKS} ranks"):
        run_ranks(n, lambda rank, comm: None)


def test_what_a_confined_rank_may_call() -> None:
    """Only these names cross into a student's process."""
    assert set(Comm.__remote__) == {"all_reduce", "reduce_scatter", "all_gather", "broadcast", "barrier"}
    assert Comm.__shared__ == ("rank", "world_size")


def test_through_the_fixture() -> None:
    source = (
        "class Trainer:\n"
        "    @staticmethod\n"
        "    def step(comm, mine, shared):\n"
        "        return comm.all_reduce(mine * shared)\n"
    )
    module = load_module({"a.py": source.encode()}, "a.py")
    backend = InProcessBackend(lambda skipped: module, (), lambda name: False)
    with backend.begin(0, Limits()):
        tensors = per_rank([torch.ones(2), torch.full((2,), 2.0)])
        named = backend.ranks(2, "Trainer.step", tensors, 10)
        called = backend.ranks(2, backend.student.Trainer.step, tensors, 10)
    for done in (named, called):
        assert [result.tolist() for result in done.results] == [[30.0, 30.0]] * 2
        assert done.bytes_sent == 8


def test_a_misuse_is_told_in_both_languages() -> None:
    with pytest.raises(CollectiveError) as caught:
        run_ranks(2, lambda rank, comm: comm.reduce_scatter(torch.ones(3)))
    assert (
        caught.value.text.en
        == str(caught.value)
        == ("reduce_scatter of 3 elements on 2 ranks; pad to a multiple of 2 first")
    )
    assert caught.value.text.zh == "reduce_scatter 要把 3 个元素分给 2 个 rank；请先填充到 2 的倍数"
