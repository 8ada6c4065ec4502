"""The reference of tokenizers/padding_and_batching against transformers, and loops."""

from __future__ import annotations

import random

import pytest
import torch
from torch import Tensor

from autograder.testing import assert_close, load_reference

EMPTY_ROWS = [[], [3, 1, 1], [1], [], [2, 1]]


def drawn(seed: int) -> list[list[int]]:
    """Sequences of 0 to 9 tokens over a vocabulary of 5, the padding's id 1 among them."""
    draw = random.Random(seed)
    return [[draw.randrange(5) for _ in range(draw.randrange(10))] for _ in range(draw.randrange(1, 8))]


@pytest.mark.parametrize("sequences", [EMPTY_ROWS, [[]], *map(drawn, range(20))])
@pytest.mark.parametrize("side", ["left", "right"])
def test_against_transformers(sequences: list[list[int]], side: str) -> None:
    from tokenizers import Tokenizer, models
    from transformers import GenerationMixin, PreTrainedTokenizerFast

    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer(models.WordLevel({"the": 0, "</s>": 1}, unk_token="the")),
        pad_token="</s>",
        eos_token="</s>",
    )
    padded = tokenizer.pad({"input_ids": sequences}, padding=True, padding_side=side, return_tensors="pt")
    ids, mask, position_ids = load_reference("tokenizers/padding_and_batching").pad_batch(sequences, 1, side)
    assert_close(ids, padded["input_ids"])
    assert_close(mask, padded["attention_mask"])
    generated: Tensor = GenerationMixin._prepare_position_ids_for_generation(
        None, padded["input_ids"], {"attention_mask": padded["attention_mask"]}
    )
    if ids.shape[1]:
        assert_close(position_ids, generated)


@pytest.mark.parametrize("max_length", [1, 4, 9])
@pytest.mark.parametrize("truncation_side", ["left", "right"])
@pytest.mark.parametrize("padding_side", ["left", "right"])
def test_truncation_by_loops(padding_side: str, truncation_side: str, max_length: int) -> None:
    reference = load_reference("tokenizers/padding_and_batching")
    for seed in range(10):
        sequences = drawn(seed)
        cut = []
        for sequence in sequences:
            row = list(sequence)
            while len(row) > max_length:
                row.pop(0 if truncation_side == "left" else -1)
            cut.append(row)
        actual = reference.pad_batch(sequences, 1, padding_side, max_length, truncation_side)
        assert_close(actual, reference.pad_batch(cut, 1, padding_side))
        for table in actual:
            assert table.dtype == torch.int64


def test_buckets_by_loops() -> None:
    reference = load_reference("tokenizers/padding_and_batching")
    for seed in range(20):
        lengths = [len(sequence) for sequence in drawn(seed) + drawn(seed + 1)]
        batch_size = 1 + seed % 5
        left, expected = list(range(len(lengths))), []
        while left:
            shortest = min(left, key=lambda index: (lengths[index], index))
            left.remove(shortest)
            if not expected or len(expected[-1]) == batch_size:
                expected.append([])
            expected[-1].append(shortest)
        assert reference.length_buckets(lengths, batch_size) == expected
    assert reference.length_buckets([], 3) == []
