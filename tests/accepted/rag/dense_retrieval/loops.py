"""Plain loops over Python numbers; sorted() with keys; recursion for the picks; fsum."""

import math
from collections import defaultdict

import torch


def cosine(a, b):
    product, length = torch.dot(a, b), a.norm() * b.norm()
    return product / length if length > 0 else product.new_zeros(())


def cosine_top_k(queries, documents, k):
    q, n = len(queries), len(documents)
    table = queries.new_zeros(q, n)
    for i in range(q):
        for j in range(n):
            table[i, j] = cosine(queries[i], documents[j])
    order = [sorted(range(n), key=lambda j, row=row: (-row[j], j))[:k] for row in table.tolist()]
    indices = torch.tensor(order, dtype=torch.long).reshape(q, min(k, n))
    return torch.take_along_dim(table, indices, dim=1), indices


def mmr(relevance, similarity, k, lam):
    relevance, similarity = relevance.tolist(), similarity.tolist()

    def go_on(picked, left):
        if len(picked) == k or not left:
            return picked
        if picked:
            value = {d: lam * relevance[d] - (1 - lam) * max(similarity[d][c] for c in picked) for d in left}
        else:
            value = {d: relevance[d] for d in left}
        best = max(left, key=value.get)
        return go_on([*picked, best], [d for d in left if d != best])

    return go_on([], list(range(len(relevance))))


def fuse_rankings(rankings, constant=60):
    shares = defaultdict(list)
    for ranking in rankings:
        for place in range(len(ranking)):
            shares[ranking[place]].append(1.0 / (place + 1 + constant))
    scores = {name: math.fsum(parts) for name, parts in shares.items()}
    return [(name, scores[name]) for name in sorted(sorted(scores), key=scores.get, reverse=True)]


def maxsim(query, documents, query_mask, document_mask):
    scores = []
    for document, real in zip(documents, document_mask, strict=True):
        if not real.any():
            scores.append(query.new_tensor(-math.inf))
            continue
        products = query[query_mask] @ document[real].T
        scores.append(products.max(dim=1).values.sum())
    return torch.stack(scores)
