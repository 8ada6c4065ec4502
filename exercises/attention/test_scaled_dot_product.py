"""Public tests of attention/scaled_dot_product: they explain the task. Passing them isn't passing."""

import math

import pytest
import torch

from autograder.testing import assert_close


@pytest.mark.points(1)
def test_softmax_by_hand(student):
    """Logits log 1, log 2, log 3 give the weights 1/6, 2/6, 3/6.

    zh: logits 为 log 1、log 2、log 3 时，权重是 1/6、2/6、3/6。
    """
    x = torch.tensor([[1.0, 2.0, 3.0], [4.0, 4.0, 8.0]]).log()
    assert_close(student.softmax(x.clone(), 1), torch.tensor([[1 / 6, 2 / 6, 3 / 6], [0.25, 0.25, 0.5]]))
    assert_close(student.softmax(x, 0), torch.tensor([[0.2, 1 / 3, 3 / 11], [0.8, 2 / 3, 8 / 11]]))


@pytest.mark.points(1)
def test_softmax_of_large_logits(student):
    """Only differences count: 10000 and 10001 give the same weights as 0 and 1, and nothing overflows.

    zh: 起作用的只有差：10000 和 10001 得到的权重与 0 和 1 相同，不会上溢。
    """
    expected = torch.tensor([[0.2689414, 0.7310586]])
    for logits in ([0.0, 1.0], [10000.0, 10001.0], [-10001.0, -10000.0]):
        assert_close(student.softmax(torch.tensor([logits]), 1), expected)


@pytest.mark.points(1)
def test_causal_mask_by_hand(student):
    """Three positions see 1, 2 and 3 keys; two new tokens after two old ones see 3 and 4.

    zh: 三个位置分别看到 1、2、3 个键；两个旧词元之后的两个新词元分别看到 3 个和 4 个。
    """
    expected = torch.tensor([[True, False, False], [True, True, False], [True, True, True]])
    assert_close(student.causal_mask(3, 3), expected)
    expected = torch.tensor([[True, True, True, False], [True, True, True, True]])
    assert_close(student.causal_mask(2, 4, offset=2), expected)


@pytest.mark.points(1)
def test_padding_mask_by_hand(student):
    """Sequences of 2 and 3 tokens, padded to 4: the mask has shape [2, 1, 1, 4].

    zh: 长度为 2 和 3 的序列补齐到 4，掩码形状为 [2, 1, 1, 4]。
    """
    expected = torch.tensor([[[[True, True, False, False]]], [[[True, True, True, False]]]])
    assert_close(student.padding_mask(torch.tensor([2, 3]), 4), expected)


@pytest.mark.points(1)
def test_padding_mask_bad_length(student):
    """A length that is negative or longer than the padded sequence is a ValueError.

    zh: 长度为负或超过补齐后的长度时抛出 ValueError。
    """
    assert_close(student.padding_mask(torch.tensor([2]), 3), torch.tensor([[[[True, True, False]]]]))
    for lengths in ([2, 4], [1, -1]):
        with pytest.raises(ValueError):
            student.padding_mask(torch.tensor(lengths), 3)


@pytest.mark.points(1)
def test_attention_shapes(student):
    """The output is [B, H, T, d_v], the weights are [B, H, T, S] and sum to one; dtypes are kept.

    zh: 输出形状为 [B, H, T, d_v]；权重形状为 [B, H, T, S]，每行和为 1；dtype 保持不变。
    """
    B, H, T, S, d_k, d_v = 2, 3, 5, 7, 4, 6
    for dtype in (torch.float32, torch.float64):
        q = torch.randn(B, H, T, d_k, dtype=dtype)
        k, v = torch.randn(B, H, S, d_k, dtype=dtype), torch.randn(B, H, S, d_v, dtype=dtype)
        output, weights = student.scaled_dot_product_attention(q, k, v)
        assert output.shape == (B, H, T, d_v), f"the output has shape {tuple(output.shape)}"
        assert weights.shape == (B, H, T, S), f"the weights have shape {tuple(weights.shape)}"
        assert output.dtype == dtype, f"the output has dtype {output.dtype}, the inputs {dtype}"
        ones = torch.ones(B, H, T, dtype=dtype)
        assert_close(weights.sum(-1), ones, message="the weights of a query sum to one")


@pytest.mark.points(1)
def test_attention_by_hand(student):
    """Scores log 3 and 0 give the weights 3/4 and 1/4; hiding the first key leaves the second alone.

    zh: 分数为 log 3 和 0 时权重是 3/4 和 1/4；把第一个键遮住，就只剩第二个键。
    """
    q = torch.tensor([[2 * math.log(3), 5.0, 0.0, 0.0]]).expand(3, -1)  # d_k = 4: the scores are halved
    k = torch.tensor([[1.0, 0.0, 7.0, 0.0], [0.0, 0.0, 0.0, 2.0]])
    v = torch.tensor([[4.0, 0.0, 1.0], [0.0, 8.0, 1.0]])
    output, weights = student.scaled_dot_product_attention(q, k, v)
    assert_close(weights, torch.tensor([[0.75, 0.25]]).expand(3, -1))
    assert_close(output, torch.tensor([[3.0, 2.0, 1.0]]).expand(3, -1))
    output, weights = student.scaled_dot_product_attention(q, k, v, torch.tensor([[False, True]]))
    assert_close(weights, torch.tensor([[0.0, 1.0]]).expand(3, -1))
    assert_close(output, torch.tensor([[0.0, 8.0, 1.0]]).expand(3, -1))
