"""Position by position and row by row."""

import torch
from torch import Tensor


def embed(ids: Tensor, weight: Tensor) -> Tensor:
    vocab_size, d_model = weight.shape
    rows = []
    for index in ids.flatten().tolist():
        if index not in range(vocab_size):
            raise IndexError(index)
        rows.append(weight[index])
    return torch.stack(rows).reshape(*ids.shape, d_model) * d_model**0.5


def embedding_gradient(
    ids: Tensor, upstream: Tensor, vocab_size: int, padding_idx: int | None = None
) -> Tensor:
    d_model = upstream.shape[2]
    table = [torch.zeros(d_model, dtype=upstream.dtype) for _ in range(vocab_size)]
    for row_ids, row_upstream in zip(ids.tolist(), upstream, strict=True):
        for index, gradient in zip(row_ids, row_upstream, strict=True):
            if index != padding_idx:
                table[index] = table[index] + d_model**0.5 * gradient
    return torch.stack(table)


def resize_embedding(weight: Tensor, new_size: int) -> Tensor:
    old_rows = list(weight)
    average = sum(old_rows) / len(old_rows)
    return torch.stack([old_rows[i] if i < len(old_rows) else average for i in range(new_size)])
