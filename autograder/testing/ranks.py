"""The interconnect between ranks: collectives, performed and counted outside the student's code.

In process the ranks are threads; under the autograder each is a confined process whose `comm` calls back into this one.
Either way every collective meets here, so every byte is counted by the same code.

Bytes follow the ring algorithms (Rajbhandari et al. 2020, arXiv 1910.02054, section 7): for a full tensor of P bytes on N
ranks, reduce-scatter and all-gather send P (N-1)/N from each rank, all-reduce twice that, broadcast P (N-1)/N.
"""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import wraps
from typing import Any, NoReturn

import torch
from torch import Tensor

from autograder.errors import Worded
from autograder.text import Text

MAX_RANKS = 16
MAX_MADE = 256 << 20  # bytes of tensors that one collective makes for all its ranks

RETURNED = Text(
    "a rank calls {op} after another rank has returned", "一个 rank 调用 {op} 时，另一个 rank 已经返回"
)
TWO_THREADS = Text(
    "a rank calls {op} in one thread while it waits in another",
    "一个 rank 的一个线程还在等待，另一个线程又调用了 {op}",
)
WAITING = Text("a rank returned while another waits in {op}", "一个 rank 已经返回，另一个却还在 {op} 里等待")
DIFFERENT_OPS = Text(
    "the ranks call different collectives at the same point: {ops}",
    "各个 rank 在同一处调用了不同的集合通信：{ops}",
)
DIFFERENT_TENSORS = Text(
    "the ranks call {op} with different sizes, dtypes or sources",
    "各个 rank 调用 {op} 时，大小、dtype 或来源不一致",
)
NOT_ADDED = Text("{op} can't add {dtype}; convert the tensor first", "{op} 不能对 {dtype} 求和；请先转换张量")
UNEVEN = Text(
    "reduce_scatter of {numel} elements on {n} ranks; pad to a multiple of {n} first",
    "reduce_scatter 要把 {numel} 个元素分给 {n} 个 rank；请先填充到 {n} 的倍数",
)
TOO_LARGE = Text(
    "{op} of {numel} elements on {n} ranks makes tensors of {made} MiB; at most {most} MiB are allowed",
    "在 {n} 个 rank 上对 {numel} 个元素做 {op} 会产生 {made} MiB 的张量；最多允许 {most} MiB",
)
MISUSED = Text("{method}: {error}", "{method}：{error}")
NOT_FLAT = Text("{op} takes a 1-D tensor; flatten it first", "{op} 只接受一维张量；请先展平")
NO_SUCH_RANK = Text(
    "broadcast takes src as the number of a rank, and the ranks are 0 to {last}",
    "broadcast 的 src 是 rank 的编号，只能是 0 到 {last}",
)


class CollectiveError(Worded, AssertionError):
    """The ranks did not agree on a collective, or gave it something it can't send."""


class Aborted(Exception):
    """Another rank failed, so this one stops waiting for it."""


class per_rank(list[Any]):
    """A list with one argument for each rank: `ranks(2, "train", per_rank([a, b]), shared)`."""


@dataclass(frozen=True)
class Collective:
    """One collective as it happened: the size of the full tensor, and the bytes each rank sent for it."""

    op: str
    dtype: torch.dtype | None
    numel: int
    bytes_sent: float


@dataclass
class RankRun:
    """What `ranks(...)` gives a test. results[r] is what rank r returned."""

    results: list[Any]
    traffic: list[Collective] = field(default_factory=list)

    @property
    def bytes_sent(self) -> float:
        """Bytes each rank sent in all (the ring is symmetric)."""
        return sum(collective.bytes_sent for collective in self.traffic)


