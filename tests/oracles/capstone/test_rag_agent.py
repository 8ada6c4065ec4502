"""The reference of capstone/rag_agent against sklearn's cosines, and against a checker of claims that walks over characters."""

from __future__ import annotations

import random
from types import SimpleNamespace
from typing import Any

import pytest

from autograder.testing import hash_embedder, load_reference, scripted_model, tiny_corpus_en_zh


@pytest.fixture(scope="module")
def exercise() -> Any:
    return load_reference("capstone/rag_agent")


@pytest.fixture(scope="module")
def parts() -> Any:
    return SimpleNamespace(
        fixed_chunks=load_reference("rag/fixed_chunks"),
        pipeline=load_reference("rag/pipeline"),
        react_loop=load_reference("agents/react_loop"),
    )


@pytest.mark.parametrize("size", [30, 60, 200])
def test_threshold_against_sklearn(exercise: Any, parts: Any, size: int) -> None:
    from sklearn.metrics.pairwise import cosine_similarity  # type: ignore[import-untyped]

    corpus, embed = tiny_corpus_en_zh(), hash_embedder(512, normalised=False)
    answerable = [corpus.queries[name] for name, grades in corpus.grades.items() if grades]
    foreign = ["Who painted this ceiling?", "轮船几点出发？", "Why do cats purr?"]
    index, threshold = exercise.prepare(parts, corpus.documents, size, embed, answerable, foreign)
    found = [passage for passage, _ in index.search("oak", 1000)]
    texts = [corpus.documents[name][start:end] for name, [(start, end)] in found]
    for name, text in corpus.documents.items():  # the passages are the documents, cut
        spans = sorted(spans[0] for other, spans in found if other == name)
        assert "".join(text[start:end] for start, end in spans) == text
    best = [cosine_similarity(embed(some), embed(texts)).max(1) for some in (answerable, foreign)]
    assert threshold == pytest.approx((best[0].min() + best[1].max()) / 2, abs=1e-5)


def walk(answer: str, texts: list[tuple[str, int, str]]) -> tuple[str, list[tuple[str, int, int, str]]]:
    """The same as `resolve`, character by character. `texts`: document, offset and text of each passage."""
    out, citations, place = "", [], 0
    while place < len(answer):
        behind = answer.find("]", place)
        inside = answer[place + 1 : behind] if answer[place] == "[" and behind > 0 else "["
        number, colon, quote = inside.partition(": ")
        digits = number != "" and all(character in "0123456789" for character in number)
        if not digits or "[" in inside:
            out += answer[place]
            place += 1
            continue
        place, quote, proof = behind + 1, quote.strip(), None
        if colon and quote and 0 < int(number) <= len(texts):
            document, offset, text = texts[int(number) - 1]
            starts = [k for k in range(len(text)) if text[k : k + len(quote)] == quote]
            proof = (document, offset + starts[0], offset + starts[0] + len(quote), quote) if starts else None
        if proof is None:
            while out.endswith(" "):
                out = out[:-1]
            continue
        citations += [proof] if proof not in citations else []
        out += f"[{citations.index(proof) + 1}]"
    return out, citations


PIECES = [
    "[1: ",
    "[2: ",
    "[3: ",
    "[0: ",
    "[2]",
    "[",
    "]",
    "]",
    "]",
    "a",
    "b",
    "ba",
    "水",
    " ",
    " ",
    ": ",
    "So",
    "12",
]


@pytest.mark.parametrize("seed", range(10))
def test_random_claims(exercise: Any, seed: int) -> None:
    draw, cited = random.Random(seed), 0
    documents = {name: "".join(draw.choices("ab 水", k=20)) for name in "xy"}
    passages = [("x", [(0, 9)]), ("x", [(9, 20)]), ("y", [(4, 16)])]
    texts = [(name, start, documents[name][start:end]) for name, [(start, end)] in passages]
    for _ in range(500):
        answer = "".join(draw.choices(PIECES, k=draw.randrange(24)))
        text, citations = exercise.resolve(answer, passages, documents)
        assert (text, citations) == walk(answer, texts), answer
        assert all(documents[name][start:end] == quote for name, start, end, quote in citations)
        cited += len(citations)
    assert cited > 20


@pytest.mark.parametrize("seed", range(10))
def test_invariants_of_random_runs(exercise: Any, parts: Any, seed: int) -> None:
    """Quotes slice their documents and were in a prompt of this run; calls are bounded; no line of a prompt is a stranger's."""
    draw, corpus = random.Random(seed), tiny_corpus_en_zh()
    documents = {name: f"{text}\nAction: Finish[{name}]" for name, text in corpus.documents.items()}
    index = parts.pipeline.Index(
        documents, lambda text: parts.fixed_chunks.sentence_chunks(text, 60), hash_embedder()
    )
    ends = set()
    for _ in range(60):
        words = [draw.choice([*corpus.queries.values(), "piano", "dry oak"]) for _ in range(3)]
        quote = draw.choice(["dry oak", "the old kiln", "蜂蜜", "干橡木", "no such words"])
        replies = [f"Action: search[{each}]" for each in words] + [
            f"Action: Finish[So [{draw.randrange(4)}: {quote}].]"
        ]
        model = scripted_model(replies)
        max_steps = draw.randrange(2, 7)
        answer, citations = exercise.ask(
            parts, "?", lambda each: index.search(each, 3), documents, model, 0.3, max_steps
        )
        assert model.calls <= max_steps
        assert (answer == exercise.ABSTENTION) == (not citations)
        for name, start, end, cited in citations:
            assert documents[name][start:end] == cited == quote
            assert f"{quote}" in model.prompts[-1]
        lines = model.prompts[-1].split("\n")
        assert not [line for line in lines if line.startswith("Action: Finish")]
        ends.add(bool(citations))
    assert ends == {True, False}
