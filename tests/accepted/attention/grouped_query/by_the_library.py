"""PyTorch shares the heads itself (enable_gqa); repetition by an index of heads; pooling as a product with a matrix."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class GrowingCache:
    keys: Tensor | None = None
    values: Tensor | None = None

    def __len__(self) -> int:
        return 0 if self.keys is None else self.keys.shape[2]

    def append(self, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        before = [] if self.keys is None else [(self.keys, self.values)]
        self.keys, self.values = (torch.cat(parts, dim=2) for parts in zip(*before, (k, v), strict=True))
        return self.keys, self.values


def repeat_kv(x: Tensor, group_size: int) -> Tensor:
    reads = torch.arange(x.shape[1] * group_size, device=x.device).div(group_size, rounding_mode="floor")
    return x.index_select(1, reads)


class GroupedQueryAttention(nn.Module):
    def __init__(self, d_model: int, num_heads: int, num_kv_heads: int, bias: bool = False) -> None:
        super().__init__()
        if d_model % num_heads:
            raise ValueError(f"d_model {d_model} isn't a multiple of num_heads {num_heads}")
        if num_heads % num_kv_heads:
            raise ValueError(f"num_heads {num_heads} isn't a multiple of num_kv_heads {num_kv_heads}")
        self.d = d_model // num_heads
        self.q_proj = nn.Linear(d_model, num_heads * self.d, bias)
        self.k_proj = nn.Linear(d_model, num_kv_heads * self.d, bias)
        self.v_proj = nn.Linear(d_model, num_kv_heads * self.d, bias)
        self.out_proj = nn.Linear(num_heads * self.d, d_model, bias)

    def cut(self, projected: Tensor) -> Tensor:
        return torch.stack(projected.split(self.d, dim=-1), dim=1)

    def forward(self, x: Tensor, mask: Tensor | None = None, cache: GrowingCache | None = None) -> Tensor:
        keys, values = self.cut(self.k_proj(x)), self.cut(self.v_proj(x))
        if isinstance(cache, GrowingCache):
            keys, values = cache.append(keys, values)
        out = F.scaled_dot_product_attention(self.cut(self.q_proj(x)), keys, values, mask, enable_gqa=True)
        return self.out_proj(torch.cat(out.unbind(1), dim=-1))


def mha_to_gqa(
    weights: dict[str, Tensor], num_heads: int, num_kv_heads: int
) -> tuple[dict[str, Tensor], float]:
    def pool(tensor: Tensor) -> Tensor:
        group, width = num_heads // num_kv_heads, tensor.shape[0] // num_heads
        mean = torch.full((1, group), 1 / group, dtype=tensor.dtype)
        one = torch.kron(mean, torch.eye(width, dtype=tensor.dtype))  # [D, g * D]
        return torch.kron(torch.eye(num_kv_heads, dtype=tensor.dtype), one) @ tensor

    pooled = {
        name: pool(tensor) if name[:6] in ("k_proj", "v_proj") else tensor for name, tensor in weights.items()
    }
    return pooled, len(pooled["k_proj.weight"]) / len(weights["k_proj.weight"])
