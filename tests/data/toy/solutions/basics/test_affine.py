import pytest
import torch

from autograder.testing import assert_close


@pytest.mark.points(4)
@pytest.mark.parametrize("width", [3, 7])
def test_affine(student, reference, width):
    """The input is scaled first and shifted afterwards.

    zh: 先缩放，后平移。
    """
    x = torch.randn(5, width)
    assert_close(student.affine(x, 1.7, -0.6), reference.affine(x, 1.7, -0.6))


@pytest.mark.points(4)
def test_normalise(student, reference):
    """Every row has mean 0 and standard deviation 1.

    zh: 每一行均值为 0、标准差为 1。
    """
    x = torch.randn(6, 5) * 3 + 2
    assert_close(student.normalise(x), reference.normalise(x))
