"""One generator yields the tiles, heads are flattened into one axis, a finite number stands in for minus infinity."""

from collections.abc import Iterator
from math import inf, sqrt

import torch
from torch import Tensor


def attend_block(scores: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
    empty = (scores == -inf).all(dim=-1, keepdim=True)
    top = scores.amax(-1, True).where(~empty, torch.zeros((), dtype=scores.dtype))
    powers = torch.exp(scores - top)
    mass = powers.sum(-1, True)
    output = torch.matmul(powers, values).div(mass + empty)
    return output, (top + mass.log())[..., 0]


def merge(out_a: Tensor, lse_a: Tensor, out_b: Tensor, lse_b: Tensor) -> tuple[Tensor, Tensor]:
    # b's share is a sigmoid of the difference of the two, which is not defined where both are minus infinity
    share = torch.sigmoid(torch.nan_to_num(lse_b - lse_a, nan=0.0, posinf=inf, neginf=-inf)).unsqueeze(-1)
    higher, lower = torch.maximum(lse_a, lse_b), torch.minimum(lse_a, lse_b)
    gap = torch.where(lower == -inf, torch.full_like(lower, -inf), lower - higher)
    return out_a * (1 - share) + out_b * share, higher + torch.log1p(torch.exp(gap))


def _tiles(T: int, S: int, causal: bool, block_q: int, block_k: int) -> Iterator[tuple[slice, slice]]:
    for rows in range(0, T, block_q):
        for columns in range(0, S, block_k):
            if not (causal and columns > rows + block_q - 1):
                yield slice(rows, min(rows + block_q, T)), slice(columns, min(columns + block_k, S))


def _scores(q: Tensor, k: Tensor, rows: slice, columns: slice, causal: bool) -> Tensor:
    scores = q[:, rows] @ k[:, columns].transpose(1, 2) / sqrt(q.shape[-1])
    if causal:
        hidden = (
            torch.arange(columns.start, columns.stop)[None] > torch.arange(rows.start, rows.stop)[:, None]
        )
        scores += torch.zeros(hidden.shape, dtype=q.dtype).masked_fill(hidden, -inf)
    return scores


def flash_forward(
    q: Tensor, k: Tensor, v: Tensor, causal: bool, block_q: int, block_k: int
) -> tuple[Tensor, Tensor]:
    shape, (T, S) = q.shape, (q.shape[2], k.shape[2])
    if causal and T != S:
        raise ValueError(f"{T} is not {S}")
    q, k, v = (each.flatten(0, 1) for each in (q, k, v))
    top = torch.full(q.shape[:2], -1e30, dtype=q.dtype)
    sums, output = torch.zeros_like(top), torch.zeros(q.shape, dtype=q.dtype)
    for rows, columns in _tiles(T, S, causal, block_q, block_k):
        scores = _scores(q, k, rows, columns, causal)
        new = torch.max(top[:, rows], scores.amax(-1))
        shrink = torch.exp(top[:, rows] - new)
        scores.sub_(new.unsqueeze(-1)).exp_()
        sums[:, rows] = sums[:, rows] * shrink + scores.sum(-1)
        output[:, rows] = output[:, rows] * shrink.unsqueeze(-1) + scores @ v[:, columns]
        top[:, rows] = new
    return (output / sums.unsqueeze(-1)).view(shape), (top + sums.log()).view(shape[:-1])


def hbm_traffic(num_tokens: int, head_dim: int, block_q: int) -> tuple[int, int]:
    rows = num_tokens * head_dim
    tiles = (num_tokens + block_q - 1) // block_q
    return 4 * (rows + num_tokens * num_tokens), 2 * rows * (1 + tiles) + num_tokens


def flash_backward(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    output: Tensor,
    lse: Tensor,
    grad_output: Tensor,
    causal: bool,
    block_q: int,
    block_k: int,
) -> tuple[Tensor, Tensor, Tensor]:
    shapes = [each.shape for each in (q, k, v)]
    q, k, v, output, lse, grad_output = (each.flatten(0, 1) for each in (q, k, v, output, lse, grad_output))
    delta = (output * grad_output).sum(-1)
    found = [torch.zeros(each.shape, dtype=each.dtype) for each in (q, k, v)]
    for rows, columns in _tiles(q.shape[1], k.shape[1], causal, block_q, block_k):
        weights = _scores(q, k, rows, columns, causal).sub_(lse[:, rows, None]).exp_()
        found[2][:, columns] += torch.bmm(weights.transpose(1, 2), grad_output[:, rows])
        change = torch.bmm(grad_output[:, rows], v[:, columns].transpose(1, 2)).sub_(delta[:, rows, None])
        change.mul_(weights).div_(sqrt(q.shape[-1]))
        found[0][:, rows] += torch.bmm(change, k[:, columns])
        found[1][:, columns] += torch.bmm(change.transpose(1, 2), q[:, rows])
    dq, dk, dv = (each.view(shape) for each, shape in zip(found, shapes, strict=True))
    return dq, dk, dv
