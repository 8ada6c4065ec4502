"""The reference of finetuning/packing against transformers, and against the fewest possible bins."""

from __future__ import annotations

import random

import pytest
import torch
import torch.nn.functional as F
from transformers import DataCollatorWithFlattening, GPT2Config, GPT2LMHeadModel

from autograder.testing import assert_close, load_reference

LENGTHS = [4, 9, 2, 6, 1, 5, 3]


def drawn_samples(lengths: list[int], seed: int) -> list[tuple[list[int], list[int]]]:
    draw = random.Random(seed)
    samples = []
    for length in lengths:
        ids = [draw.randrange(23) for _ in range(length)]
        samples.append((ids, [token if draw.random() < 0.7 else -100 for token in ids]))
    return samples


def fewest_bins(lengths: list[int], capacity: int) -> int:
    """By enumeration: the first sample of what is left goes into each bin with room, or into a new one."""
    best = len(lengths)

    def place(left: list[int], rooms: tuple[int, ...]) -> None:
        nonlocal best
        if len(rooms) >= best:
            return
        if not left:
            best = len(rooms)
            return
        for room in set(rooms):
            if left[0] <= room:
                others = list(rooms)
                others.remove(room)
                place(left[1:], (*others, room - left[0]))
        place(left[1:], (*rooms, capacity - left[0]))

    place(sorted(lengths, reverse=True), ())
    return best


@pytest.mark.parametrize("seed", range(4))
def test_bins_are_few(seed: int) -> None:
    """Every sample once, no bin too full, and at most 11/9 of the optimum plus 6/9."""
    reference = load_reference("finetuning/packing")
    draw = random.Random(seed)
    for _ in range(20):
        capacity = draw.randint(5, 20)
        lengths = [draw.randint(1, capacity) for _ in range(draw.randint(1, 9))]
        bins = reference.first_fit_decreasing(lengths, capacity)
        assert sorted(sample for content in bins for sample in content) == list(range(len(lengths)))
        assert all(sum(lengths[sample] for sample in content) <= capacity for content in bins)
        assert len(bins) <= 11 / 9 * fewest_bins(lengths, capacity) + 6 / 9


def test_row_as_flattened() -> None:
    """Ids, labels, positions and boundaries of transformers' collator, which pads nothing."""
    reference = load_reference("finetuning/packing")
    samples = drawn_samples(LENGTHS, 1)
    row = reference.pack_row(samples, sum(LENGTHS), 0)
    collate = DataCollatorWithFlattening(return_flash_attn_kwargs=True)
    expected = collate([{"input_ids": ids, "labels": labels} for ids, labels in samples])
    assert_close(row["ids"], expected["input_ids"][0])
    assert_close(row["labels"], expected["labels"][0])
    assert_close(row["position_ids"], expected["position_ids"][0])
    assert_close(row["cu_seqlens"], expected["cu_seq_lens_q"])


def model() -> GPT2LMHeadModel:
    torch.manual_seed(0)
    config = GPT2Config(vocab_size=23, n_positions=64, n_embd=16, n_layer=2, n_head=2, initializer_range=0.5)
    return GPT2LMHeadModel(config).eval().double()


@pytest.mark.parametrize("by_mask", [True, False])
def test_packed_model_as_unpacked(by_mask: bool) -> None:
    """GPT-2 on packed rows, with our mask or with the one it makes from position resets, is GPT-2 on each sample alone."""
    reference = load_reference("finetuning/packing")
    gpt, samples = model(), drawn_samples(LENGTHS, 2)
    bins = reference.first_fit_decreasing(LENGTHS, 12)
    rows = [reference.pack_row([samples[sample] for sample in content], 12, 5) for content in bins]
    alone = {}
    for content, row in zip(bins, rows, strict=True):
        masks = {"attention_mask": row["mask"][None, None]} if by_mask else {}
        packed = gpt(
            input_ids=row["ids"][None], position_ids=row["position_ids"][None], use_cache=False, **masks
        ).logits[0]
        row["logits"] = packed
        begin = 0
        for sample in content:
            ids, labels = samples[sample]
            own = gpt(input_ids=torch.tensor([ids]), use_cache=False).logits[0]
            assert_close(packed[begin : begin + len(ids)], own)
            alone[sample] = F.cross_entropy(
                own[:-1], torch.tensor(labels[1:], dtype=torch.long), reduction="none"
            )
            begin += len(ids)
    logits = torch.stack([row["logits"] for row in rows])
    labels = torch.stack([row["labels"] for row in rows])
    boundaries = [row["cu_seqlens"] for row in rows]
    counts = {sample: sum(label != -100 for label in samples[sample][1][1:]) for sample in alone}
    tokens = sum(loss.sum() for loss in alone.values()) / sum(counts.values())
    means = torch.stack([alone[sample].sum() / counts[sample] for sample in alone if counts[sample]]).mean()
    for weighting, expected in (("token", tokens), ("sample", means)):
        parameters = list(gpt.parameters())
        actual = reference.packed_loss(logits, labels, boundaries, weighting)
        assert_close(actual, expected)
        ours = torch.autograd.grad(actual, parameters, retain_graph=True)
        theirs = torch.autograd.grad(expected, parameters, retain_graph=True)
        for left, right in zip(ours, theirs, strict=True):
            assert (left - right).abs().max() < 1e-9
