from collections.abc import Callable

import torch
from torch import Tensor


def kmeans(vectors: Tensor, centres: Tensor, rounds: int) -> tuple[Tensor, Tensor]:
    def assign(centres: Tensor) -> Tensor:
        return (vectors[:, None] - centres).square().sum(dim=-1).argmin(dim=1)

    for _ in range(rounds):
        labels = assign(centres)
        sizes = labels.bincount(minlength=len(centres))[:, None]
        totals = torch.zeros_like(centres).index_add(0, labels, vectors)
        centres = torch.where(sizes > 0, totals / sizes, centres)
    return centres, assign(centres)


def search_cells(
    query: Tensor,
    centres: Tensor,
    read: Callable[[int], tuple[Tensor, Tensor]],
    k: int,
    nprobe: int,
) -> tuple[Tensor, Tensor]:
    visit = (centres - query).square().sum(dim=1).argsort(stable=True)[:nprobe]
    id_lists, vector_lists = zip(*map(read, visit.tolist()), strict=True)
    ids, perm = torch.cat(id_lists).sort()
    d2 = (torch.cat(vector_lists)[perm] - query).square().sum(dim=1)
    rank = d2.argsort(stable=True)[:k]
    return d2[rank], perm[rank]


class ProductQuantizer:
    def __init__(self, codebooks: Tensor) -> None:
        self.codebooks = codebooks

    def encode(self, vectors: Tensor) -> Tensor:
        M, _, W = self.codebooks.shape
        if vectors.shape[1] != M * W:
            raise ValueError(f"{M} runs of {W} don't make {vectors.shape[1]}")
        pieces = vectors.reshape(-1, M, 1, W)
        return (pieces - self.codebooks).square().sum(dim=-1).argmin(dim=-1).to(torch.uint8)

    def search(self, query: Tensor, codes: Tensor, k: int) -> tuple[Tensor, Tensor]:
        pieces = query.reshape(len(self.codebooks), 1, -1)
        lut = (pieces - self.codebooks).square().sum(dim=-1)  # [M, K]
        d2 = lut.gather(1, codes.T.long()).sum(dim=0)
        rank = d2.argsort(stable=True)[:k]
        return d2[rank], rank
