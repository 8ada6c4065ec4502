"""Public tests of inference/flash_attention: they explain the task. Passing them isn't passing."""

import math

import pytest
import torch
import torch.nn.functional as F

from autograder.testing import assert_close, own_or_given


def small_block(scores, values):
    """Question 1 for scores near 0, without any care."""
    powers = torch.exp(scores)
    sums = powers.sum(-1)
    return (powers @ values) / sums.clamp(min=1e-30).unsqueeze(-1), sums.log()


def small_merge(out_a, lse_a, out_b, lse_b):
    """Question 2 for lses near 0, without any care."""
    sum_a, sum_b = torch.exp(lse_a), torch.exp(lse_b)
    sums = sum_a + sum_b
    numerator = sum_a.unsqueeze(-1) * out_a + sum_b.unsqueeze(-1) * out_b
    return numerator / sums.clamp(min=1e-30).unsqueeze(-1), sums.log()


@pytest.mark.points(1)
def test_block_by_hand(student):
    """Powers in the ratio 1 : 2 : 3 make of the values 6, 12, 18 the mean 14, also where the scores are near 1000.

    zh: 指数之比为 1 : 2 : 3 时，值 6、12、18 的加权平均是 14；分数在 1000 附近时也一样。
    """
    values = torch.tensor([[6.0], [12.0], [18.0]])
    for offset in (1000.0, 0.0, -1000.0):
        scores = torch.tensor([[1.0, 2.0, 3.0]], dtype=torch.float64).log() + offset
        output, lse = student.attend_block(scores, values.double())
        assert_close(output, torch.tensor([[14.0]], dtype=torch.float64))
        assert_close(lse, torch.tensor([math.log(6.0) + offset], dtype=torch.float64))


@pytest.mark.points(1)
def test_merge_by_hand(student):
    """The first key gave 6, the others 15.6 with denominators 1 and 5: together that is 14, not the mean.

    zh: 第一个键得到 6，另外两个得到 15.6，分母分别是 1 和 5：合起来是 14，而不是两者的平均。
    """
    parts = torch.tensor([[6.0]]), torch.tensor([0.0]), torch.tensor([[15.6]]), torch.tensor([math.log(5.0)])
    output, lse = student.merge(*parts)
    assert_close(output, torch.tensor([[14.0]]))
    assert_close(lse, torch.tensor([math.log(6.0)]))


@pytest.mark.points(1)
@pytest.mark.limits(memory_mb=64)
@pytest.mark.parametrize("T, block_q, block_k", [(3, 2, 1), (3, 1, 2), (3, 5, 5), (8200, 192, 200)])
def test_rising_tokens(student, T, block_q, block_k):
    """Powers 1, 2, 3, ... and values 6, 12, 18, ... give 6, 10, 14, ... if causal, in 64 MiB, where no mask [8200, 8200] fits; then T = S, or a ValueError.

    zh: 指数为 1、2、3……，值为 6、12、18……，因果注意力的输出就是 6、10、14……，内存不超过 64 MiB（连 [8200, 8200] 的掩码都放不下）；因果时若 T 不等于 S，抛出 ValueError。
    """
    counts = torch.arange(1.0, T + 1).view(1, 1, T, 1)
    q, k, v = torch.ones(1, 1, T, 1), counts.log(), 6 * counts

    def check():
        output, lse = student.flash_forward(q, k, v, True, block_q, block_k)
        assert_close(output, 4 * counts + 2, rtol=1e-4)
        assert_close(lse, (counts * (counts + 1) / 2).log().squeeze(-1), rtol=1e-4)
        output, lse = student.flash_forward(q[:, :, :2], k, v, False, block_q, block_k)
        last = torch.full((1, 1, 2, 1), 4.0 * T + 2)
        assert_close(output, last, rtol=1e-4, message="without causal, each query sees all keys")
        with pytest.raises(ValueError):
            student.flash_forward(q[:, :, :2], k, v, True, block_q, block_k)

    own_or_given(check, student, attend_block=small_block, merge=small_merge)


@pytest.mark.points(1)
def test_traffic_by_hand(student):
    """Four tokens of width 1, two tiles of queries: 80 elements are moved by plain attention, 28 by tiles.

    zh: 四个宽度为 1 的词元，两个查询块：普通注意力搬运 80 个元素，分块只搬 28 个。
    """
    assert tuple(student.hbm_traffic(4, 1, 2)) == (80, 28)


@pytest.mark.points(1)
@pytest.mark.parametrize("causal", [False, True])
def test_gradients_of_three_tokens(student, causal):
    """The gradients are those that autograd finds for plain attention.

    zh: 梯度与自动求导对普通注意力算出的一致。
    """
    q, k, v, grad_output = torch.randn(4, 1, 2, 3, 4, dtype=torch.float64).unbind()
    tracked = [each.clone().requires_grad_() for each in (q, k, v)]
    output = F.scaled_dot_product_attention(*tracked, is_causal=causal)
    expected = torch.autograd.grad(output, tracked, grad_output)
    scores = q @ k.transpose(-1, -2) / 2
    if causal:
        scores = torch.where(torch.ones(3, 3).tril().bool(), scores, -math.inf)
    lse = torch.logsumexp(scores, -1)
    found = student.flash_backward(q, k, v, output.detach(), lse, grad_output, causal, 2, 1)
    for name, actual, right in zip("qkv", found, expected, strict=True):
        assert_close(actual, right, message=f"the gradient of {name}")
