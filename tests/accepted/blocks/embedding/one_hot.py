"""Everything as products with one-hot matrices, built by comparison."""

import math

import torch
from torch import Tensor


def _one_hot(ids: Tensor, vocab_size: int, like: Tensor) -> Tensor:
    return (ids[..., None] == torch.arange(vocab_size)).to(like.dtype)


def embed(ids: Tensor, weight: Tensor) -> Tensor:
    one_hot = _one_hot(ids, len(weight), weight)
    if not bool(one_hot.any(dim=-1).all()):  # an id that no row has
        raise IndexError("no such row")
    return math.sqrt(weight.size(-1)) * (one_hot @ weight)


def embedding_gradient(
    ids: Tensor, upstream: Tensor, vocab_size: int, padding_idx: int | None = None
) -> Tensor:
    one_hot = _one_hot(ids, vocab_size, upstream)
    if padding_idx is not None:
        one_hot[..., padding_idx] = 0
    return torch.einsum("btv,btc->vc", one_hot, upstream) * math.sqrt(upstream.size(-1))


def resize_embedding(weight: Tensor, new_size: int) -> Tensor:
    vocab_size = len(weight)
    mixing = torch.eye(max(new_size, vocab_size), vocab_size, dtype=weight.dtype)[:new_size]
    mixing[vocab_size:] = 1 / vocab_size
    return mixing @ weight
