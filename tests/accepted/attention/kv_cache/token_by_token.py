"""Slots by index, one query at a time, no mask anywhere: each query is handed the keys that it may see."""

import torch
from torch import Tensor


class KVCache:
    def __init__(
        self,
        batch_size: int,
        num_kv_heads: int,
        capacity: int,
        head_dim: int,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        shape = (batch_size, num_kv_heads, capacity, head_dim)
        self.keys, self.values = torch.full(shape, 0.0, dtype=dtype), torch.full(shape, 0.0, dtype=dtype)
        self.length, self.capacity = 0, capacity

    def append(self, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        slots = torch.arange(self.length, self.length + k.shape[-2])
        if slots[-1] >= self.capacity:
            raise ValueError(f"no room for {len(slots)} tokens more")
        self.keys.index_copy_(2, slots, k.detach())
        self.values.index_copy_(2, slots, v.detach())
        self.length += len(slots)
        return self.keys[..., : self.length, :].clone(), self.values[..., : self.length, :].clone()


def _one_query(q: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    """q [B, H, D], keys and values [B, H, S, D] -> [B, H, D]."""
    scores = torch.einsum("bhd,bhsd->bhs", q, keys) * q.shape[-1] ** -0.5
    powers = (scores - scores.amax(dim=-1, keepdim=True)).exp()
    return torch.einsum("bhs,bhsd->bhd", powers / powers.sum(dim=-1, keepdim=True), values)


def decode_step(q: Tensor, k: Tensor, v: Tensor, cache: KVCache) -> Tensor:
    batch_size, num_heads, new, head_dim = q.shape
    if new != 1:
        raise ValueError("a decode step has one query")
    return _one_query(q[:, :, 0], *cache.append(k, v)).view(batch_size, num_heads, 1, head_dim)


def prefill(q: Tensor, k: Tensor, v: Tensor, cache: KVCache, chunk_size: int) -> Tensor:
    outputs, done = [], 0
    while done < q.shape[2]:
        until = min(done + chunk_size, q.shape[2])
        keys, values = cache.append(k[:, :, done:until], v[:, :, done:until])
        for t in range(done, until):
            hidden = until - 1 - t  # tokens of this chunk behind this one
            seen = keys.shape[2] - hidden
            outputs.append(_one_query(q[:, :, t], keys[:, :, :seen], values[:, :, :seen]))
        done = until
    return torch.stack(outputs, dim=2)


def kv_cache_bytes(
    num_layers: int,
    num_kv_heads: int,
    head_dim: int,
    capacity: int,
    batch_size: int = 1,
    dtype: torch.dtype = torch.bfloat16,
) -> int:
    bits = torch.finfo(dtype).bits
    token = 2 * num_kv_heads * head_dim * bits // 8
    return token * capacity * batch_size * num_layers
