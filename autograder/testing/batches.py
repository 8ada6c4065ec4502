"""`ragged_batch`: sequences of different lengths, padded to one width."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import torch
from torch import Tensor


class RaggedBatch(NamedTuple):
    """Padded sequences; every tensor is int64 [B, T].

    ids: token ids; the padding has `pad_id`, and so may real tokens.
    mask: 1 = real token, 0 = padding.
    positions: 0, 1, ... along the real tokens of each row; 0 under padding.
    """

    ids: Tensor
    mask: Tensor
    positions: Tensor


def ragged_batch(
    lengths: Sequence[int],
    side: Literal["left", "right"] = "right",
    *,
    vocab_size: int = 11,
    pad_id: int = 0,
    seed: int = 0,
) -> RaggedBatch:
    """One row of random ids for each length, padded on the given side to the longest.

    Raises ValueError for a side that is neither left nor right.
    """
    if side not in ("left", "right"):
        raise ValueError(f"side is 'left' or 'right', not {side!r}")
    width = max(lengths, default=0)
    generator = torch.Generator().manual_seed(seed)
    ids = torch.full((len(lengths), width), pad_id)
    mask, positions = torch.zeros_like(ids), torch.zeros_like(ids)
    for row, length in enumerate(lengths):
        place = slice(width - length, width) if side == "left" else slice(0, length)
        ids[row, place] = torch.randint(vocab_size, (length,), generator=generator)
        mask[row, place].fill_(1)
        positions[row, place] = torch.arange(length)
    return RaggedBatch(ids, mask, positions)
