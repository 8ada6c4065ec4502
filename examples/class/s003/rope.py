import torch
from torch import Tensor


def rope_frequencies(head_dim: int, rotary_dim: int | None = None, theta: float = 10000.0) -> Tensor:
    R = head_dim if rotary_dim is None else rotary_dim
    if R % 2 or R < 2 or head_dim < R:
        raise ValueError(f"rotary_dim must be even and in 2..{head_dim}, got {R}")
    exponents = torch.arange(0, R, 2, dtype=torch.float64) / head_dim
    return (float(theta) ** -exponents).float()


def apply_rope(x: Tensor, positions: Tensor, frequencies: Tensor, layout: str) -> Tensor:
    if layout not in ("half", "interleaved"):
        raise ValueError(f"unknown layout {layout!r}")
    half = frequencies.shape[0]
    R = 2 * half
    phi = positions.float().unsqueeze(-1) * frequencies.float()  # [T, R/2] or [B, T, R/2]
    if positions.dim() == 2:
        phi = phi.unsqueeze(1)  # [B, 1, T, R/2]: the same for all heads
    cos, sin = phi.cos(), phi.sin()

    if layout == "half":
        a, b = x[..., :half], x[..., half:R]
    else:
        a, b = x[..., 0:R:2], x[..., 1:R:2]
    new_a = a * cos - b * sin  # float32 (or float64) by promotion
    new_b = a * sin + b * cos
    if layout == "half":
        turned = torch.cat([new_a, new_b], dim=-1)
    else:
        turned = torch.stack([new_a, new_b], dim=-1).flatten(-2)
    return torch.cat([turned.to(x.dtype), x[..., R:]], dim=-1)


def convert_layout(weight: Tensor, num_heads: int, rotary_dim: int, to: str) -> Tensor:
    if to not in ("half", "interleaved"):
        raise ValueError(f"unknown layout {to!r}")
    D = weight.shape[0] // num_heads
    turning = torch.arange(rotary_dim, device=weight.device)
    turning = turning.reshape(-1, 2).T.reshape(-1) if to == "half" else turning.reshape(2, -1).T.reshape(-1)
    order = torch.cat([turning, torch.arange(rotary_dim, D, device=weight.device)])
    rows = (torch.arange(num_heads, device=weight.device)[:, None] * D + order).reshape(-1)
    return weight[rows]


def relative_scores(q: Tensor, k: Tensor, distances: Tensor, frequencies: Tensor, layout: str) -> Tensor:
    N = distances.shape[0]
    wide = torch.promote_types(q.dtype, torch.float32)  # no rounding to bfloat16 between turn and sum
    turned = apply_rope(q.to(wide).unsqueeze(2).expand(-1, -1, N, -1), distances, frequencies, layout)
    return (turned * k.to(wide).unsqueeze(2)).sum(-1).to(q.dtype)
