"""Public tests of rag/vector_index: examples small enough to do by hand."""

import pytest
import torch

from autograder.testing import assert_close, check_refusal


@pytest.mark.points(1)
def test_kmeans_by_hand(student):
    """In one round the centre 1 moves to 2, the mean of 0, 1 and 5; then 5 is nearer to 7, and 20 keeps its place.

    zh: 一轮之后，中心 1 移到 0、1、5 的均值 2；这时 5 离 7 更近；中心 20 没有向量，留在原处。
    """
    vectors = torch.tensor([[0.0], [1.0], [5.0], [6.0], [8.0]])
    centres, cells = student.kmeans(vectors, torch.tensor([[1.0], [9.5], [20.0]]), 1)
    assert_close(centres, torch.tensor([[2.0], [7.0], [20.0]]))
    assert_close(cells, torch.tensor([0, 0, 1, 1, 1]))


@pytest.mark.points(1)
def test_cells_by_hand(student):
    """From 4 the cells 0 and 1 are nearest, and their vectors compete: 5 has id 30, 2 has id 70. Cell 2 isn't read.

    zh: 离 4 最近的是单元 0 和 1，两个单元的向量放在一起比：5 的 id 是 30，2 的 id 是 70。单元 2 不读。
    """
    store = {
        0: (torch.tensor([50, 70]), torch.tensor([[0.0], [2.0]])),
        1: (torch.tensor([30, 10]), torch.tensor([[5.0], [8.0]])),
    }
    found = student.search_cells(
        torch.tensor([4.0]), torch.tensor([[1.0], [6.0], [20.0]]), lambda cell: store[cell], 2, 2
    )
    assert_close(found, (torch.tensor([1.0, 4.0]), torch.tensor([30, 70])))


CODEBOOKS = torch.tensor([[[0.0, 0.0], [4.0, 0.0]], [[1.0, 1.0], [3.0, 5.0]]])


@pytest.mark.points(1)
def test_codes_by_hand(student):
    """(3, 1) is nearest to (4, 0), number 1 of the first codebook, and (2, 2) to (1, 1), number 0 of the second; 5 numbers are refused.

    zh: (3, 1) 离第一个码本的 1 号 (4, 0) 最近，(2, 2) 离第二个码本的 0 号 (1, 1) 最近；长度为 5 的向量会被拒绝。
    """
    quantizer = student.ProductQuantizer(CODEBOOKS)
    vectors = torch.tensor([[3.0, 1.0, 2.0, 2.0], [1.0, -1.0, 3.0, 4.0]])
    assert_close(quantizer.encode(vectors), torch.tensor([[1, 0], [0, 1]], dtype=torch.uint8))
    check_refusal(quantizer.encode, (vectors,), (torch.zeros(4, 5),), ValueError)


@pytest.mark.points(1)
def test_table_by_hand(student):
    """The query (3, 1, 2, 2) isn't coded: code (1, 0) is (4, 0, 1, 1) and lies at 2 + 2 = 4, code (1, 1) at 2 + 10 = 12.

    zh: 查询 (3, 1, 2, 2) 不编码：编码 (1, 0) 即 (4, 0, 1, 1)，距离 2 + 2 = 4；编码 (1, 1) 距离 2 + 10 = 12。
    """
    codes = torch.tensor([[0, 1], [1, 1], [1, 0]], dtype=torch.uint8)
    found = student.ProductQuantizer(CODEBOOKS).search(torch.tensor([3.0, 1.0, 2.0, 2.0]), codes, 2)
    assert_close(found, (torch.tensor([4.0, 12.0]), torch.tensor([2, 1])))
