from collections.abc import Callable

import torch
from torch import Tensor


def _nearest(vectors: Tensor, centres: Tensor) -> Tensor:
    best = vectors.new_full((len(vectors),), torch.inf)
    cells = torch.zeros(len(vectors), dtype=torch.int64, device=vectors.device)
    for number, centre in enumerate(centres):
        distances = (vectors - centre).square().sum(-1)
        nearer = distances < best
        best[nearer] = distances[nearer]
        cells[nearer] = number
    return cells


def kmeans(vectors: Tensor, centres: Tensor, rounds: int) -> tuple[Tensor, Tensor]:

    vectors, centres = vectors.detach(), centres.detach().clone()
    for _ in range(rounds):
        cells = _nearest(vectors, centres)
        counts = torch.bincount(cells, minlength=len(centres))
        sums = torch.zeros(centres.shape, dtype=torch.float64, device=centres.device)
        sums.index_add_(0, cells, vectors.double())
        filled = counts > 0
        centres[filled] = (sums[filled] / counts[filled].unsqueeze(-1)).to(centres.dtype)
    return centres, _nearest(vectors, centres)


def search_cells(
    query: Tensor,
    centres: Tensor,
    read: Callable[[int], tuple[Tensor, Tensor]],
    k: int,
    nprobe: int,
) -> tuple[Tensor, Tensor]:
    query = query.detach()
    to_centres = (centres - query).square().sum(-1)
    probed = torch.sort(to_centres, stable=True).indices[:nprobe].tolist()
    parts = [read(cell) for cell in probed]
    ids = torch.cat([part[0] for part in parts])
    vectors = torch.cat([part[1] for part in parts])
    ids, order = torch.sort(ids)
    distances = (vectors[order] - query).square().sum(-1)
    distances, order = torch.sort(distances, stable=True)
    return distances[:k], ids[order[:k]]


class ProductQuantizer:
    def __init__(self, codebooks: Tensor) -> None:
        self.codebooks = codebooks

    def encode(self, vectors: Tensor) -> Tensor:
        runs, _, width = self.codebooks.shape
        if vectors.shape[-1] != runs * width:
            raise ValueError(f"vectors of {runs * width} numbers are needed, not of {vectors.shape[-1]}")
        pieces = vectors.detach().reshape(len(vectors), runs, width)
        codes = torch.empty(len(vectors), runs, dtype=torch.uint8, device=vectors.device)
        for run, book in enumerate(self.codebooks.detach()):
            codes[:, run] = _nearest(pieces[:, run], book).to(torch.uint8)
        return codes

    def search(self, query: Tensor, codes: Tensor, k: int) -> tuple[Tensor, Tensor]:
        runs, size, width = self.codebooks.shape
        pieces = query.detach().reshape(runs, 1, width)
        table = (self.codebooks.detach() - pieces).square().sum(-1).flatten()
        distances = table.new_zeros(len(codes))
        for run in range(runs):
            distances += table[codes[:, run].long() + run * size]
        distances, order = torch.sort(distances, stable=True)
        return distances[:k], order[:k]
