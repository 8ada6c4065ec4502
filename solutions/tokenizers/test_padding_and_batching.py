"""Hidden tests of tokenizers/padding_and_batching."""

from typing import Literal

import pytest
import torch

from autograder.testing import assert_close, ragged_batch
from autograder.testing.batches import RaggedBatch

LENGTHS = (3, 7, 1, 5)
SIDES = ("left", "right")


def sentences(
    lengths: tuple[int, ...], side: Literal["left", "right"], pad_id: int
) -> tuple[list[list[int]], RaggedBatch]:
    """Random lists of ids, the same on both sides, and what they are as a batch."""
    batch = ragged_batch(lengths, side, pad_id=pad_id)
    rows = zip(batch.ids, batch.mask, strict=True)
    return [ids[mask.bool()].tolist() for ids, mask in rows], batch


@pytest.mark.points(1)
@pytest.mark.parametrize("lengths", [LENGTHS, (4, 4), (1,), (2, 13, 1, 13, 6)])
@pytest.mark.parametrize("side", SIDES)
def test_ids(student, unchanged, lengths, side):
    """Rows have the width of the longest sequence, with padding on the side asked for; the given lists stay as they are.

    zh: 每行与最长的序列同宽，填充在指定的一端；传入的列表保持原样。
    """
    sequences, batch = sentences(lengths, side, pad_id=13)
    assert all(13 not in sequence for sequence in sequences)
    assert_close(student.pad_batch(sequences, 13, side)[0], batch.ids)
    if side == "right":
        assert_close(student.pad_batch(sequences, 13)[0], batch.ids)
    assert unchanged(student.pad_batch, sequences, 13, side), "an argument is changed"


@pytest.mark.points(1)
@pytest.mark.parametrize("side", SIDES)
def test_mask(student, side):
    """The mask is 1 exactly at the real tokens, those with the padding's id too.

    zh: 掩码恰好在真的词元处为 1，编号与填充相同的真词元也算。
    """
    sequences = [[4, 3, 1], [1, 0, 1, 2, 5], [1], [0, 1, 1, 6, 1, 2, 1]]
    mask = ragged_batch([len(sequence) for sequence in sequences], side).mask
    assert_close(student.pad_batch(sequences, 1, side)[1], mask)


@pytest.mark.points(1)
@pytest.mark.parametrize("side", SIDES)
def test_position_ids(student, side):
    """Positions count the real tokens of each row from 0, and are 0 under padding.

    zh: 位置沿每行真的词元从 0 数起，填充处为 0。
    """
    sequences, batch = sentences(LENGTHS, side, pad_id=13)
    assert batch.positions.max() == max(LENGTHS) - 1
    assert_close(student.pad_batch(sequences, 13, side)[2], batch.positions)


@pytest.mark.points(1)
@pytest.mark.parametrize("truncation_side", SIDES)
@pytest.mark.parametrize("padding_side", SIDES)
def test_truncation(student, padding_side, truncation_side):
    """A sequence that is too long loses tokens on the truncation side; rows are as wide as the longest that remains.

    zh: 过长的序列从截断的一端失去词元；行宽等于截断后最长的那条。
    """
    sequences, whole = sentences(LENGTHS, padding_side, pad_id=13)
    limit = 4
    cut = [sequence[-limit:] if truncation_side == "left" else sequence[:limit] for sequence in sequences]
    assert [len(sequence) for sequence in cut] == [3, 4, 1, 4]
    fill = [[13] * (limit - len(sequence)) for sequence in cut]
    pairs = zip(fill, cut, strict=True)
    rows = [pad + row if padding_side == "left" else row + pad for pad, row in pairs]
    ids, mask, _ = student.pad_batch(sequences, 13, padding_side, limit, truncation_side)
    assert_close(ids, torch.tensor(rows))
    assert_close(mask.sum(dim=-1), torch.tensor([3, 4, 1, 4]))
    # No limit, or one that nothing exceeds, changes nothing.
    for generous in (None, max(LENGTHS), max(LENGTHS) + 3):
        ids = student.pad_batch(sequences, 13, padding_side, generous, truncation_side)[0]
        assert_close(ids, whole.ids)


@pytest.mark.points(0.5)
@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("lengths", [(2, 0, 5), (0, 3)])
def test_empty_sequence(student, lengths, side):
    """An empty sequence becomes a row of padding whose mask is 0, and leaves the other rows alone.

    zh: 空序列变成整行填充，掩码全为 0，其他行不受影响。
    """
    sequences, batch = sentences(lengths, side, pad_id=13)
    ids, mask, _ = student.pad_batch(sequences, 13, side)
    assert_close(ids, batch.ids)
    assert_close(mask, batch.mask)


@pytest.mark.points(1.5)
@pytest.mark.parametrize(("number", "batch_size"), [(23, 5), (12, 4), (7, 1), (3, 8)])
def test_buckets(student, unchanged, number, batch_size):
    """Batches go from short to long with equal lengths in their old order, every sample once; the lengths stay as they are.

    zh: 各批由短到长，等长的保持原有先后，每个样本恰好一次；传入的长度保持原样。
    """
    lengths = torch.randint(1, 9, (number,), generator=torch.Generator().manual_seed(number)).tolist()
    assert lengths != sorted(lengths)
    assert number < 5 or len(set(lengths)) < number, "some lengths are equal"
    batches = student.length_buckets(lengths, batch_size)
    # By counting: all samples of length 0, then of length 1, ...
    order = [index for length in range(9) for index in range(number) if lengths[index] == length]
    expected = [order[start : start + batch_size] for start in range(0, number, batch_size)]
    assert_close(batches, expected)
    assert unchanged(student.length_buckets, lengths, batch_size), "an argument is changed"
