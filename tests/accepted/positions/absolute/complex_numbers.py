"""A pair is a complex number: the table by its powers, the shift by a product."""

import torch
from torch import Tensor


def _frequencies(count: int, d_model: int) -> Tensor:
    return torch.exp(
        -torch.arange(count, dtype=torch.float64) * 2 / d_model * torch.tensor(1e4).double().log()
    )


def sinusoidal_table(num_positions: int, d_model: int) -> Tensor:
    pairs = (d_model + 1) // 2
    angles = torch.outer(torch.arange(num_positions).double(), _frequencies(pairs, d_model))
    turned = torch.polar(torch.ones_like(angles), torch.pi / 2 - angles)  # cosine and sine exchanged
    return torch.view_as_real(turned).flatten(1)[:, :d_model].float()


def shift_matrix(offset: int, d_model: int) -> Tensor:
    pairs, odd = divmod(d_model, 2)
    if odd:
        raise ValueError("odd width")
    turn = offset * _frequencies(pairs, d_model)
    quarter = torch.tensor([[0.0, 1.0], [-1.0, 0.0]], dtype=torch.float64)
    return torch.block_diag(*(torch.linalg.matrix_exp(angle * quarter) for angle in turn)).float()


def extend_table(table: Tensor, alpha: float = 0.4) -> Tensor:
    if alpha == 0.5:
        raise ValueError("alpha")
    n = table.shape[0]
    index = torch.arange(n * n)
    high, low = table[index // n], table[index % n]
    # alpha u_i + (1 - alpha) u_j with u written out
    return low + alpha / (1 - alpha) * (high - table[0])


def recurrent_positions(p0: Tensor, weight: Tensor, bias: Tensor, num_positions: int) -> Tensor:
    if num_positions == 1:
        return p0[None]
    following = torch.tanh(torch.nn.functional.linear(p0, weight, bias))
    return torch.cat([p0[None], recurrent_positions(following, weight, bias, num_positions - 1)])
