"""One comparison of columns with lengths gives the mask, and the mask scatters the ids; buckets by a stable argsort."""

from itertools import chain

import torch
from torch import Tensor


def pad_batch(
    sequences: list[list[int]],
    pad_id: int,
    padding_side: str = "right",
    max_length: int | None = None,
    truncation_side: str = "right",
) -> tuple[Tensor, Tensor, Tensor]:
    sides = ("left", "right")
    if padding_side not in sides or truncation_side not in sides:
        raise ValueError("a side is left or right")
    if max_length is not None and truncation_side == "left":
        sequences = [sequence[-max_length:] for sequence in sequences]
    elif max_length is not None:
        sequences = [sequence[:max_length] for sequence in sequences]
    lengths = torch.tensor([len(sequence) for sequence in sequences])[:, None]  # [B, 1]
    columns = torch.arange(int(lengths.max()))  # [T]
    if padding_side == "left":
        columns = columns - (lengths.max() - lengths)  # [B, T], negative under padding
    columns = columns.expand(len(sequences), -1)
    real = (columns >= 0) & (columns < lengths)
    ids = torch.full(real.shape, pad_id)
    ids[real] = torch.tensor(list(chain.from_iterable(sequences)), dtype=torch.long)
    return ids, real.long(), torch.where(real, columns, 0)


def length_buckets(lengths: list[int], batch_size: int) -> list[list[int]]:
    order = torch.tensor(lengths).argsort(stable=True)
    return [batch.tolist() for batch in order.split(batch_size)]
