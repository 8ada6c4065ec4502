"""Hidden tests of blocks/embedding."""

import pytest
import torch
from torch import Tensor

from autograder.testing import PROMISES, assert_close, check_promise, check_refusal, compare_gradients

SIZES = [(3, 5, 7, 6), (1, 1, 2, 1), (2, 13, 11, 3), (4, 2, 31, 17)]  # B, T, V, C


def draw(
    batch: int, length: int, vocab: int, d_model: int, dtype: torch.dtype = torch.float32
) -> tuple[Tensor, Tensor, Tensor]:
    """Ids [B, T], a table [V, C] and an upstream gradient [B, T, C], the same at every call; some id repeats."""
    generator = torch.Generator().manual_seed(batch)
    ids = torch.randint(vocab, (batch, length), generator=generator)
    ids[-1, -1] = ids[0, 0]
    assert ids.numel() == 1 or ids.unique().numel() < ids.numel()
    weight = torch.randn(vocab, d_model, generator=generator, dtype=torch.float64)
    upstream = torch.randn(batch, length, d_model, generator=generator, dtype=torch.float64)
    return ids, weight.to(dtype), upstream.to(dtype)


@pytest.mark.points(1)
@pytest.mark.parametrize("size", SIZES)
def test_lookup(student, reference, gradients, size):
    """Each id gives its row times the square root of d_model, and gradients flow into the table.

    zh: 每个编号给出它那一行乘以 d_model 的平方根，梯度能流到表里。
    """
    ids, weight, upstream = draw(*size)
    compare_gradients(gradients, student.embed, reference.embed, ids, weight, upstream=upstream)


@pytest.mark.points(1)
@pytest.mark.parametrize("outside", [-1, -7, 7, 100])
def test_id_outside_the_table(student, outside):
    """An id below 0 or past the last row is an IndexError, not another token's row.

    zh: 编号小于 0 或超出最后一行时抛出 IndexError，而不是给出别的词元的行。
    """
    ids, weight, _ = draw(3, 5, 7, 1)  # a width whose root is 1
    edges = ids.clone()
    edges[0, 1], edges[0, 2] = 0, 6  # both are in the table
    assert_close(student.embed(edges, weight), weight[edges])
    bad = ids.clone()
    bad[1, 2] = outside
    check_refusal(student.embed, (edges, weight), (bad, weight), IndexError)


@pytest.mark.points(1)
@pytest.mark.parametrize("size", SIZES)
def test_repeated_ids(student, reference, size):
    """A row's gradient is the sum over all positions that looked it up, with the scale; other rows get zero.

    zh: 一行的梯度是所有查过它的位置之和，带着那个系数；其余的行为 0。
    """
    ids, _, upstream = draw(*size)
    vocab = size[2]
    expected = reference.embedding_gradient(ids, upstream, vocab)
    assert_close(student.embedding_gradient(ids, upstream, vocab), expected)
    once = torch.zeros(1, 1, dtype=torch.long)  # one position, and rows beyond every id
    assert_close(
        student.embedding_gradient(once, upstream[:1, :1], vocab),
        reference.embedding_gradient(once, upstream[:1, :1], vocab),
    )


@pytest.mark.points(1)
@pytest.mark.parametrize("padding_idx", [4, 0, 6])
def test_padding_row(student, reference, padding_idx):
    """The padding row's gradient is zero, whatever its id; all other rows have theirs.

    zh: 填充那一行的梯度为 0，无论它的编号是几；其余各行照常。
    """
    ids, _, upstream = draw(3, 5, 7, 6)
    ids[0, 1] = ids[2, 3] = padding_idx
    free = reference.embedding_gradient(ids, upstream, 7)
    assert free[padding_idx].abs().min() > 0
    expected = free.clone()
    expected[padding_idx] = 0
    assert_close(student.embedding_gradient(ids, upstream, 7, padding_idx), expected)


@pytest.mark.points(0.5)
@pytest.mark.parametrize("promise", PROMISES)
def test_promises_of_the_gradient(student, reference, unchanged, promise):
    """The right gradient, from any memory layout, in the dtype of the upstream gradient, which stays as it is.

    zh: 梯度正确，输入的内存布局不限，dtype 与上游梯度相同，传入的梯度保持原样。
    """

    def make(dtype: torch.dtype) -> tuple[Tensor, Tensor, int, int]:
        ids, _, upstream = draw(3, 5, 7, 6, dtype)
        return ids, upstream, 7, int(ids[0, 0])

    arguments = make(torch.float32)
    assert_close(student.embedding_gradient(*arguments), reference.embedding_gradient(*arguments))
    check_promise(promise, student.embedding_gradient, make, unchanged)


@pytest.mark.points(1.5)
@pytest.mark.parametrize(("vocab", "new_size"), [(7, 12), (5, 6), (1, 3), (7, 4), (7, 1)])
def test_resize(student, reference, vocab, new_size):
    """Old rows keep their places, each new row is exactly their mean, and a smaller table keeps the first rows.

    zh: 旧行的位置和数值不变，每个新行恰好是旧行的平均；缩小时保留最前面的行。
    """
    weight = draw(2, 3, vocab, 3)[1] + 2  # a mean far from zero
    assert_close(student.resize_embedding(weight, vocab), weight)
    for table in (weight, weight.double()):
        assert_close(student.resize_embedding(table, new_size), reference.resize_embedding(table, new_size))
