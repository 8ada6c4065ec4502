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
    return x.repeat_interleave(group_size, dim=1)


class GroupedQueryAttention(nn.Module):
    def __init__(self, d_model: int, num_heads: int, num_kv_heads: int, bias: bool = False) -> None:
        super().__init__()
        if d_model % num_heads:
            raise ValueError(f"d_model {d_model} is not a multiple of num_heads {num_heads}")
        if num_kv_heads < 1 or num_heads % num_kv_heads:
            raise ValueError(f"num_heads {num_heads} is not a multiple of num_kv_heads {num_kv_heads}")
        self.num_heads = num_heads
        self.num_kv_heads = num_kv_heads
        self.head_dim = d_model // num_heads
        kv_width = num_kv_heads * self.head_dim
        self.q_proj = nn.Linear(d_model, d_model, bias=bias)
        self.k_proj = nn.Linear(d_model, kv_width, bias=bias)
        self.v_proj = nn.Linear(d_model, kv_width, bias=bias)
        self.out_proj = nn.Linear(d_model, d_model, bias=bias)

    def forward(self, x: Tensor, mask: Tensor | None = None, cache: GrowingCache | None = None) -> Tensor:
        batch, new, width = x.shape
        q = self.q_proj(x).view(batch, new, self.num_heads, self.head_dim).transpose(1, 2)
        k = self.k_proj(x).view(batch, new, self.num_kv_heads, self.head_dim).transpose(1, 2)
        v = self.v_proj(x).view(batch, new, self.num_kv_heads, self.head_dim).transpose(1, 2)
        if cache is not None:
            k, v = cache.append(k, v)
        group = self.num_heads // self.num_kv_heads
        k, v = repeat_kv(k, group), repeat_kv(v, group)
        if mask is not None:
            mask = mask.expand(batch, self.num_heads, new, k.shape[2])
        out = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        return self.out_proj(out.transpose(1, 2).reshape(batch, new, width))


def mha_to_gqa(
    weights: dict[str, Tensor], num_heads: int, num_kv_heads: int
) -> tuple[dict[str, Tensor], float]:
    def pool(rows: Tensor) -> Tensor:
        rest = rows.shape[1:]
        group, head_dim = num_heads // num_kv_heads, rows.shape[0] // num_heads
        return rows.reshape(num_kv_heads, group, head_dim, *rest).mean(dim=1).reshape(-1, *rest)

    pooled = ("k_proj.", "v_proj.")
    converted = {
        name: pool(value) if name.startswith(pooled) else value.clone() for name, value in weights.items()
    }
    return converted, num_kv_heads / num_heads
