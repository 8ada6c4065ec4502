"""The interconnect between ranks, as a distributed exercise receives it."""

from typing import Protocol

from torch import Tensor


class Comm(Protocol):
    """One rank's connection to the others. For a full tensor of P bytes a rank sends (N-1)/N times:"""

    rank: int
    world_size: int

    def all_reduce(self, tensor: Tensor) -> Tensor:
        """[n] -> [n]: the sum over ranks, on every rank. 2P."""

    def reduce_scatter(self, tensor: Tensor) -> Tensor:
        """[n] -> [n / N]: the sum over ranks, cut into N equal parts; rank r gets part r. 1P."""

    def all_gather(self, tensor: Tensor) -> Tensor:
        """[n] -> [n * N]: all ranks' tensors, joined in rank order, on every rank. 1P of the result."""

    def broadcast(self, tensor: Tensor, src: int) -> Tensor:
        """[n] -> [n]: the tensor of rank `src`, on every rank. 1P."""
