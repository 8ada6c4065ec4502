"""Public tests of finetuning/packing."""

import math

import pytest
import torch

from autograder.testing import assert_close

SAMPLES = [([5, 6, 7], [-100, 6, 7]), ([8, 9], [8, 9])]  # the second counts from its first token on


@pytest.mark.points(1.5)
def test_bins_by_hand(student):
    """Longest first: 6 and 5 open bins of 9, 4 fits only behind 5, and 3 behind 6; a sample of 10 is refused.

    zh: 从最长的开始：6 和 5 各开一个容量为 9 的箱子，4 只能放在 5 后面，3 放在 6 后面；长度为 10 的样本要拒绝。
    """
    assert student.first_fit_decreasing([3, 6, 4, 5], 9) == [[1, 0], [3, 2]]
    with pytest.raises(ValueError):
        student.first_fit_decreasing([3, 10], 9)


@pytest.mark.points(1)
def test_row_by_hand(student):
    """Samples of 3 and 2 tokens in a row of 6: positions restart, and nothing predicts a sample's first token.

    zh: 3 个和 2 个词元的两条样本放进长度为 6 的一行：位置编号重新从 0 数起，样本的第一个词元不由谁来预测。
    """
    row = student.pack_row(SAMPLES, 6, 0)
    assert_close(row["ids"], torch.tensor([5, 6, 7, 8, 9, 0]))
    assert_close(row["labels"], torch.tensor([-100, 6, 7, -100, 9, -100]))
    assert_close(row["position_ids"], torch.tensor([0, 1, 2, 0, 1, 0]))
    assert_close(row["cu_seqlens"], torch.tensor([0, 3, 5], dtype=torch.int32))


@pytest.mark.points(1.5)
def test_mask_by_hand(student):
    """A token attends to itself and earlier tokens of its own sample, to none of the sample before; padding to itself.

    zh: 词元只看自己和同一条样本里更早的词元，看不到前一条样本；填充只看自己。
    """
    expected = torch.tensor(
        [
            [1, 0, 0, 0, 0, 0],
            [1, 1, 0, 0, 0, 0],
            [1, 1, 1, 0, 0, 0],
            [0, 0, 0, 1, 0, 0],
            [0, 0, 0, 1, 1, 0],
            [0, 0, 0, 0, 0, 1],
        ],
        dtype=torch.bool,
    )
    assert_close(student.pack_row(SAMPLES, 6, 0)["mask"], expected)


@pytest.mark.points(1.5)
def test_losses_by_hand(student):
    """Three tokens of probability 1/2, 1/4, 1/8 and one of 1/64: the mean is 3 log 2 by token, and 4 log 2 by sample.

    zh: 三个词元的概率是 1/2、1/4、1/8，另一条样本的一个词元是 1/64：按词元平均是 3 log 2，按样本平均是 4 log 2。
    """
    right = torch.tensor([1 / 2, 1 / 4, 1 / 8, 1 / 3, 1 / 64, 1 / 5])
    logits = torch.stack([right, 1 - right], dim=-1).log()[None]
    labels = torch.tensor([[-100, 0, 0, 0, -100, 0]])
    boundaries = [torch.tensor([0, 4, 6], dtype=torch.int32)]
    assert_close(student.packed_loss(logits, labels, boundaries), torch.tensor(3 * math.log(2)))
    assert_close(student.packed_loss(logits, labels, boundaries, "sample"), torch.tensor(4 * math.log(2)))
