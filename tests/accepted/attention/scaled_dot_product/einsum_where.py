"""Einsum throughout, masks by `tril` and `cumsum`, exponentials masked before they are normalised."""

import torch
from torch import Tensor


def _normalise(logits: Tensor, visible: Tensor, dim: int) -> Tensor:
    peak = torch.where(visible, logits, torch.finfo(logits.dtype).min).amax(dim, keepdim=True).detach()
    powers = torch.where(visible, torch.exp(torch.where(visible, logits - peak, 0.0)), 0.0)
    return powers / powers.sum(dim, keepdim=True).clamp_min(torch.finfo(logits.dtype).tiny)


def softmax(x: Tensor, dim: int = -1) -> Tensor:
    visible = torch.isfinite(x)
    return _normalise(torch.where(visible, x, 0.0), visible, dim)


def causal_mask(query_length: int, key_length: int, offset: int = 0) -> Tensor:
    return torch.ones(query_length, key_length, dtype=torch.bool).tril(diagonal=offset)


def padding_mask(lengths: Tensor, key_length: int) -> Tensor:
    if not all(0 <= length <= key_length for length in lengths.tolist()):
        raise ValueError("a length is out of range")
    ordinals = torch.ones(len(lengths), key_length, dtype=torch.long).cumsum(-1)
    return ordinals.le(lengths.view(-1, 1)).reshape(-1, 1, 1, key_length)


def scaled_dot_product_attention(
    q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    logits = torch.einsum("...td,...sd->...ts", q * q.size(-1) ** -0.5, k)
    if mask is None:
        mask = torch.ones((), dtype=torch.bool)
    elif mask.dtype is not torch.bool:
        raise TypeError("boolean masks only")
    weights = _normalise(logits, mask.expand_as(logits), -1)
    return torch.einsum("...ts,...sv->...tv", weights, v), weights
