import torch
import torch.nn.functional as F
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
        self.capacity = capacity
        self.keys = torch.zeros(shape, dtype=dtype)
        self.values = torch.zeros(shape, dtype=dtype)
        self.length = 0

    def append(self, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        begin = self.length
        end = begin + k.shape[2]
        if end > self.capacity:
            raise ValueError(f"{k.shape[2]} new tokens, but only {self.capacity - begin} free slots")
        self.keys[:, :, begin:end] = k.detach()
        self.values[:, :, begin:end] = v.detach()
        self.length = end
        return self.keys[:, :, :end], self.values[:, :, :end]


def decode_step(q: Tensor, k: Tensor, v: Tensor, cache: KVCache) -> Tensor:
    if k.shape[2] != 1 or q.shape[2] != 1:
        raise ValueError("decode_step takes exactly one new token")
    keys, values = cache.append(k, v)
    return F.scaled_dot_product_attention(q, keys, values)


def prefill(q: Tensor, k: Tensor, v: Tensor, cache: KVCache, chunk_size: int) -> Tensor:
    outputs = []
    for q_chunk, k_chunk, v_chunk in zip(
        q.split(chunk_size, dim=2), k.split(chunk_size, dim=2), v.split(chunk_size, dim=2), strict=True
    ):
        before = cache.length
        keys, values = cache.append(k_chunk, v_chunk)
        query_positions = before + torch.arange(q_chunk.shape[2], device=q.device)
        key_positions = torch.arange(keys.shape[2], device=q.device)
        mask = key_positions[None, :] <= query_positions[:, None]
        outputs.append(F.scaled_dot_product_attention(q_chunk, keys, values, attn_mask=mask))
    return torch.cat(outputs, dim=2)


def kv_cache_bytes(
    num_layers: int,
    num_kv_heads: int,
    head_dim: int,
    capacity: int,
    batch_size: int = 1,
    dtype: torch.dtype = torch.bfloat16,
) -> int:
    return 2 * num_layers * num_kv_heads * head_dim * capacity * batch_size * dtype.itemsize
