"""One query at a time, the way the definition reads: score the visible keys, weigh, take the mean."""

import math

import torch
from torch import Tensor


def _softmax_of_vector(logits: Tensor) -> Tensor:
    visible = logits > -math.inf
    weights = torch.zeros_like(logits)
    if visible.any():
        shifted = logits[visible] - logits[visible].max()
        # A logarithm of the sum instead of a division by it.
        weights[visible] = torch.exp(shifted - shifted.exp().sum().log())
    return weights


def softmax(x: Tensor, dim: int = -1) -> Tensor:
    last = x.movedim(dim, -1)
    rows = [_softmax_of_vector(row) for row in last.reshape(-1, last.shape[-1])]
    return torch.stack(rows).reshape(last.shape).movedim(-1, dim)


def causal_mask(query_length: int, key_length: int, offset: int = 0) -> Tensor:
    return torch.tensor([[j <= i + offset for j in range(key_length)] for i in range(query_length)])


def padding_mask(lengths: Tensor, key_length: int) -> Tensor:
    rows = []
    for length in lengths.tolist():
        if length < 0 or length > key_length:
            raise ValueError(f"{length} is not between 0 and {key_length}")
        rows.append([[[True] * length + [False] * (key_length - length)]])
    return torch.tensor(rows)


def _one_sequence(q: Tensor, k: Tensor, v: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    outputs, all_weights = [], []
    for query, visible in zip(q, mask, strict=True):
        logits = torch.stack([(query * key).sum() / len(query) ** 0.5 for key in k])
        weights = _softmax_of_vector(torch.where(visible, logits, -math.inf))
        outputs.append((weights[:, None] * v).sum(0))
        all_weights.append(weights)
    return torch.stack(outputs), torch.stack(all_weights)


def scaled_dot_product_attention(
    q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    if mask is not None and mask.dtype != torch.bool:
        raise TypeError("the mask must be boolean")
    axes = torch.broadcast_shapes(q.shape[:-2], k.shape[:-2])
    scores_shape = (*axes, q.shape[-2], k.shape[-2])
    mask = torch.ones(scores_shape, dtype=torch.bool) if mask is None else mask.expand(scores_shape)
    flat = [t.expand(*axes, *t.shape[-2:]).reshape(-1, *t.shape[-2:]) for t in (q, k, v, mask)]
    results = [_one_sequence(*parts) for parts in zip(*flat, strict=True)]
    output = torch.stack([r[0] for r in results]).reshape(*axes, q.shape[-2], v.shape[-1])
    return output, torch.stack([r[1] for r in results]).reshape(scores_shape)