class Interconnect:
    """Where the ranks meet. Every collective waits until each rank has called it.

    No wait needs a deadline: it ends with an answer or with the first error, and to leave while another rank waits is an
    error. A rank that neither calls nor leaves is busy; a confined one is then ended by its own budget.

    What each rank meets does not depend on which of them is faster: a collective that all have called answers all of
    them, also when one of them has failed since.
    """

    def __init__(self, world_size: int) -> None:
        self.world_size = world_size
        self.traffic: list[Collective] = []
        self.error: BaseException | None = None
        self._lock = threading.Condition()
        self._offers: dict[int, tuple[str, Tensor | None, int]] = {}
        self._answers: dict[int, Tensor | None] = {}
        self._left: set[int] = set()
        self._own_errors: dict[
            int, BaseException
        ] = {}  # of the ranks that failed before they heard of any failure
        self._told: set[int] = set()  # the ranks that have heard of one

    @property
    def cause(self) -> BaseException | None:
        """Why the run failed: the error of the lowest rank that failed by itself, else what the ranks disagreed on."""
        return self._own_errors[min(self._own_errors)] if self._own_errors else self.error

    def meet(self, rank: int, op: str, tensor: Tensor | None, src: int = 0) -> Tensor | None:
        """Offer this rank's part of a collective; returns this rank's result once all ranks have offered theirs."""
        with self._lock:
            if self._left:
                self.fail(CollectiveError.of(RETURNED, op=op))
            elif rank in self._offers or rank in self._answers:
                self.fail(CollectiveError.of(TWO_THREADS, op=op))
            self._offers[rank] = (op, tensor, src)
            if len(self._offers) == self.world_size and self.error is None:
                try:
                    self._perform()
                    self._offers.clear()  # now that all are answered: `leave` sees here who still waits
                except BaseException as error:  # a fault of ours, too, must wake the others
                    self.fail(error)
                self._lock.notify_all()
            while rank not in self._answers and self.error is None:
                self._lock.wait()
            if rank in self._answers:
                return self._answers.pop(rank)
            self._told.add(rank)
            if isinstance(self.error, CollectiveError):
                # Each rank raises its own: an exception's traceback belongs to one thread.
                raise CollectiveError(*self.error.args)
            raise Aborted from self.error

    def fail(self, error: BaseException, rank: int | None = None) -> None:
        """End the run because of `error`, unless it has ended already: no rank waits, now or later.

        rank: the one whose error it is; None where it takes several to make it.
        """
        with self._lock:
            if rank is not None and rank not in self._told:
                self._own_errors.setdefault(rank, error)
            if self.error is None:
                self.error = error
            self._lock.notify_all()

    def leave(self, rank: int, error: BaseException | None = None) -> None:
        """This rank has returned, or failed with `error`."""
        with self._lock:
            self._left.add(rank)
            if error is not None:
                self.fail(error, rank)
            elif self._offers:
                waiting = next(iter(self._offers.values()))[0]
                self.fail(CollectiveError.of(WAITING, op=waiting))

    def _perform(self) -> None:
        """Give every rank its answer, or raise."""
        offers = [self._offers[rank] for rank in range(self.world_size)]
        ops = {op for op, _, _ in offers}
        if len(ops) > 1:
            raise CollectiveError.of(DIFFERENT_OPS, ops=", ".join(sorted(ops)))
        op, first, src = offers[0]
        if op == "barrier":
            self._answers = dict.fromkeys(range(self.world_size))
            self.traffic.append(Collective(op, None, 0, 0.0))
            return
        tensors = [tensor for _, tensor, _ in offers if tensor is not None]
        assert first is not None
        if len({(t.dtype, t.numel()) for t in tensors}) > 1 or len({s for _, _, s in offers}) > 1:
            raise CollectiveError.of(DIFFERENT_TENSORS, op=op)
        answers, full = _collect(op, tensors, src)
        self._answers = dict(zip(range(self.world_size), answers, strict=True))
        share = (self.world_size - 1) / self.world_size
        factor = 2 * share if op == "all_reduce" else share
        self.traffic.append(Collective(op, first.dtype, full, full * first.element_size() * factor))


def _collect(op: str, tensors: list[Tensor], src: int) -> tuple[list[Tensor], int]:
    """The answer of every rank, and how many elements the full tensor has."""
    n, numel = len(tensors), tensors[0].numel()
    copies = {"all_gather": n * (n + 1), "broadcast": n, "all_reduce": 2 * n + 1, "reduce_scatter": n + 2}[op]
    made = copies * numel * tensors[0].element_size()
    if made > MAX_MADE:
        raise CollectiveError.of(TOO_LARGE, op=op, numel=numel, n=n, made=made >> 20, most=MAX_MADE >> 20)
    if op == "all_gather":
        joined = torch.cat(tensors)
        return [joined.clone() for _ in range(n)], joined.numel()
    if op == "broadcast":
        return [tensors[src].clone() for _ in range(n)], numel
    try:
        total = torch.stack(tensors).sum(0, dtype=tensors[0].dtype)
    except NotImplementedError:
        raise CollectiveError.of(NOT_ADDED, op=op, dtype=tensors[0].dtype) from None
    if op == "all_reduce":
        return [total.clone() for _ in range(n)], numel
    if numel % n:
        raise CollectiveError.of(UNEVEN, numel=numel, n=n)
    return [part.clone() for part in total.chunk(n)], numel


