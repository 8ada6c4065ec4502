"""einsum, a lexicographic sort by rank, numpy's flatnonzero for what is left, a table of reciprocal ranks."""

import numpy as np
import torch


def directions(x):
    squares = x.square().sum(-1, keepdim=True)
    return torch.where(
        squares > 0, x / squares.sqrt().clamp_min(torch.finfo(x.dtype).tiny), torch.zeros_like(x)
    )


def cosine_top_k(queries, documents, k):
    table = torch.einsum("qd,nd->qn", directions(queries), directions(documents))
    order = (-table).argsort(dim=1, stable=True)[:, :k]
    return table.gather(1, order), order


def mmr(relevance, similarity, k, lam):
    r, s = np.array(relevance.tolist()), np.array(similarity.tolist())
    free = np.ones(len(r), dtype=bool)
    picked = []
    for _ in range(min(k, len(r))):
        candidates = np.flatnonzero(free)
        score = r[candidates]
        if picked:
            score = lam * score - (1 - lam) * s[np.ix_(candidates, picked)].max(axis=1)
        choice = int(candidates[score.argmax()])
        free[choice] = False
        picked.append(choice)
    return picked


def fuse_rankings(rankings, constant=60):
    names = sorted(set().union(*rankings))
    table = np.zeros((len(rankings), len(names)))
    column = {name: place for place, name in enumerate(names)}
    for row, ranking in zip(table, rankings, strict=True):
        row[[column[name] for name in ranking]] = 1 / np.arange(constant + 1, constant + 1 + len(ranking))
    totals = table.sum(axis=0)
    return [(names[place], float(totals[place])) for place in np.argsort(-totals, kind="stable")]


def maxsim(query, documents, query_mask, document_mask):
    penalty = torch.zeros_like(document_mask, dtype=documents.dtype).masked_fill(~document_mask, -torch.inf)
    products = torch.einsum("td,nsd->nts", query[query_mask], documents) + penalty.unsqueeze(1)
    return products.max(dim=2)[0].sum(dim=1)
