"""Public tests of tokenizers/padding_and_batching: examples small enough to check by eye."""

import pytest
import torch

from autograder.testing import assert_close, check_refusal


@pytest.mark.points(1)
@pytest.mark.parametrize("side", ["left", "right"])
def test_padding_by_hand(student, side):
    """Three sentences that end with token 2, padded with 2: the mask knows the end token from the padding, positions start at 0.

    zh: 三个句子都以词元 2 结尾，又拿 2 来填充：掩码分得清结束符与填充，位置从 0 数起。
    """
    ids, mask, position_ids = student.pad_batch([[5, 2], [7, 1, 4, 2], [2]], 2, side)
    if side == "left":
        assert_close(ids, torch.tensor([[2, 2, 5, 2], [7, 1, 4, 2], [2, 2, 2, 2]]))
        assert_close(mask, torch.tensor([[0, 0, 1, 1], [1, 1, 1, 1], [0, 0, 0, 1]]))
        assert_close(position_ids, torch.tensor([[0, 0, 0, 1], [0, 1, 2, 3], [0, 0, 0, 0]]))
    else:
        assert_close(ids, torch.tensor([[5, 2, 2, 2], [7, 1, 4, 2], [2, 2, 2, 2]]))
        assert_close(mask, torch.tensor([[1, 1, 0, 0], [1, 1, 1, 1], [1, 0, 0, 0]]))
        assert_close(position_ids, torch.tensor([[0, 1, 0, 0], [0, 1, 2, 3], [0, 0, 0, 0]]))


@pytest.mark.points(0.5)
def test_unknown_side(student):
    """A side that is neither left nor right is a ValueError, for padding and for truncation.

    zh: 填充或截断的方向既不是 left 也不是 right 时，抛出 ValueError。
    """
    valid = ([[1, 2, 3], [4]], 0, "left", 2, "left")
    check_refusal(student.pad_batch, valid, ([[1, 2, 3], [4]], 0, "middle", 2, "left"), ValueError)
    check_refusal(student.pad_batch, valid, ([[1, 2, 3], [4]], 0, "left", 2, "middle"), ValueError)


@pytest.mark.points(1)
def test_buckets_by_hand(student):
    """Samples 1 and 4 are the shortest and share a batch; sample 0, the longest, is alone in the last one.

    zh: 样本 1 和 4 最短，同在一批；样本 0 最长，独自在最后一批。
    """
    assert_close(student.length_buckets([9, 2, 5, 3, 2], 2), [[1, 4], [3, 2], [0]])
