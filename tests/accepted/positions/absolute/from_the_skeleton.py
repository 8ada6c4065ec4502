"""As solved from the skeleton alone."""

import torch
from torch import Tensor


def sinusoidal_table(num_positions: int, d_model: int) -> Tensor:
    columns = torch.arange(d_model)
    pair = torch.div(columns, 2, rounding_mode="floor").to(torch.float64)
    omega = 10000.0 ** (-2.0 * pair / d_model)
    angles = torch.arange(num_positions, dtype=torch.float64)[:, None] * omega
    even = columns % 2 == 0
    return torch.where(even, angles.sin(), angles.cos()).to(torch.float32)


def shift_matrix(offset: int, d_model: int) -> Tensor:
    if d_model % 2 != 0:
        raise ValueError(f"d_model must be even, got {d_model}")
    half = d_model // 2
    omega = 10000.0 ** (-2.0 * torch.arange(half, dtype=torch.float64) / d_model)
    s, c = (offset * omega).sin(), (offset * omega).cos()
    result = torch.zeros(d_model, d_model, dtype=torch.float64)
    i = 2 * torch.arange(half)  # the sines
    result[i, i] = c
    result[i, i + 1] = s
    result[i + 1, i] = -s
    result[i + 1, i + 1] = c
    return result.to(torch.float32)


def extend_table(table: Tensor, alpha: float = 0.4) -> Tensor:
    if alpha == 0.5:
        raise ValueError("alpha 0.5 gives positions (i, j) and (j, i) the same row")
    wide = table.to(torch.promote_types(table.dtype, torch.float32))
    u = (wide - alpha * wide[:1]) / (1 - alpha)
    q = alpha * u[:, None, :] + (1 - alpha) * u[None, :, :]
    return q.reshape(-1, table.shape[-1]).to(table.dtype)


def recurrent_positions(p0: Tensor, weight: Tensor, bias: Tensor, num_positions: int) -> Tensor:
    rows = [p0]
    for _ in range(num_positions - 1):
        rows.append(torch.tanh(weight @ rows[-1] + bias))
    return torch.stack(rows)
