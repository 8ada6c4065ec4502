"""Plain lists for ids, mask and positions; buckets by a heap."""

import heapq

import torch
from torch import Tensor


def pad_batch(
    sequences: list[list[int]],
    pad_id: int,
    padding_side: str = "right",
    max_length: int | None = None,
    truncation_side: str = "right",
) -> tuple[Tensor, Tensor, Tensor]:
    for side in (padding_side, truncation_side):
        if side not in ("left", "right"):
            raise ValueError(f"no such side: {side}")
    rows = []
    for sequence in sequences:
        extra = 0 if max_length is None else max(0, len(sequence) - max_length)
        rows.append(sequence[extra:] if truncation_side == "left" else sequence[: len(sequence) - extra])
    longest = len(max(rows, key=len))

    def filled(values: list[int], filler: int) -> list[int]:
        padding = [filler] * (longest - len(values))
        return padding + values if padding_side == "left" else values + padding

    ids = [filled(row, pad_id) for row in rows]
    mask = [filled([1] * len(row), 0) for row in rows]
    positions = [filled(list(range(len(row))), 0) for row in rows]
    return tuple(torch.tensor(table, dtype=torch.long) for table in (ids, mask, positions))


def length_buckets(lengths: list[int], batch_size: int) -> list[list[int]]:
    heap = [(length, index) for index, length in enumerate(lengths)]
    heapq.heapify(heap)
    batches: list[list[int]] = []
    while heap:
        _, index = heapq.heappop(heap)
        if not batches or len(batches[-1]) == batch_size:
            batches.append([])
        batches[-1].append(index)
    return batches
