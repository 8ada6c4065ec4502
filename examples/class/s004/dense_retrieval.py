import torch
import torch.nn.functional as F
from torch import Tensor


def cosine_top_k(queries: Tensor, documents: Tensor, k: int) -> tuple[Tensor, Tensor]:
    cosines = F.normalize(queries, dim=-1) @ F.normalize(documents, dim=-1).mT
    totals, order = cosines.sort(dim=-1, descending=True, stable=True)
    return totals[:, :k], order[:, :k]


def mmr(relevance: Tensor, similarity: Tensor, k: int, lam: float) -> list[int]:
    chosen: list[int] = []
    closest = torch.full_like(relevance, -torch.inf)  # of each document to what is chosen
    while len(chosen) < min(k, len(relevance)):
        gains = lam * relevance - (1 - lam) * closest if chosen else relevance
        gains[chosen] = -torch.inf
        winner = int(gains.argmax())
        chosen.append(winner)
        closest = similarity[winner]
    return chosen


def fuse_rankings(rankings: list[list[str]], constant: int = 60) -> list[tuple[str, float]]:
    totals: dict[str, float] = {}
    for names in rankings:
        for place, doc in enumerate(names, start=1):
            totals[doc] = totals.get(doc, 0.0) + 1 / (constant + place)
    return sorted(totals.items(), key=lambda pair: (-pair[1], pair[0]))


def maxsim(query: Tensor, documents: Tensor, query_mask: Tensor, document_mask: Tensor) -> Tensor:
    dots = query @ documents.mT  # [N, T, S]
    winner = dots.masked_fill(~document_mask[:, None, :], -torch.inf).amax(dim=-1)
    return winner.masked_fill(~query_mask, 0.0).sum(dim=-1)
