"""As solved from the skeleton alone."""

import math

import torch
from torch import Tensor


def attend_block(scores: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
    top = scores.amax(-1, keepdim=True)
    top = torch.where(
        top == -math.inf, torch.zeros_like(top), top
    )  # a row that sees nothing: exp(-inf - 0) = 0
    weights = torch.exp(scores - top)
    total = weights.sum(-1, keepdim=True)
    # A row that sees something has a total of at least 1, for its largest score adds exp(0).
    output = (weights @ values) / total.clamp(min=1.0)
    return output, (top + total.log()).squeeze(-1)


def merge(out_a: Tensor, lse_a: Tensor, out_b: Tensor, lse_b: Tensor) -> tuple[Tensor, Tensor]:
    lse = torch.logaddexp(lse_a, lse_b)
    base = torch.where(lse == -math.inf, torch.zeros_like(lse), lse)
    share_a = torch.exp(lse_a - base).unsqueeze(-1)
    share_b = torch.exp(lse_b - base).unsqueeze(-1)
    return share_a * out_a + share_b * out_b, lse


def flash_forward(
    q: Tensor, k: Tensor, v: Tensor, causal: bool, block_q: int, block_k: int
) -> tuple[Tensor, Tensor]:
    num_queries, width = q.shape[-2:]
    num_keys = k.shape[-2]
    if causal and num_queries != num_keys:
        raise ValueError(f"causal attention needs T = S, not {num_queries} and {num_keys}")
    q, k, v = q.detach(), k.detach(), v.detach()
    scale = 1.0 / math.sqrt(width)
    output = torch.empty_like(q)
    lse = q.new_empty(q.shape[:-1])
    for q_from in range(0, num_queries, block_q):
        q_to = min(q_from + block_q, num_queries)
        queries = q[..., q_from:q_to, :] * scale
        rows = torch.arange(q_from, q_to, device=q.device).unsqueeze(-1)
        top = q.new_full((*queries.shape[:-1], 1), -math.inf)
        total = torch.zeros_like(top)
        numerator = torch.zeros_like(queries)
        for k_from in range(0, q_to if causal else num_keys, block_k):
            k_to = min(k_from + block_k, num_keys)
            scores = queries @ k[..., k_from:k_to, :].transpose(-1, -2)
            if causal and k_to - 1 > q_from:
                columns = torch.arange(k_from, k_to, device=q.device)
                scores.masked_fill_(columns > rows, -math.inf)
            # Every query sees key 0, so `higher` is finite from the first tile on.
            higher = torch.maximum(top, scores.amax(-1, keepdim=True))
            shrink = torch.exp(top - higher)
            weights = scores.sub_(higher).exp_()
            total = total * shrink + weights.sum(-1, keepdim=True)
            numerator = numerator * shrink + weights @ v[..., k_from:k_to, :]
            top = higher
        output[..., q_from:q_to, :] = numerator / total
        lse[..., q_from:q_to] = (top + total.log()).squeeze(-1)
    return output, lse


def hbm_traffic(num_tokens: int, head_dim: int, block_q: int) -> tuple[int, int]:
    vectors = num_tokens * head_dim  # elements of q, k, v or the output
    matrix = num_tokens * num_tokens
    scores = 2 * vectors + matrix
    softmax = 2 * matrix
    result = matrix + vectors + vectors
    tiles = -(-num_tokens // block_q)
    tiled = vectors + tiles * 2 * vectors + vectors + num_tokens
    return scores + softmax + result, tiled


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
    num_queries, width = q.shape[-2:]
    num_keys = k.shape[-2]
    q, k, v = q.detach(), k.detach(), v.detach()
    output, lse, grad_output = output.detach(), lse.detach(), grad_output.detach()
    scale = 1.0 / math.sqrt(width)
    grad_q, grad_k, grad_v = torch.zeros_like(q), torch.zeros_like(k), torch.zeros_like(v)
    delta = (grad_output * output).sum(-1, keepdim=True)
    for q_from in range(0, num_queries, block_q):
        q_to = min(q_from + block_q, num_queries)
        of_q = (..., slice(q_from, q_to), slice(None))
        rows = torch.arange(q_from, q_to, device=q.device).unsqueeze(-1)
        for k_from in range(0, q_to if causal else num_keys, block_k):
            k_to = min(k_from + block_k, num_keys)
            of_k = (..., slice(k_from, k_to), slice(None))
            weights = (q[of_q] * scale) @ k[of_k].transpose(-1, -2)
            weights -= lse[..., q_from:q_to].unsqueeze(-1)
            if causal and k_to - 1 > q_from:
                columns = torch.arange(k_from, k_to, device=q.device)
                weights.masked_fill_(columns > rows, -math.inf)  # before exp, which could overflow
            weights.exp_()
            grad_v[of_k] += weights.transpose(-1, -2) @ grad_output[of_q]
            grad_scores = grad_output[of_q] @ v[of_k].transpose(-1, -2)
            grad_scores.sub_(delta[of_q]).mul_(weights).mul_(scale)
            grad_q[of_q] += grad_scores @ k[of_k]
            grad_k[of_k] += grad_scores.transpose(-1, -2) @ q[of_q]
    return grad_q, grad_k, grad_v
