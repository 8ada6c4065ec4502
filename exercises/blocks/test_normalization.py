"""Public tests of blocks/normalization: small examples by hand. Passing them isn't passing."""

import pytest
import torch

from autograder.testing import assert_close, own_or_given


@pytest.mark.points(1.5)
def test_batch_norm_by_hand(student):
    """Deviations of 4 and eps 9 give a root of 5; the unbiased variance 64/3 enters the running one.

    zh: 偏差为 4，eps 为 9，根号得 5；进入运行方差的是无偏方差 64/3。
    """
    x = torch.tensor([[2.0, 20.0], [10.0, 12.0], [2.0, 12.0], [10.0, 20.0]])
    module = student.BatchNorm1d(2, 9.0, 0.25)
    module.load_state_dict(
        {
            "weight": torch.tensor([5.0, 10.0]),
            "bias": torch.tensor([0.0, 1.0]),
            "running_mean": torch.tensor([0.0, 0.0]),
            "running_var": torch.tensor([1.0, 4.0]),
        }
    )
    assert_close(module(x), torch.tensor([[-4.0, 9.0], [4.0, -7.0], [-4.0, -7.0], [4.0, 9.0]]))
    state = module.state_dict()
    assert_close(
        state["running_mean"], torch.tensor([6 / 4, 16 / 4]), message="a quarter of the batch's mean"
    )
    assert_close(
        state["running_var"],
        torch.tensor([3 / 4 + 16 / 3, 3 + 16 / 3]),
        message="three quarters of what was there and a quarter of 64/3",
    )


@pytest.mark.points(1.5)
def test_one_row(student):
    """One row can be normalized in evaluation mode, with the running statistics; in training it is a ValueError.

    zh: 评估模式下一行也能用运行统计量归一化；训练模式下只有一行则抛出 ValueError。
    """
    module = student.BatchNorm1d(2, 9.0, 0.25)
    module.load_state_dict(
        {
            "weight": torch.tensor([5.0, 10.0]),
            "bias": torch.tensor([0.0, 1.0]),
            "running_mean": torch.tensor([1.0, 2.0]),
            "running_var": torch.tensor([16.0, 0.0]),
        }
    )
    module.eval()
    assert_close(module(torch.tensor([[2.0, 5.0]])), torch.tensor([[1.0, 11.0]]))
    module.train()
    with pytest.raises(ValueError):
        module(torch.tensor([[2.0, 5.0]]))


@pytest.mark.points(1.5)
def test_layer_norm_by_hand(student):
    """Each token for itself: 1, 3, 5, 7 has mean 4, variance 5 and, with eps 4, the root 3. A constant token gives the bias.

    zh: 每个词元各算各的：1、3、5、7 的均值是 4，方差是 5，加上 eps = 4 后根号得 3。各特征相等的词元得到偏置。
    """
    x = torch.tensor([[[1.0, 3.0, 5.0, 7.0], [8.0, 8.0, 8.0, 8.0]]])
    weight, bias = torch.tensor([3.0, 3.0, 6.0, 9.0]), torch.tensor([0.0, 1.0, 2.0, 3.0])
    expected = torch.tensor([[[-3.0, 0.0, 4.0, 12.0], [0.0, 1.0, 2.0, 3.0]]])
    assert_close(student.layer_norm(x, weight, bias, 4.0), expected)


@pytest.mark.points(1.5)
def test_layer_norm_backward_by_hand(student):
    """The two tokens are normalized to (-1, -1/3, 1/3, 1) and back to front; a token's input gradient sums to zero.

    zh: 两个词元归一化后是 (-1, -1/3, 1/3, 1) 和它的倒序；每个词元的输入梯度之和为零。
    """
    x = torch.tensor([[[1.0, 3.0, 5.0, 7.0]], [[7.0, 5.0, 3.0, 1.0]]])
    upstream = torch.tensor([[[3.0, 0.0, 0.0, 0.0]], [[0.0, 0.0, 3.0, 0.0]]])
    normalized = torch.tensor([[-1.0, -1 / 3, 1 / 3, 1.0], [1.0, 1 / 3, -1 / 3, -1.0]])

    def check():
        gradients = student.layer_norm_backward(upstream, x, torch.tensor([2.0, 1.0, 4.0, 3.0]), 4.0)
        assert_close(gradients[0][0], torch.tensor([[1.0, -2 / 3, -1 / 3, 0.0]]))
        assert_close(gradients[0][1], torch.tensor([[-2 / 3, -8 / 9, 26 / 9, -4 / 3]]))
        assert_close(gradients[1], torch.tensor([-3.0, 0.0, -1.0, 0.0]))
        assert_close(gradients[2], torch.tensor([3.0, 0.0, 3.0, 0.0]))

    # Where your own layer_norm is called and is wrong, this one stands in for it: it knows these two tokens only.
    def given(x, weight, bias, eps):
        return normalized.reshape(x.shape) * weight + bias

    own_or_given(check, student, layer_norm=given)


@pytest.mark.points(1.5)
def test_rms_norm_by_hand(student):
    """The mean square of 1 and 7 is 25; that of 300 and 2100 is too large for float16, though the result is the same.

    zh: 1 和 7 的均方是 25；300 和 2100 的均方超出 float16 的范围，结果却应当相同。
    """
    expected = torch.tensor([[0.2, 2.8]])
    assert_close(student.rms_norm(torch.tensor([[1.0, 7.0]]), torch.tensor([1.0, 2.0]), 0.0), expected)
    half = torch.tensor([[300.0, 2100.0]], dtype=torch.float16)
    weight = torch.tensor([1.0, 2.0], dtype=torch.float16)
    assert_close(student.rms_norm(half, weight, 0.0), expected.half())
