"""The reference against `tokenizers`, `tiktoken` and `regex`."""

import json
import os
import random
from itertools import pairwise

import pytest

from autograder.testing import load_reference

os.environ["TOKENIZERS_PARALLELISM"] = "false"  # its threads would outlive a fork

# GPT-2's own pattern, as published with the model.
GPT2 = r"""'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"""
PIECES = ["low", "lower", " newest", "wide", "aaa", "12", "_x", "'ll", " ", "\n", "\t"]
PIECES += ["人工智能", "，", "。", "é", "ß", "👩‍👧"]


@pytest.fixture(scope="module")
def ref():
    return load_reference("tokenizers/byte_pair_encoding")


def texts(seed: int, number: int = 30) -> list[str]:
    rng = random.Random(seed)
    return ["".join(rng.choices(PIECES, k=rng.randint(0, 40))) for _ in range(number)]


def alphabet_in_byte_order() -> dict[int, str]:
    """A printable character for each byte, in the order of the bytes: ids and ties then equal ours."""
    return {byte: chr(0x4E00 + byte) for byte in range(256)}


def trained(words: dict[tuple[int, ...], int], num_merges: int, min_count: int) -> list[tuple[int, int]]:
    """Merges from `tokenizers`, with bytes spelled by `alphabet_in_byte_order`."""
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    spell = alphabet_in_byte_order()
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    trainer = trainers.BpeTrainer(
        vocab_size=256 + num_merges,
        min_frequency=min_count,
        show_progress=False,
        initial_alphabet=list(spell.values()),
    )
    corpus = (" ".join(["".join(map(spell.__getitem__, word))] * count) for word, count in words.items())
    tokenizer.train_from_iterator(corpus, trainer)
    model = json.loads(tokenizer.to_str())["model"]
    return [(model["vocab"][left], model["vocab"][right]) for left, right in model["merges"]]


@pytest.mark.parametrize("seed", range(12))
def test_training_with_ties(ref, seed):
    """Random words over few letters: nearly every step is a tie, and runs of one letter abound."""
    rng = random.Random(seed)
    letters = rng.sample(range(256), k=rng.randint(1, 6))
    words = {}
    for _ in range(rng.randint(1, 60)):
        words[tuple(rng.choices(letters, k=rng.randint(1, 12)))] = rng.randint(1, 4)
    min_count = rng.randint(1, 3)
    assert ref.train_merges(words, 200, min_count) == trained(words, 200, min_count)


def test_training_on_text(ref):
    words = ref.count_words("".join(texts(1, 80)))
    for min_count in (1, 2):
        merges = ref.train_merges(words, 150, min_count)
        assert merges == trained(words, 150, min_count)
    assert len(merges) > 50


