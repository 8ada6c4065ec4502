"""Each tile is a partial result of its own, and partial results are merged; keys are cut short, not skipped."""

import torch
from torch import Tensor

NOTHING = float("-inf")


def attend_block(scores: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
    top = torch.clamp(scores.max(-1, keepdim=True).values, min=torch.finfo(scores.dtype).min)
    powers = torch.exp(scores - top)
    total = powers.sum(-1, keepdim=True)
    weights = powers / torch.where(total > 0, total, torch.ones_like(total))
    return torch.einsum("...ts,...sd->...td", weights, values), (top + total.log()).squeeze(-1)


def merge(out_a: Tensor, lse_a: Tensor, out_b: Tensor, lse_b: Tensor) -> tuple[Tensor, Tensor]:
    both = torch.stack([lse_a, lse_b], dim=-1)
    stacked = torch.stack([out_a, out_b], dim=-2)  # [..., T, 2, D]
    output, lse = attend_block(both.unsqueeze(-2), stacked)
    return output.squeeze(-2), lse.squeeze(-1)


def _tile(q: Tensor, k: Tensor, first_query: int, first_key: int, causal: bool) -> Tensor:
    scores = torch.einsum("bhtd,bhsd->bhts", q, k) / q.shape[-1] ** 0.5
    if causal:
        hidden = torch.ones(scores.shape[-2:], dtype=torch.bool).triu(first_query - first_key + 1)
        scores = torch.where(hidden, NOTHING, scores)
    return scores


def flash_forward(
    q: Tensor, k: Tensor, v: Tensor, causal: bool, block_q: int, block_k: int
) -> tuple[Tensor, Tensor]:
    T, S = q.shape[2], k.shape[2]
    if causal and T != S:
        raise ValueError("as many queries as keys, please")
    outputs, lses = [], []
    for i in range(0, T, block_q):
        rows = q[:, :, i : i + block_q]
        seen = min(S, i + block_q) if causal else S
        output, lse = torch.zeros_like(rows), torch.full_like(rows[..., 0], NOTHING)
        for j in reversed(range(0, seen, block_k)):
            end = min(j + block_k, seen)
            scores = _tile(rows, k[:, :, j:end], i, j, causal)
            output, lse = merge(output, lse, *attend_block(scores, v[:, :, j:end]))
        outputs.append(output)
        lses.append(lse)
    return torch.cat(outputs, dim=2), torch.cat(lses, dim=2)


def hbm_traffic(num_tokens: int, head_dim: int, block_q: int) -> tuple[int, int]:
    N, d = num_tokens, head_dim
    kernels = [(2 * N * d, N * N), (N * N, N * N), (N * N + N * d, N * d)]
    tiles = -(-N // block_q)
    return sum(reads + writes for reads, writes in kernels), N * (d + 2 * d * tiles + d + 1)


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
    T, S, scale = q.shape[2], k.shape[2], q.shape[-1] ** -0.5
    delta = torch.einsum("bhtd,bhtd->bht", grad_output, output)
    dq = torch.zeros_like(q)
    dks, dvs = [], []
    for j in range(0, S, block_k):
        keys, values = k[:, :, j : j + block_k], v[:, :, j : j + block_k]
        dk, dv = torch.zeros_like(keys), torch.zeros_like(values)
        for i in range(0, T, block_q):
            rows = slice(i, min(i + block_q, T))
            if causal and j >= rows.stop:
                continue
            weights = torch.exp(_tile(q[:, :, rows], keys, i, j, causal) - lse[:, :, rows].unsqueeze(-1))
            upstream = grad_output[:, :, rows]
            dv += torch.einsum("bhts,bhtd->bhsd", weights, upstream)
            d_weights = torch.einsum("bhtd,bhsd->bhts", upstream, values)
            d_scores = weights * (d_weights - delta[:, :, rows].unsqueeze(-1))
            dk += scale * torch.einsum("bhts,bhtd->bhsd", d_scores, q[:, :, rows])
            dq[:, :, rows] += scale * torch.einsum("bhts,bhsd->bhtd", d_scores, keys)
        dks.append(dk)
        dvs.append(dv)
    return dq, torch.cat(dks, dim=2), torch.cat(dvs, dim=2)
