"""The tiny corpus and the embedder without weights."""

from __future__ import annotations

import torch

from autograder.testing import hash_embedder, tiny_corpus_en_zh


def test_grades_name_documents_of_the_questions_language() -> None:
    corpus = tiny_corpus_en_zh()
    assert corpus.queries.keys() == corpus.grades.keys()
    sizes = []
    for query, grades in corpus.grades.items():
        assert all(document in corpus.documents and document[:2] == query[:2] for document in grades)
        assert set(grades.values()) <= {1, 2}
        sizes.append(len(grades))
    assert min(sizes) == 0 and max(sizes) == 3
    corpus.grades["en-oak"].clear()
    corpus.documents.clear()
    assert tiny_corpus_en_zh().grades["en-oak"] and tiny_corpus_en_zh().documents


def test_texts_that_share_words_are_near() -> None:
    embed = hash_embedder()
    corpus = tiny_corpus_en_zh()
    names = list(corpus.documents)
    documents = embed(list(corpus.documents.values()))
    assert documents.dtype == torch.float32 and documents.shape == (12, 256)
    assert torch.allclose(documents.norm(dim=1), torch.ones(12))
    for query in ("en-firing", "zh-firing", "zh-hive"):
        best = names[int((documents @ embed([corpus.queries[query]])[0]).argmax())]
        assert corpus.grades[query].get(best) == 2, query
    assert embed.calls == 4 and embed.batches[1] == [corpus.queries["en-firing"]]


def test_edges() -> None:
    embed = hash_embedder(8, normalised=False)
    assert embed([]).shape == (0, 8)
    assert embed(["", "...", "a a"]).abs().sum(1).tolist() == [0.0, 0.0, 2.0]
    assert not hash_embedder(8)([""]).any()
    assert torch.equal(embed(["River 7"]), embed(["river, 7!"]))
    assert not torch.equal(embed(["河水"]), embed(["水河"]))
