"""Expanded squares (|a|^2 - 2ab + |b|^2) for k-means and codes, one-hot means, numpy's lexsort."""

import numpy as np
import torch


def _squares(a, b):
    """[N, D], [K, D] -> [N, K], in double precision."""
    a, b = a.double(), b.double()
    return (a**2).sum(1)[:, None] - 2 * a @ b.T + (b**2).sum(1)


def kmeans(vectors, centres, rounds):
    for _ in range(rounds):
        labels = _squares(vectors, centres).min(1).indices
        member = torch.nn.functional.one_hot(labels, len(centres)).to(vectors.dtype)
        size = member.sum(0).unsqueeze(1)
        mean = member.T @ vectors / size.clamp(min=1)
        centres = mean * (size > 0) + centres * (size == 0)
    return centres, _squares(vectors, centres).min(1).indices


def _first(distances, ids, k):
    order = np.lexsort((ids.numpy(), distances.numpy()))[:k].copy()
    return distances[order], ids[order]


def search_cells(query, centres, read, k, nprobe):
    order = np.argsort(((centres - query) ** 2).sum(1).numpy(), kind="stable")[:nprobe]
    found = [read(int(cell)) for cell in order]
    ids = torch.hstack([cell[0] for cell in found])
    vectors = torch.vstack([cell[1] for cell in found])
    return _first((vectors - query).pow(2).sum(1), ids, k)


class ProductQuantizer:
    def __init__(self, codebooks):
        self.books = codebooks
        self.runs, self.size, self.width = codebooks.shape

    def encode(self, vectors):
        if self.runs * self.width != vectors.shape[-1]:
            raise ValueError(vectors.shape)
        parts = vectors.unflatten(-1, (self.runs, self.width)).unbind(-2)
        codes = [_squares(part, book).min(1).indices for part, book in zip(parts, self.books, strict=True)]
        return torch.stack(codes, -1).to(torch.uint8)

    def search(self, query, codes, k):
        table = (query.view(self.runs, self.width).unsqueeze(1) - self.books).pow(2).sum(2).flatten()
        places = codes.to(torch.int32) + self.size * torch.arange(self.runs, dtype=torch.int32)
        distances = table[places].sum(1)
        return _first(distances, torch.arange(len(codes)), k)
