"""The reference of rag/sparse_retrieval against bm25s, brute force and loops."""

from __future__ import annotations

import random

import numpy as np
import pytest

from autograder.testing import load_reference, tiny_corpus_en_zh


def random_documents(seed: int) -> dict[str, list[str]]:
    rng = random.Random(seed)
    terms = [f"t{number}" for number in range(12)]
    odds = [2.0**-number for number in range(12)]
    documents = {
        f"d{number:02}": rng.choices(terms, odds, k=rng.choice([1, 3, 8, 30])) for number in range(25)
    }
    documents["d07"] = []
    return documents


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("k1", "b"), [(1.2, 0.75), (0.5, 0.0), (2.5, 1.0)])
def test_scores_against_bm25s(seed: int, k1: float, b: float) -> None:
    import bm25s

    exercise = load_reference("rag/sparse_retrieval")
    documents = random_documents(seed)
    oracle = bm25s.BM25(method="lucene", k1=k1, b=b, dtype="float64")
    oracle.index(list(documents.values()), show_progress=False)
    index = exercise.build_index(documents)
    for query in (["t0"], ["t1", "t5", "t9"], ["t0", "t11", "t0", "t3"], ["t2", "missing"]):
        scores = exercise.bm25(*index, query, k1, b)
        actual = [scores.get(name, 0.0) for name in documents]
        np.testing.assert_allclose(actual, oracle.get_scores(query), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_texts_against_bm25s(language: str) -> None:
    import bm25s

    exercise, corpus = load_reference("rag/sparse_retrieval"), tiny_corpus_en_zh()
    texts = {name: text for name, text in corpus.documents.items() if name.startswith(language)}
    documents = {name: exercise.analyze(text) for name, text in texts.items()}
    oracle = bm25s.BM25(method="lucene", k1=1.2, b=0.75, dtype="float64")
    oracle.index(list(documents.values()), show_progress=False)
    index = exercise.build_index(documents)
    for name, question in corpus.queries.items():
        if name.startswith(language):
            query = exercise.analyze(question)
            scores = exercise.bm25(*index, query)
            actual = [scores.get(name, 0.0) for name in documents]
            np.testing.assert_allclose(actual, oracle.get_scores(query), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("k", [1, 2, 5, 13, 40])
def test_top_k_against_brute_force(seed: int, k: int) -> None:
    exercise = load_reference("rag/sparse_retrieval")
    index = exercise.build_index(random_documents(seed))
    postings = index[0]
    weights = {term: exercise.bm25(*index, [term]) for term in postings}
    # idf is what a weight would be with endless repetitions: let k1 be all but nothing.
    bounds = {term: max(exercise.bm25(*index, [term], 1e-12, 0.0).values()) + 1e-9 for term in postings}
    rng = random.Random(seed)
    for _ in range(20):
        query = rng.choices([*postings, "missing"], k=rng.randint(0, 7))
        scores = exercise.bm25(*index, query)
        expected = sorted(scores.items(), key=lambda item: (-round(item[1], 9), item[0]))[:k]
        actual = exercise.top_k(
            query, k, bounds, weights.__getitem__, lambda term, name: weights[term].get(name, 0.0)
        )
        assert [round(score, 9) for _, score in actual] == [round(score, 9) for _, score in expected]
        # Equal sums that were added in another order may differ in the last bit.
        assert {name for name, _ in actual} <= {
            name for name, score in scores.items() if score > expected[-1][1] - 1e-9
        }


def terms_by_loops(text: str) -> list[str]:
    """Character by character, without expressions."""
    runs: list[tuple[bool, str]] = []
    previous = None
    for character in text.lower():
        kind = "一" <= character <= "\u9fff" if character.isalnum() else None
        if kind is not None:
            if kind == previous:
                runs[-1] = (kind, runs[-1][1] + character)
            else:
                runs.append((kind, character))
        previous = kind
    terms: list[str] = []
    for chinese, run in runs:
        if chinese and len(run) > 1:
            terms += [run[place : place + 2] for place in range(len(run) - 1)]
        else:
            terms.append(run)
    return terms


def test_analysis_against_loops() -> None:
    exercise, rng = load_reference("rag/sparse_retrieval"), random.Random(0)
    for length in (0, 1, 2, 5, 20, 200):
        for _ in range(20):
            text = "".join(rng.choices("aB9é_ ,。中文检索窑Ж\n-", k=length))
            assert exercise.analyze(text) == terms_by_loops(text)
    for text in tiny_corpus_en_zh().documents.values():
        assert exercise.analyze(text) == terms_by_loops(text)