def test_against_the_byte_level_trainer(ref):
    """GPT-2's pipeline as a whole, on lower case letters: there its alphabet of bytes is in our order."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    rng = random.Random(2)
    corpus = ["".join(rng.choices("abcdeflowrst", k=rng.randint(1, 9))) for _ in range(400)]
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=256 + 120, min_frequency=2, show_progress=False, initial_alphabet=alphabet
    )
    tokenizer.train_from_iterator(corpus, trainer)
    words: dict[tuple[int, ...], int] = {}
    for line in corpus:
        for word, count in ref.count_words(line).items():
            words[word] = words.get(word, 0) + count
    merges = ref.train_merges(words, 120)

    def spelling(ids):
        return "".join(ref.decode([each], merges) for each in ids)

    theirs = [tuple(pair) for pair in json.loads(tokenizer.to_str())["model"]["merges"]]
    assert [(spelling([left]), spelling([right])) for left, right in merges] == theirs
    for text in [*corpus[:50], "wolf! flow, lowers tread's  4 deeds", *texts(3)]:
        ids, encoding = ref.encode(text, merges), tokenizer.encode(text)
        assert len(ids) == len(encoding.ids)
        assert tokenizer.decode(encoding.ids) == ref.decode(ids, merges) == text


@pytest.fixture(scope="module")
def encoding(ref):
    """Merges learned from mixed text, special tokens, and tiktoken with the same ranks and specials."""
    import tiktoken

    merges = ref.train_merges(ref.count_words("".join(texts(4, 80))), 120)
    spelling = [bytes([byte]) for byte in range(256)]
    for left, right in merges:
        spelling.append(spelling[left] + spelling[right])
    special = {"<|end|>": 376, "[pad]": 380, "〈终〉": 390}
    ranks = {each: number for number, each in enumerate(spelling)}
    assert len(ranks) == 376
    return (
        merges,
        special,
        tiktoken.Encoding("test", pat_str=GPT2, mergeable_ranks=ranks, special_tokens=special),
    )


def test_encode_against_tiktoken(ref, encoding):
    merges, _, theirs = encoding
    for text in ["", *texts(5, 300)]:
        ids = ref.encode(text, merges)
        assert ids == theirs.encode_ordinary(text)
        assert ref.decode(ids, merges) == theirs.decode(ids) == text


def test_special_tokens_against_tiktoken(ref, encoding):
    merges, special, theirs = encoding
    rng = random.Random(6)
    for text in texts(7, 200):
        for name in special:
            place = rng.randint(0, len(text))
            text = text[:place] + name + text[place:]
        allowed = set(rng.sample(sorted(special), k=rng.randint(0, 3)))
        ids = ref.encode(text, merges, special, allowed)
        assert ids == theirs.encode(text, allowed_special=allowed, disallowed_special=())
        assert ref.decode(ids, merges, special) == text


def test_decode_of_random_ids(ref, encoding):
    merges, special, theirs = encoding
    rng = random.Random(8)
    for _ in range(300):
        ids = rng.choices([*range(376), *special.values()], k=rng.randint(0, 30))
        assert ref.decode(ids, merges, special) == theirs.decode(ids, errors="replace")


def test_pattern_differs_from_gpt2_only_in_odd_numerals_and_controls(ref):
    """The exercise's pattern against GPT-2's: alike but for odd numerals and four controls."""
    import unicodedata

    import regex

    controls = {chr(code) for code in range(0x1C, 0x20)}
    # All scripts but the Chinese characters and Hangul syllables, of which one in sixteen will do.
    codes = [
        *range(0x3400),
        *range(0x3400, 0xD800, 16),
        *range(0xE000, 0x20000),
        *range(0x20000, 0x110000, 16),
    ]
    characters = [chr(code) for code in codes]
    # Unassigned ones differ between the libraries' versions of Unicode; private ones are all alike.
    known = [each for each in characters if unicodedata.category(each) not in ("Cn", "Co")]
    alike = [
        each for each in known if each not in controls and unicodedata.category(each) not in ("No", "Nl")
    ]
    assert len(known) > 30_000 and len(known) - len(alike) < 1_300
    text = "".join(f"a{each}1{each} {each}.\n{each}" for each in alike)
    assert ref.split_words(text) == regex.findall(GPT2, text)
    for each in controls | {"²", "½", "Ⅻ"}:
        assert ref.split_words(f"a{each}!") != regex.findall(GPT2, f"a{each}!")
    for text in texts(9, 300):
        assert ref.split_words(text) == regex.findall(GPT2, text)
        assert "".join(ref.split_words(text)) == text


def test_changes_are_the_difference_of_counts(ref):
    rng = random.Random(10)
    for _ in range(500):
        ids = rng.choices([5, 6, 300], k=rng.randint(0, 12))
        pair = rng.choice([*pairwise(ids), (5, 5), (5, 6)])
        merged, changes = ref.merge_word(ids, pair, 301)
        before, after = ref.count_pairs({tuple(ids): 1}), ref.count_pairs({tuple(merged): 1})
        assert changes == {
            each: after.get(each, 0) - before.get(each, 0)
            for each in before | after
            if after.get(each, 0) != before.get(each, 0)
        }
        assert [part for each in merged for part in (pair if each == 301 else (each,))] == ids
