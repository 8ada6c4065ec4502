import torch
import torch.nn.functional as F
from torch import Tensor, nn


class GrowingCache:
    def __init__(self) -> None:
        self.keys: Tensor | None = None
        self.values: Tensor | None = None

    def __len__(self) -> int:
        return 0 if self.keys is None else self.keys.shape[2]

    def append(self, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        self.keys = k if self.keys is None else torch.cat([self.keys, k], dim=2)
        self.values = v if self.values is None else torch.cat([self.values, v], dim=2)
        return self.keys, self.values


def repeat_kv(x: Tensor, group_size: int) -> Tensor:
    return x.repeat(1, group_size, 1, 1)


class GroupedQueryAttention(nn.Module):
    def __init__(self, d_model: int, num_heads: int, num_kv_heads: int, bias: bool = False) -> None:
        super().__init__()
        if d_model % num_heads != 0 or num_heads % num_kv_heads != 0:
            raise ValueError(f"width {d_model}, {num_heads} heads and {num_kv_heads} KV heads don't divide")
        self.num_heads, self.num_kv_heads = num_heads, num_kv_heads
        kv_dim = num_kv_heads * (d_model // num_heads)
        self.q_proj = nn.Linear(d_model, d_model, bias=bias)
        self.k_proj = nn.Linear(d_model, kv_dim, bias=bias)
        self.v_proj = nn.Linear(d_model, kv_dim, bias=bias)
        self.out_proj = nn.Linear(d_model, d_model, bias=bias)

    def forward(self, x: Tensor, mask: Tensor | None = None, cache: GrowingCache | None = None) -> Tensor:
        q = self.q_proj(x).unflatten(2, (self.num_heads, -1)).transpose(1, 2)
        k = self.k_proj(x).unflatten(2, (self.num_kv_heads, -1)).transpose(1, 2)
        v = self.v_proj(x).unflatten(2, (self.num_kv_heads, -1)).transpose(1, 2)
        if cache is not None:
            k, v = cache.append(k, v)
        per_kv = self.num_heads // self.num_kv_heads
        k_all, v_all = repeat_kv(k, per_kv), repeat_kv(v, per_kv)
        mixed = F.scaled_dot_product_attention(q, k_all, v_all, attn_mask=mask)
        return self.out_proj(mixed.transpose(1, 2).flatten(2))


def mha_to_gqa(
    weights: dict[str, Tensor], num_heads: int, num_kv_heads: int
) -> tuple[dict[str, Tensor], float]:
    pooled = {}
    for key, w in weights.items():
        if key.startswith(("k_proj", "v_proj")):
            per_head = w.unflatten(0, (num_kv_heads, num_heads // num_kv_heads, -1))  # [H_kv, g, D, ...]
            pooled[key] = per_head.mean(dim=1).flatten(0, 1)
        else:
            pooled[key] = w
    return pooled, num_kv_heads / num_heads
