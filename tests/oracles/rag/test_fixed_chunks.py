"""The chunkers of the reference against `langchain-text-splitters`, and invariants on generated texts."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autograder.testing import load_reference

PIECES = ["low", "lowest", "a", " ", " ", "\n", "\n\n", "\n\n\n", ". ", "é" * 11]
PIECES += ["。", "？”", "，", "人工智能", "😀"]
SEPARATORS = ["\n\n", "\n", "。", ". ", "，", " "]

texts = st.lists(st.sampled_from(PIECES), max_size=40).map("".join)
windows = st.integers(1, 30).flatmap(lambda size: st.tuples(st.just(size), st.integers(0, size - 1)))


@pytest.fixture(scope="module")
def chunkers():
    return load_reference("rag/fixed_chunks")


def random_texts(seed, number):
    rng = random.Random(seed)
    for _ in range(number):
        size = rng.randint(1, 30)
        yield "".join(rng.choices(PIECES, k=rng.randint(0, 40))), size, rng.randrange(size)


def check(text, chunks, size, overlap):
    """What the statement promises of every chunker that counts characters."""
    previous_start, previous_end = 0, 0
    for start, end, part in chunks:
        assert part == text[start:end] and 1 <= end - start <= size
        assert previous_start <= start <= previous_end < end
        assert previous_end - start <= overlap
        previous_start, previous_end = start, end
    assert previous_end == len(text)


def test_recursive_chunks_are_langchains(chunkers):
    from langchain_text_splitters import RecursiveCharacterTextSplitter

    rng = random.Random(0)
    for text, size, overlap in random_texts(1, 1500):
        separators = rng.sample(SEPARATORS, k=rng.randint(0, len(SEPARATORS)))
        splitter = RecursiveCharacterTextSplitter(
            chunk_size=size,
            chunk_overlap=overlap,
            separators=[
                *separators,
                "",
            ],  # "" stands for the cut by characters that the exercise always ends with
            keep_separator="end",
            strip_whitespace=False,
        )
        chunks = chunkers.recursive_chunks(text, size, overlap, separators)
        assert [part for _, _, part in chunks] == splitter.split_text(text)
        check(text, chunks, size, overlap)


def test_character_chunks_are_langchains(chunkers):
    from langchain_text_splitters import CharacterTextSplitter

    for text, size, overlap in random_texts(2, 500):
        splitter = CharacterTextSplitter(
            separator="", chunk_size=size, chunk_overlap=overlap, strip_whitespace=False
        )
        chunks = chunkers.character_chunks(text, size, overlap)
        assert [part for _, _, part in chunks] == splitter.split_text(text)
        check(text, chunks, size, overlap)


def test_token_chunks_are_langchains(chunkers):
    """LangChain's windows of tokens; sentences serve as the tokens."""
    from langchain_text_splitters.base import Tokenizer, split_text_on_tokens

    for text, size, overlap in random_texts(3, 500):
        text = text.replace("a", "。 ")
        spans = chunkers.sentence_spans(text)
        pieces = [text[start:end] for start, end in spans]
        tokenizer = Tokenizer(
            chunk_overlap=overlap,
            tokens_per_chunk=size,
            decode=lambda ids, pieces=pieces: "".join(pieces[each] for each in ids),
            encode=lambda _, pieces=pieces: list(range(len(pieces))),
        )
        theirs = split_text_on_tokens(text=text, tokenizer=tokenizer) if text else []
        chunks = chunkers.token_chunks(text, lambda _, spans=spans: spans, size, overlap)
        assert [part for _, _, part in chunks] == theirs


def test_token_chunks_with_a_byte_level_tokeniser(chunkers):
    """A real byte-level tokeniser without merges: a Chinese character is three tokens with one span."""
    from tokenizers import Tokenizer, models, pre_tokenizers

    tokenizer = Tokenizer(
        models.BPE({each: i for i, each in enumerate(pre_tokenizers.ByteLevel.alphabet())}, [])
    )
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, trim_offsets=False)
    for text, size, overlap in random_texts(4, 300):
        encoding = tokenizer.encode(text)
        assert len(encoding.offsets) == len(text.encode())
        chunks = chunkers.token_chunks(text, lambda _, encoding=encoding: encoding.offsets, size, overlap)
        ends = [0, *(end for _, end, _ in chunks)]
        assert ends == sorted(set(ends)) and ends[-1] == len(text)
        assert all(part == text[start:end] != "" for start, end, part in chunks)
        assert overlap or "".join(part for _, _, part in chunks) == text


@settings(max_examples=300, deadline=None, derandomize=True)
@given(text=st.one_of(texts, st.text(max_size=60)), window=windows)
def test_invariants_of_every_chunker(chunkers, text, window):
    size, overlap = window
    for chunks in (
        chunkers.character_chunks(text, size, overlap),
        chunkers.sentence_chunks(text, size, overlap),
        chunkers.recursive_chunks(text, size, overlap),
    ):
        check(text, chunks, size, overlap)
    single = [(place, place + 1) for place in range(len(text))]
    assert chunkers.pack_spans(text, single, size, overlap) == chunkers.character_chunks(text, size, overlap)
    assert chunkers.token_chunks(text, lambda _: single, size, overlap) == chunkers.character_chunks(
        text, size, overlap
    )


@settings(max_examples=300, deadline=None, derandomize=True)
@given(text=st.text(alphabet='ab好。！？….!?”」)" \u3000\n3', max_size=40))
def test_sentences_end_where_the_statement_says(chunkers, text):
    """Every inner border, and no other place, satisfies the rule as it is read for one place."""
    spans = chunkers.sentence_spans(text)
    assert [end for _, end in spans[:-1]] == [start for start, _ in spans[1:]]
    assert "".join(text[start:end] for start, end in spans) == text

    def is_border(place):
        before, after = text[:place].rstrip(), text[place : place + 1]
        if after.isspace():
            return False
        tail = before[len(before.rstrip('。！？….!?”」)"')) :].lstrip('”」)"')
        if not tail:
            return False
        if before == text[:place]:
            in_tail = after != "" and after in '。！？….!?”」)"'
            return not in_tail and any(mark in tail for mark in "。！？…")
        return True

    assert [end for _, end in spans[:-1]] == [place for place in range(1, len(text)) if is_border(place)]


def test_bad_windows_are_errors(chunkers):
    for size, overlap in [(0, 0), (-1, 0), (3, 3), (3, 4), (3, -1)]:
        for text in ("", "a b", "a。b" * 5):
            for chunk in (chunkers.character_chunks, chunkers.sentence_chunks, chunkers.recursive_chunks):
                with pytest.raises(ValueError):
                    chunk(text, size, overlap)
            with pytest.raises(ValueError):
                chunkers.token_chunks(text, lambda source: [(0, len(source))], size, overlap)
