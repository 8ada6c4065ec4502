"""One buffer for keys and values in a module, attention written out, a triangle shifted by the past."""

import math

import torch
from torch import Tensor, nn


class KVCache(nn.Module):
    def __init__(
        self,
        batch_size: int,
        num_kv_heads: int,
        capacity: int,
        head_dim: int,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        super().__init__()
        self.register_buffer(
            "both", torch.empty(2, batch_size, num_kv_heads, capacity, head_dim, dtype=dtype)
        )
        self.length = 0

    @property
    def keys(self) -> Tensor:
        return self.both[0]

    @property
    def values(self) -> Tensor:
        return self.both[1]

    @torch.no_grad()
    def append(self, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        new = k.size(-2)
        if new > self.both.size(-2) - self.length:
            raise ValueError("the cache is full")
        free = self.both.narrow(-2, self.length, new)
        free[0].copy_(k)
        free[1].copy_(v)
        self.length += new
        keys, values = self.both.narrow(-2, 0, self.length).unbind()
        return keys, values


def _attend(q: Tensor, k: Tensor, v: Tensor, cache: KVCache) -> Tensor:
    past = cache.length
    keys, values = cache.append(k, v)
    scores = q @ keys.transpose(-1, -2) / math.sqrt(q.size(-1))
    visible = torch.ones(scores.shape[-2:], dtype=torch.bool).tril(past)
    return scores.masked_fill(~visible, -math.inf).softmax(-1) @ values


def decode_step(q: Tensor, k: Tensor, v: Tensor, cache: KVCache) -> Tensor:
    if q.size(-2) > 1:
        raise ValueError("one token at a time")
    return _attend(q, k, v, cache)


def prefill(q: Tensor, k: Tensor, v: Tensor, cache: KVCache, chunk_size: int) -> Tensor:
    chunks = zip(*(each.split(chunk_size, dim=2) for each in (q, k, v)), strict=True)
    return torch.cat([_attend(*chunk, cache) for chunk in chunks], dim=2)


def kv_cache_bytes(
    num_layers: int,
    num_kv_heads: int,
    head_dim: int,
    capacity: int,
    batch_size: int = 1,
    dtype: torch.dtype = torch.bfloat16,
) -> int:
    numbers = math.prod((2, num_layers, batch_size, num_kv_heads, capacity, head_dim))
    return numbers * torch.empty(0, dtype=dtype).element_size()
