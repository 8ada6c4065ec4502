"""The reference of rag/pipeline against sklearn's cosines, loops over characters, and a scripted model."""

from __future__ import annotations

import html
import random
import re
from itertools import combinations, pairwise
from typing import Any

import pytest
import torch
from torch import Tensor

from autograder.testing import hash_embedder, load_reference, scripted_model, tiny_corpus_en_zh


def windows(text: str) -> list[tuple[int, int, str]]:
    """Chunks of 30 characters that share 10."""
    starts = range(0, max(len(text) - 10, 1), 20)
    return [(start, min(start + 30, len(text)), text[start : start + 30]) for start in starts if text]


@pytest.mark.parametrize("normalised", [True, False])
def test_search_against_sklearn(normalised: bool) -> None:
    from sklearn.metrics.pairwise import cosine_similarity  # type: ignore[import-untyped]

    exercise, corpus = load_reference("rag/pipeline"), tiny_corpus_en_zh()
    embed = hash_embedder(64, normalised=normalised)
    chunks = [
        ((name, [(start, end)]), part)
        for name, text in corpus.documents.items()
        for start, end, part in windows(text)
    ]
    index = exercise.Index(corpus.documents, windows, embed)
    assert embed.batches == [[part for _, part in chunks]]
    for question in corpus.queries.values():
        expected = cosine_similarity(embed([part for _, part in chunks]), embed([question]))[:, 0]
        found = index.search(question, len(chunks) + 1)
        by_place = {
            str(passage): float(cosine) for (passage, _), cosine in zip(chunks, expected, strict=True)
        }
        assert sorted(str(passage) for passage, _ in found) == sorted(by_place)
        scores = [score for _, score in found]
        assert scores == sorted(scores, reverse=True)
        torch.testing.assert_close(
            scores, [by_place[str(passage)] for passage, _ in found], rtol=0, atol=1e-6
        )
        assert [score for _, score in index.search(question, 5)] == scores[:5]


@pytest.mark.parametrize("seed", range(20))
def test_compression_against_enumeration(seed: int) -> None:
    """Of all choices of `keep` sentences the one with the largest sum, character by character."""
    exercise, rng = load_reference("rag/pipeline"), random.Random(seed)
    text = "".join(rng.choices("ab。中", k=60))
    spans = [(4, 9), (12, 13), (20, 31)]

    def split(part: str) -> list[tuple[int, int]]:
        return [(place, min(place + 3, len(part))) for place in range(0, len(part), 3)]

    sentences = [(start + a, start + b) for start, end in spans for a, b in split(text[start:end])]
    worth = [rng.uniform(-1, 1) for _ in sentences]

    def score(question: str, parts: list[str]) -> list[float]:
        assert parts == [text[a:b] for a, b in sentences]
        return worth

    for keep in range(1, len(sentences) + 2):
        size = min(keep, len(sentences))
        best = max(
            combinations(range(len(sentences)), size), key=lambda choice: sum(worth[i] for i in choice)
        )
        places = {place for i in best for place in range(*sentences[i])}
        document, kept = exercise.compress("?", ("d", spans), {"d": text}, split, score, keep)
        assert document == "d" and {place for span in kept for place in range(*span)} == places
        assert all(first[1] < second[0] for first, second in pairwise(kept))


def uneven(text: str) -> int:
    """A counter whose parts don't add up: words and marks, and a toll for each block that grows with their number."""
    return len(re.findall(r"\w+|[^\w\s]", text)) + text.count("</source>") ** 2


@pytest.mark.parametrize("count", [len, uneven])
@pytest.mark.parametrize("seed", range(20))
def test_assembly_against_loops(seed: int, count: Any) -> None:
    exercise, rng = load_reference("rag/pipeline"), random.Random(seed)
    documents = {name: "".join(rng.choices("ab <>&\n{}/中", k=90)) for name in "xyz"}
    passages = []
    for _ in range(rng.randrange(9)):
        cuts = sorted(rng.sample(range(91), 4))
        passages.append((rng.choice("xyz"), [(cuts[0], cuts[1]), (cuts[2], cuts[3])]))
    room = count(exercise.PROMPT.format(sources="", question="Q")) + rng.randrange(260)
    prompt, printed = exercise.assemble("Q", passages, documents, count, room + 7, 7)
    assert count(prompt) <= room
    # The same by characters: what is shown, and a page built from the middle outwards.
    shown: list[list[tuple[str, int]]] = []
    for document, spans in passages:
        new = [(document, place) for span in spans for place in range(*span)]
        new = [place for place in new if not any(place in earlier for earlier in shown)]
        if new and count(page(exercise, [*shown, new], documents)) <= room:
            shown.append(new)
    assert prompt == page(exercise, shown, documents)
    places = [[(document, place) for span in spans for place in range(*span)] for document, spans in printed]
    assert places == outwards(shown)
    blocks = re.findall(r'<source n="(\d+)">\n(.*?)\n</source>', prompt, flags=re.DOTALL)
    assert [int(n) for n, _ in blocks] == list(range(1, len(printed) + 1))
    for (_, inside), (document, spans) in zip(blocks, printed, strict=True):
        assert html.unescape(inside).split(exercise.GAP) == [documents[document][a:b] for a, b in spans]


def outwards(ranked: list[Any]) -> list[Any]:
    """Ranks 1 3 5 ... 6 4 2, the last rank first: odd ones go in front, even ones behind."""
    result: list[Any] = []
    for rank in range(len(ranked), 0, -1):
        result = [ranked[rank - 1], *result] if rank % 2 else [*result, ranked[rank - 1]]
    return result


def page(exercise: Any, shown: list[list[tuple[str, int]]], documents: dict[str, str]) -> str:
    blocks = []
    for n, places in enumerate(outwards(shown), 1):
        text, previous = "", None
        for document, place in places:
            text += exercise.GAP if previous is not None and place != previous + 1 else ""
            sign = documents[document][place]
            text += {"&": "&amp;", "<": "&lt;", ">": "&gt;"}.get(sign, sign)
            previous = place
        blocks.append(f'<source n="{n}">\n{text}\n</source>')
    before, after = exercise.PROMPT.split("{sources}")
    return str(before + "\n".join(blocks) + after.replace("{question}", "Q"))


def test_whole_pipeline() -> None:
    """A question that the corpus answers is asked once and its citation slices the source; a foreign one isn't asked."""
    exercise, corpus = load_reference("rag/pipeline"), tiny_corpus_en_zh()
    index = exercise.Index(corpus.documents, windows, hash_embedder())
    model = scripted_model(["Nine hours [1][9]."])

    def retrieve(question: str) -> Any:
        return index.search(question, 5)

    def pack(question: str, passages: Any) -> Any:
        return exercise.assemble(question, passages, corpus.documents, len, 1000, 100)

    reply, citations = exercise.answer(corpus.queries["en-firing"], retrieve, pack, model, 0.3)
    assert reply == "Nine hours [1][9]." and [n for n, _ in citations] == [1]
    document, [(start, end)] = citations[0][1]
    assert document == "en-kiln" and corpus.documents[document][start:end] in model.prompts[0]
    assert exercise.answer(corpus.queries["zh-ship"], retrieve, pack, model, 0.3) == (exercise.ABSTENTION, [])
    assert model.calls == 1


def test_zero_rows() -> None:
    exercise = load_reference("rag/pipeline")

    def embed(texts: list[str]) -> Tensor:
        return torch.zeros(len(texts), 3)

    assert [score for _, score in exercise.Index({"a": "b"}, windows, embed).search("?", 1)] == [0.0]
