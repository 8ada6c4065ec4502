"""Public tests of rag/dense_retrieval: examples small enough to do by hand."""

import pytest
import torch

from autograder.testing import assert_close


@pytest.mark.points(1)
def test_direction_not_length(student):
    """(0.5, 0) points where the query points: cosine 1. (3, 4) is longer, but its cosine is 0.6.

    zh: (0.5, 0) 与查询同方向，余弦是 1；(3, 4) 更长，余弦却只有 0.6。
    """
    documents = torch.tensor([[3.0, 4.0], [0.5, 0.0], [-1.0, 0.0]])
    scores, indices = student.cosine_top_k(torch.tensor([[2.0, 0.0]]), documents, 2)
    assert_close(indices, torch.tensor([[1, 0]]))
    assert_close(scores, torch.tensor([[1.0, 0.6]]))
    assert_close(student.cosine_top_k(torch.tensor([[2.0, 0.0]]), documents, 9)[1], torch.tensor([[1, 0, 2]]))


@pytest.mark.points(1)
def test_mmr_by_hand(student):
    """Document 1 is nearly a copy of 0: 0.5 x 0.8 - 0.5 x 0.9 < 0.5 x 0.5 - 0.5 x 0.2, so 2 comes second.

    zh: 文档 1 几乎是 0 的翻版：0.5 x 0.8 - 0.5 x 0.9 < 0.5 x 0.5 - 0.5 x 0.2，所以第二篇选 2。
    """
    relevance = torch.tensor([0.9, 0.8, 0.5])
    similarity = torch.tensor([[1.0, 0.9, 0.2], [0.9, 1.0, 0.1], [0.2, 0.1, 1.0]])
    assert_close(student.mmr(relevance, similarity, 2, 0.5), [0, 2])
    assert_close(student.mmr(relevance, similarity, 3, 1.0), [0, 1, 2])


@pytest.mark.points(1)
def test_fusion_by_hand(student):
    """a is first and second: 1/61 + 1/62. c is third and first: 1/63 + 1/61. b is in one list only: 1/62. Ties go by id.

    zh: a 是第一和第二：1/61 + 1/62；c 是第三和第一：1/63 + 1/61；b 只在一份列表里：1/62。同分按 id 排。
    """
    fused = student.fuse_rankings([["a", "b", "c"], ["c", "a"]])
    assert_close(fused, [("a", 1 / 61 + 1 / 62), ("c", 1 / 63 + 1 / 61), ("b", 1 / 62)])
    tied = student.fuse_rankings([["y", "m", "x"], ["x", "m", "y"]])
    assert [name for name, _ in tied] == ["x", "y", "m"]


@pytest.mark.points(1)
def test_late_interaction_by_hand(student):
    """Each query token finds -0.5 at best, so the score is -1; the third document token is padding.

    zh: 查询的两个词元各自最多得 -0.5，所以得分是 -1；文档的第三个词元是填充。
    """
    query = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    documents = torch.tensor([[[-1.0, -0.5], [-0.5, -1.0], [0.0, 0.0]]])
    mask = torch.tensor([[True, True, False]])
    assert_close(student.maxsim(query, documents, torch.tensor([True, True]), mask), torch.tensor([-1.0]))
    # With the second query token padded, only the first counts.
    assert_close(student.maxsim(query, documents, torch.tensor([True, False]), mask), torch.tensor([-0.5]))
