"""Public tests of compression/quantization: they explain the task. Passing them isn't passing."""

import pytest
import torch

from autograder.testing import assert_close, check_refusal


@pytest.mark.points(1)
@pytest.mark.parametrize(
    "group_size, codes, scales",
    [
        (None, [[127, -60, 4], [102, 0, -127]], [[0.01], [0.1]]),
        (2, [[127, -60, 127], [127, 0, -127]], [[0.01, 0.04 / 127], [10.2 / 127, 0.1]]),
    ],
)
def test_symmetric_by_hand(student, group_size, codes, scales):
    """Each row has its own scale, its largest magnitude over 127; with groups of two columns, each group.

    zh: 每一行有自己的缩放系数，即最大绝对值除以 127；两列一组时，每组一个。
    """
    weight = torch.tensor([[1.27, -0.602, 0.04], [10.2, 0.0, -12.7]])
    found = student.quantize_symmetric(weight, 8, group_size)
    assert_close(found, (torch.tensor(codes, dtype=torch.int8), torch.tensor(scales)))


@pytest.mark.points(1)
@pytest.mark.parametrize("name", ["quantize_symmetric", "quantize_affine"])
def test_bits_that_fit(student, name):
    """Codes of two to eight bits fit into int8; nine bits, or one, are a ValueError.

    zh: 两到八比特的编码放得进 int8；九比特或一比特，抛出 ValueError。
    """
    weight = torch.tensor([[1.0, -2.0, 3.0]])
    for valid, bad in [(8, 9), (2, 1), (4, 16)]:
        check_refusal(getattr(student, name), (weight, valid), (weight, bad), ValueError)


@pytest.mark.points(1)
def test_affine_by_hand(student):
    """From -0.51 to 2.04 there are 255 steps of 0.01; zero has a code of its own. A row needn't hold zero.

    zh: 从 -0.51 到 2.04 正好是 255 步，每步 0.01；零有自己的编码。一行里也可以没有零。
    """
    codes, scales, zero_points = student.quantize_affine(
        torch.tensor([[-0.51, 0.0, 2.04], [2.55, 2.552, 2.55]])
    )
    assert_close(scales, torch.tensor([[0.01], [2.552 / 255]]))
    assert_close(zero_points, torch.tensor([[-77], [-128]], dtype=torch.int8))
    assert_close(codes, torch.tensor([[-128, -77, 127], [127, 127, 127]], dtype=torch.int8))


@pytest.mark.points(1)
def test_product_by_hand(student):
    """100 * 100 + 100 * 100 = 20,000, which no int8 holds; then the scales 0.5 and 0.01 are applied.

    zh: 100 * 100 + 100 * 100 = 20000，int8 放不下；之后再乘缩放系数 0.5 和 0.01。
    """
    hundreds = torch.tensor([[100, 100]], dtype=torch.int8)
    found = student.int8_matmul(hundreds, torch.tensor([[0.5]]), hundreds, torch.tensor([[0.01]]))
    assert_close(found, torch.tensor([[100.0]]))


@pytest.mark.points(1)
def test_bytes_by_hand(student):
    """15 codes of four bits take 8 bytes; 9 groups add two bytes each for the scale, and one for a zero point.

    zh: 15 个四比特的编码占 8 个字节；9 个组各加两个字节的缩放系数，有零点时再加一个字节。
    """
    assert student.stored_bytes(3, 5, 4, 2, False, 2) == 8 + 9 * 2
    assert student.stored_bytes(3, 5, 4, 2, True, 2) == 8 + 9 * 3