def _collective(method: Callable[..., Any]) -> Callable[..., Any]:
    """Arguments that the method doesn't take are told like any misuse: of a TypeError no confined rank hears."""
    signature = inspect.signature(method)

    @wraps(method)
    def checked(self: Comm, *args: Any, **kwargs: Any) -> Any:
        try:
            signature.bind(self, *args, **kwargs)
        except TypeError as error:
            self._refuse(MISUSED, method=method.__name__, error=error)
        return method(self, *args, **kwargs)

    return checked


class Comm:
    """One rank's end of the interconnect. Tensors are 1-D; every rank calls the same collectives in the same order."""

    __remote__ = ("all_reduce", "reduce_scatter", "all_gather", "broadcast", "barrier")
    __shared__ = ("rank", "world_size")

    def __init__(self, net: Interconnect, rank: int) -> None:
        self._net = net
        self.rank = rank
        self.world_size = net.world_size

    def _send(self, op: str, tensor: Any, src: int = 0) -> Any:
        if not isinstance(tensor, Tensor) or tensor.dim() != 1:
            self._refuse(NOT_FLAT, op=op)
        return self._net.meet(self.rank, op, tensor.detach(), src)

    def _refuse(self, why: Text, **values: Any) -> NoReturn:
        error = CollectiveError.of(why, **values)
        self._net.fail(error, self.rank)
        raise error

    @_collective
    def all_reduce(self, tensor: Tensor) -> Tensor:
        """[n] -> [n]: the sum over ranks, on every rank."""
        return self._send("all_reduce", tensor)

    @_collective
    def reduce_scatter(self, tensor: Tensor) -> Tensor:
        """[n] -> [n / world_size]: rank r gets part r of the sum over ranks."""
        return self._send("reduce_scatter", tensor)

    @_collective
    def all_gather(self, tensor: Tensor) -> Tensor:
        """[n] -> [n * world_size]: all ranks' tensors in rank order, on every rank."""
        return self._send("all_gather", tensor)

    @_collective
    def broadcast(self, tensor: Tensor, src: int = 0) -> Tensor:
        """[n] -> [n]: rank `src`'s tensor, on every rank."""
        last = self._net.world_size - 1
        if type(src) is not int or not 0 <= src <= last:
            self._refuse(NO_SUCH_RANK, last=last)
        return self._send("broadcast", tensor, src)

    @_collective
    def barrier(self) -> None:
        """Wait for every rank."""
        self._net.meet(self.rank, "barrier", None)


def arguments_of(rank: int, world_size: int, args: Sequence[Any]) -> list[Any]:
    """The positional arguments of one rank: `per_rank` lists are split, everything else is shared."""
    for arg in args:
        if isinstance(arg, per_rank) and len(arg) != world_size:
            raise ValueError(
                f"per_rank() holds {len(arg)} arguments for {world_size} ranks; give one for each rank"
            )
    return [arg[rank] if isinstance(arg, per_rank) else arg for arg in args]


def run_ranks(world_size: int, call: Callable[[int, Comm], Any]) -> RankRun:
    """Call `call(rank, comm)` for every rank at once and wait for all. Raises the lowest rank's own error, if any."""
    if not 1 <= world_size <= MAX_RANKS:
        raise ValueError(f"ranks() runs 1 to {MAX_RANKS} ranks, not {world_size}")
    net = Interconnect(world_size)
    results: list[Any] = [None] * world_size

    def body(rank: int) -> None:
        try:
            results[rank] = call(rank, Comm(net, rank))
        except BaseException as error:
            net.leave(rank, error)
        else:
            net.leave(rank)

    threads = [threading.Thread(target=body, args=(rank,), daemon=True) for rank in range(world_size)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if net.cause is not None:
        raise net.cause
    return RankRun(results, net.traffic)
