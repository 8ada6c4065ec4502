"""The reference of rag/dense_retrieval against langchain_core, exact fractions and loops."""

from __future__ import annotations

import random
from fractions import Fraction

import numpy as np
import pytest
import torch

from autograder.testing import hash_embedder, load_reference, tiny_corpus_en_zh


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("k", [1, 3, 9, 30])
def test_top_k_against_numpy(seed: int, k: int) -> None:
    exercise, rng = load_reference("rag/dense_retrieval"), np.random.default_rng(seed)
    queries, documents = rng.normal(size=(4, 5)), rng.normal(size=(9, 5)) * rng.uniform(0.1, 20, size=(9, 1))
    documents[seed] = 0.0
    documents[7], documents[2] = documents[5], documents[5]
    norms = np.linalg.norm(documents, axis=1)
    table = queries @ documents.T / np.where(norms == 0, 1, norms) / np.linalg.norm(queries, axis=1)[:, None]
    order = np.argsort(-np.round(table, 9), axis=1, kind="stable")[:, :k]
    scores, indices = exercise.cosine_top_k(torch.from_numpy(queries), torch.from_numpy(documents), k)
    np.testing.assert_allclose(scores.numpy(), np.take_along_axis(table, order, axis=1), atol=1e-12)
    # Copies may differ in the last bit: then their order is free.
    np.testing.assert_allclose(
        np.take_along_axis(table, indices.numpy(), axis=1),
        np.take_along_axis(table, order, axis=1),
        atol=1e-12,
    )


def test_exact_ties_against_a_stable_sort() -> None:
    exercise = load_reference("rag/dense_retrieval")
    signs = torch.randint(0, 2, (200, 4), generator=torch.Generator().manual_seed(0)).double() * 2 - 1
    exact = (signs[:6] @ signs.T / 4).tolist()
    _, indices = exercise.cosine_top_k(signs[:6], 3 * signs, 150)
    for row, found in zip(exact, indices.tolist(), strict=True):
        assert found == sorted(range(200), key=lambda place: (-row[place], place))[:150]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("lam", [0.0, 0.25, 0.6, 1.0])
def test_mmr_against_langchain(seed: int, lam: float) -> None:
    from langchain_core.vectorstores.utils import maximal_marginal_relevance

    exercise, rng = load_reference("rag/dense_retrieval"), np.random.default_rng(seed)
    query, embeddings = rng.normal(size=6), rng.normal(size=(15, 6))
    query /= np.linalg.norm(query)
    embeddings /= np.linalg.norm(embeddings, axis=1, keepdims=True)
    for k in (1, 2, 7, 15, 20):
        expected = maximal_marginal_relevance(query, list(embeddings), lambda_mult=lam, k=k)
        relevance, similarity = (
            torch.from_numpy(embeddings @ query),
            torch.from_numpy(embeddings @ embeddings.T),
        )
        assert exercise.mmr(relevance, similarity, k, lam) == [int(index) for index in expected]


@pytest.mark.parametrize("lam", [0.25, 0.5, 1.0])
def test_mmr_ties_against_langchain(lam: float) -> None:
    from langchain_core.vectorstores.utils import maximal_marginal_relevance

    exercise = load_reference("rag/dense_retrieval")
    # Along the axes all cosines are exactly 0 or 1.
    embeddings = np.eye(4)[[2, 0, 2, 1, 0, 3, 2, 0]]
    query = np.array([1.0, 0.0, 0.0, 0.0])
    expected = maximal_marginal_relevance(query, list(embeddings), lambda_mult=lam, k=8)
    relevance, similarity = torch.from_numpy(embeddings @ query), torch.from_numpy(embeddings @ embeddings.T)
    assert exercise.mmr(relevance, similarity, 8, lam) == [int(index) for index in expected]


@pytest.mark.parametrize("constant", [0, 1, 60])
def test_fusion_against_fractions(constant: int) -> None:
    exercise, rng = load_reference("rag/dense_retrieval"), random.Random(constant)
    for _ in range(30):
        names = [f"d{number}" for number in range(12)]
        rankings = [rng.sample(names, rng.randint(0, 12)) for _ in range(rng.randint(0, 4))]
        exact: dict[str, Fraction] = {}
        for ranking in rankings:
            for place, name in enumerate(ranking):
                exact[name] = exact.get(name, Fraction(0)) + Fraction(1, constant + place + 1)
        fused = exercise.fuse_rankings(rankings, constant)
        assert {name for name, _ in fused} == exact.keys()
        assert [score for _, score in fused] == sorted((score for _, score in fused), reverse=True)
        for name, score in fused:
            assert score == pytest.approx(float(exact[name]), rel=1e-12)


@pytest.mark.parametrize("seed", range(6))
def test_maxsim_against_loops(seed: int) -> None:
    exercise = load_reference("rag/dense_retrieval")
    generator = torch.Generator().manual_seed(seed)
    t, n, s, d = 1 + seed, 2 + seed % 3, 1 + seed % 4, 3
    query = torch.randn(t, d, generator=generator, dtype=torch.float64)
    documents = torch.randn(n, s, d, generator=generator, dtype=torch.float64) - 0.5
    query_mask = torch.rand(t, generator=generator) < 0.7
    query_mask[-1] = True
    document_mask = torch.rand(n, s, generator=generator) < 0.6
    expected = []
    for document, mask in zip(documents.tolist(), document_mask.tolist(), strict=True):
        total = 0.0
        for token, counts in zip(query.tolist(), query_mask.tolist(), strict=True):
            products = [
                sum(x * y for x, y in zip(token, other, strict=True))
                for other, real in zip(document, mask, strict=True)
                if real
            ]
            total += max(products, default=-np.inf) if counts else 0.0
        expected.append(total)
    actual = exercise.maxsim(query, documents, query_mask, document_mask)
    torch.testing.assert_close(actual, torch.tensor(expected, dtype=torch.float64))


def test_questions_find_their_documents() -> None:
    exercise, corpus, embed = load_reference("rag/dense_retrieval"), tiny_corpus_en_zh(), hash_embedder(512)
    names = list(corpus.documents)
    questions = {query: text for query, text in corpus.queries.items() if corpus.grades.get(query)}
    _, indices = exercise.cosine_top_k(
        embed(list(questions.values())), embed(list(corpus.documents.values())), 3
    )
    for query, found in zip(questions, indices.tolist(), strict=True):
        assert {names[index] for index in found} & set(corpus.grades[query])
