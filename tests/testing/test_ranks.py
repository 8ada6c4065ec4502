"""The interconnect: values and bytes of every collective, and ranks that do not agree."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from autograder.results import Limits
from autograder.student.loading import load_module
from autograder.testing import per_rank
from autograder.testing.ranks import MAX_RANKS, CollectiveError, Comm, RankRun, arguments_of, run_ranks
from autograder.testing.sides import LocalSide

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
        (_source, "rank 5, but the ranks are 0 to 1"),
    ],
)
def test_ranks_that_do_not_agree(body: Callable[[Any], Any], problem: str) -> None:
    for _ in range(5):  # whichever rank comes first
        with pytest.raises(CollectiveError, match=problem):
            run(2, body)


@pytest.mark.parametrize("failing", [0, 1, 2])
def test_an_error_in_one_rank_ends_the_others(failing: int) -> None:
    def body(comm: Any) -> Any:
        if comm.rank == failing:
            raise ZeroDivisionError(f"in rank {failing}")
        return comm.all_reduce(torch.ones(2))

    with pytest.raises(ZeroDivisionError, match=f"in rank {failing}"):
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
    side = LocalSide(load_module({"a.py": source.encode()}, "a.py"), (), lambda name: False)
    with side.begin(0, Limits()):
        tensors = per_rank([torch.ones(2), torch.full((2,), 2.0)])
        named = side.ranks(2, "Trainer.step", tensors, 10)
        called = side.ranks(2, side.student.Trainer.step, tensors, 10)
    for done in (named, called):
        assert [result.tolist() for result in done.results] == [[30.0, 30.0]] * 2
        assert done.bytes_sent == 8
