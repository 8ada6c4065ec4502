import torch
from torch import Tensor


def sinusoidal_table(num_positions: int, d_model: int) -> Tensor:
    columns = torch.arange(d_model)
    frequencies = 10000.0 ** (-2 * (columns // 2) / d_model)
    angles = torch.arange(num_positions)[:, None] * frequencies
    return torch.cat([angles[:, ::2].sin(), angles[:, 1::2].cos()], dim=1)


def shift_matrix(offset: int, d_model: int) -> Tensor:
    if d_model % 2 == 1:
        raise ValueError(f"a width of {d_model} leaves one sine without its cosine")
    sines = torch.arange(0, d_model, 2)
    angles = offset * 10000.0 ** (-sines / d_model)
    matrix = torch.zeros(d_model, d_model)
    matrix[sines, sines] = matrix[sines + 1, sines + 1] = angles.cos()
    # sin(a + b) = sin(a) cos(b) + cos(a) sin(b); cos(a + b) = cos(a) cos(b) - sin(a) sin(b)
    matrix[sines, sines + 1] = angles.sin()
    matrix[sines + 1, sines] = -angles.sin()
    return matrix


def extend_table(table: Tensor, alpha: float = 0.4) -> Tensor:
    if alpha == 0.5:
        raise ValueError("with alpha = 0.5 positions (i, j) and (j, i) can't be told apart")
    digits = (table - alpha * table[:1]) / (1 - alpha)  # [n, C]
    return (alpha * digits[:, None] + (1 - alpha) * digits[None, :]).flatten(0, 1)


def recurrent_positions(p0: Tensor, weight: Tensor, bias: Tensor, num_positions: int) -> Tensor:
    rows = [p0]
    for _ in range(num_positions - 1):
        rows.append(torch.tanh(weight @ rows[-1] + bias))
    return torch.stack(rows)
    # END SOLUTION
