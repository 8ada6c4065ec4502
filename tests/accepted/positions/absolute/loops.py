"""Number by number with math, row by row with lists."""

import math

import torch


def sinusoidal_table(num_positions, d_model):
    table = torch.empty(num_positions, d_model)
    for p in range(num_positions):
        for j in range(d_model):
            angle = p / math.pow(10000, 2 * (j // 2) / d_model)
            table[p, j] = math.cos(angle) if j % 2 else math.sin(angle)
    return table


def shift_matrix(offset, d_model):
    if d_model & 1:
        raise ValueError(d_model)
    rows = [[0.0] * d_model for _ in range(d_model)]
    for j in range(0, d_model, 2):
        angle = offset / 10000 ** (j / d_model)
        rows[j][j : j + 2] = [math.cos(angle), math.sin(angle)]
        rows[j + 1][j : j + 2] = [-math.sin(angle), math.cos(angle)]
    return torch.tensor(rows)


def extend_table(table, alpha=0.4):
    if math.isclose(alpha, 0.5):
        raise ValueError("choose another alpha")
    u = [(row - alpha * table[0]) / (1 - alpha) for row in table]
    return torch.stack([alpha * high + (1 - alpha) * low for high in u for low in u])


def recurrent_positions(p0, weight, bias, num_positions):
    p, out = p0, []
    while len(out) < num_positions:
        out.append(p)
        p = (p @ weight.T + bias).tanh()
    return torch.stack(out)
