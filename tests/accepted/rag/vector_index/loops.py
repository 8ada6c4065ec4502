"""Loops and sorted lists; the quantizer goes through its runs one by one."""

import torch


def _far(point, rows):
    return ((rows - point) ** 2).sum(-1)


def kmeans(vectors, centres, rounds):
    def assign():
        return torch.tensor([int(_far(vector, moved).argmin()) for vector in vectors])

    moved = centres.clone()
    for _ in range(rounds):
        cells = assign()
        for cell in range(len(moved)):
            mine = vectors[cells == cell]
            if len(mine):
                moved[cell] = mine.sum(0) / len(mine)
    return moved, assign()


def search_cells(query, centres, read, k, nprobe):
    by_distance = sorted((float(_far(query, centre)), cell) for cell, centre in enumerate(centres))
    candidates = []
    for _, cell in by_distance[:nprobe]:
        ids, vectors = read(cell)
        candidates += [(float(_far(query, vector)), int(i)) for i, vector in zip(ids, vectors, strict=True)]
    candidates = sorted(candidates)[:k]
    return (
        torch.tensor([distance for distance, _ in candidates], dtype=query.dtype),
        torch.tensor([i for _, i in candidates], dtype=torch.int64),
    )


class ProductQuantizer:
    def __init__(self, codebooks):
        self.codebooks = codebooks

    def encode(self, vectors):
        width = self.codebooks.shape[2]
        if vectors.shape[1] != len(self.codebooks) * width:
            raise ValueError("the codebooks are for vectors of another length")
        columns = []
        for book, run in zip(self.codebooks, vectors.split(width, dim=1), strict=True):
            columns.append(torch.stack([_far(part, book).argmin() for part in run]))
        return torch.stack(columns, dim=1).byte()

    def search(self, query, codes, k):
        total = torch.zeros(len(codes), dtype=query.dtype)
        for number, (book, part) in enumerate(
            zip(self.codebooks, query.split(self.codebooks.shape[2]), strict=True)
        ):
            total += _far(part, book)[codes[:, number].int()]
        values, ids = total.sort(stable=True)
        return values[:k], ids[:k]
