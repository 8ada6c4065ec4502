import pytest
import torch

from autograder.testing import assert_close


@pytest.mark.points(2)
def test_affine_by_hand(student):
    """Twice the input, plus one.

    zh: 输入的两倍再加一。
    """
    assert_close(student.affine(torch.tensor([[1.0, -2.0]]), 2.0, 1.0), torch.tensor([[3.0, -3.0]]))


@pytest.mark.points(2)
@pytest.mark.parametrize("shift", [0.0, 5.0])
def test_normalise_by_hand(student, shift):
    """The row 1, 3 becomes -1, 1, wherever it lies.

    zh: 一行 1、3 变成 -1、1，与所在位置无关。
    """
    assert_close(student.normalise(torch.tensor([[1.0, 3.0]]) + shift), torch.tensor([[-1.0, 1.0]]))
