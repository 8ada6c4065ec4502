"""Public tests of blocks/embedding: a table of three rows and four columns, so that the scale is 2."""

import pytest
import torch

from autograder.testing import assert_close, check_refusal

WEIGHT = torch.tensor([[1.0, 2.0, 3.0, 4.0], [0.0, -1.0, 0.5, 2.0], [5.0, 3.0, 1.0, -1.0]])


@pytest.mark.points(1)
def test_embed_by_hand(student):
    """Rows 2 and 0, each doubled: the root of four columns is 2. An id outside the table is an IndexError.

    zh: 第 2 行和第 0 行各乘 2，因为 4 列的平方根是 2；编号不在表内则抛出 IndexError。
    """
    expected = torch.tensor([[[10.0, 6.0, 2.0, -2.0], [2.0, 4.0, 6.0, 8.0]]])
    assert_close(student.embed(torch.tensor([[2, 0]]), WEIGHT), expected)
    for outside in (3, -1):
        bad = torch.tensor([[2, outside]])
        check_refusal(student.embed, (torch.tensor([[2, 0]]), WEIGHT), (bad, WEIGHT), IndexError)


@pytest.mark.points(1)
def test_gradient_by_hand(student):
    """Id 2 stands at two positions: its row gets both gradients, doubled by the scale. Row 1 was not looked up.

    zh: 编号 2 出现在两个位置，它的行得到两份梯度之和，再乘系数 2；第 1 行没有被查到。
    """
    ids = torch.tensor([[2, 0], [2, 0]])
    upstream = torch.tensor(
        [[[1.0, 0.0, 3.0, 0.5], [1.0, 1.0, 0.0, 0.0]], [[2.0, 0.0, -1.0, 0.5], [0.0, 1.0, 4.0, 2.0]]]
    )
    row_0, row_1, row_2 = [2.0, 4.0, 8.0, 4.0], [0.0] * 4, [6.0, 0.0, 4.0, 2.0]
    assert_close(student.embedding_gradient(ids, upstream, 3), torch.tensor([row_0, row_1, row_2]))
    padded = student.embedding_gradient(ids, upstream, 3, 2)
    assert_close(padded, torch.tensor([row_0, row_1, [0.0] * 4]))


@pytest.mark.points(0.5)
def test_resize_by_hand(student):
    """The mean of the three rows is [2, 4/3, 1.5, 5/3]; a table of two rows keeps the first two.

    zh: 三行的平均是 [2, 4/3, 1.5, 5/3]；缩成两行时保留前两行。
    """
    mean = torch.tensor([[2.0, 4 / 3, 1.5, 5 / 3]])
    assert_close(student.resize_embedding(WEIGHT, 5), torch.cat([WEIGHT, mean, mean]))
    assert_close(student.resize_embedding(WEIGHT, 2), WEIGHT[:2])
