"""Attention over a contiguous cache, in plain loops: what every other way to keep keys and values must agree with."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def kv_oracle(q: Tensor, keys: Tensor, values: Tensor, *, causal: bool = False) -> Tensor:
    """What one sequence's queries read from its cache, one head and one query at a time, in float64.

    Args:
        q: [H, T, D], the last T positions of the sequence.
        keys, values: [Hkv, S, D], all S >= T positions; Hkv divides H, and KV head j serves the query heads
            j * H / Hkv to (j + 1) * H / Hkv - 1.
        causal: whether a query sees positions up to its own alone.

    Returns:
        [H, T, D] in the dtype of `q`; zeros where there is nothing to see.
    """
    heads, steps, width = q.shape
    group, length = heads // keys.shape[0], keys.shape[1]
    out = torch.zeros(heads, steps, values.shape[-1], dtype=torch.float64)
    for head in range(heads):
        for step in range(steps):
            seen = length - steps + step + 1 if causal else length
            k, v = (cache[head // group, :seen].double() for cache in (keys, values))
            scores = k @ q[head, step].double() / math.sqrt(width)
            out[head, step] = scores.softmax(0) @ v
    return out.to(q.dtype)
