"""Hidden tests of alignment/rlhf_rewards."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from autograder.testing import PROMISES, assert_close, check_promise, masked_responses

PROMPTS, RESPONSES = (3, 1, 5), (4, 2, 7)


def rollouts(side: str, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Scores, the two log-probabilities and the response mask; what isn't response holds large numbers."""
    mask = masked_responses(PROMPTS, RESPONSES, side).response_mask
    generator = torch.Generator().manual_seed(3)
    ref_logps = -3 * torch.rand(mask.shape, generator=generator)
    logps = ref_logps + torch.randn(mask.shape, generator=generator)
    logps = logps.where(mask == 1, 500 + logps)
    scores = torch.tensor([2.5, -4.0, 1.5])
    ends = [row.nonzero().max().item() for row in mask]
    assert side == "left" or len(set(ends)) > 1, "not all responses end in one column"
    return scores.to(dtype), logps.to(dtype), ref_logps.to(dtype), mask


@pytest.mark.points(1)
@pytest.mark.parametrize("side", ["both", "right", "left"])
def test_penalty_of_each_response_token(student, unchanged, side):
    """Each response token pays beta for its log-ratio, prompt and padding earn 0; the usual promises hold.

    zh: 回答的每个词元按 beta 乘对数比付出代价，提示词和填充得 0；通常的约定都成立。
    """
    scores, logps, ref_logps, mask = rollouts(side)
    nothing = torch.zeros_like(scores)
    expected = torch.zeros_like(logps)
    expected[mask == 1] = 0.3 * (ref_logps - logps)[mask == 1]
    assert_close(student.token_rewards(nothing, logps, ref_logps, mask, 0.3), expected)
    for promise in PROMISES:
        check_promise(promise, student.token_rewards, lambda dtype: (*rollouts(side, dtype), 0.3), unchanged)


@pytest.mark.points(1)
@pytest.mark.parametrize("side", ["both", "right", "left"])
def test_score_at_the_end_of_a_response(student, side):
    """The score is earned at a row's last response token, wherever the row is padded, and nowhere else.

    zh: 评分只落在每行回答的最后一个词元上，无论填充在哪一边。
    """
    scores, _, ref_logps, mask = rollouts(side)
    expected = torch.zeros_like(ref_logps)
    for row, score in enumerate(scores):
        expected[row, mask[row].nonzero().max()] = score
    assert_close(student.token_rewards(scores, ref_logps, ref_logps, mask, 0.3), expected)


@pytest.mark.points(0.5)
def test_rewards_are_data(student):
    """Rewards are the same for tensors that record gradients, and carry none on.

    zh: 输入带梯度时奖励的值不变，但奖励本身不再传出梯度。
    """
    scores, logps, ref_logps, mask = rollouts("right")
    nothing = torch.zeros_like(scores)
    plain = student.token_rewards(nothing, logps, ref_logps, mask, 0.3)
    assert plain.shape == mask.shape
    both = torch.stack([plain[mask == 1], (logps - ref_logps)[mask == 1]])
    assert torch.corrcoef(both)[0, 1].abs() > 0.9, "the rewards don't follow the log-ratios"
    recording = [tensor.clone().requires_grad_() for tensor in (nothing, logps, ref_logps)]
    actual = student.token_rewards(*recording, mask, 0.3)
    assert not actual.requires_grad
    assert_close(actual, plain)


def distributions(vocab: int) -> tuple[Tensor, Tensor]:
    """All log-probabilities of a policy and its reference, float64."""
    generator = torch.Generator().manual_seed(vocab + 2)
    logits = torch.randn(2, vocab, generator=generator, dtype=torch.float64)
    return tuple((1.3 * logits).log_softmax(dim=-1))


@pytest.mark.points(1)
@pytest.mark.parametrize("vocab", [5, 2, 23])
def test_unbiased_under_the_policy(student, vocab):
    """Averaged over all tokens with the policy's probabilities, k1 and k3 give the KL divergence exactly.

    zh: 按策略的概率对所有词元取平均，k1 和 k3 恰好等于 KL 散度。
    """
    logps, ref_logps = distributions(vocab)
    exact = (logps.exp() * (logps - ref_logps)).sum()
    backwards = (ref_logps.exp() * (ref_logps - logps)).sum()
    assert abs(exact - backwards) > 0.01
    k1, _, k3 = student.kl_estimates(logps, ref_logps)
    assert k3.shape == logps.shape and k1.shape == logps.shape
    assert_close((logps.exp() * k1).sum(), exact)
    assert_close((logps.exp() * k3).sum(), exact)


@pytest.mark.points(1)
@pytest.mark.parametrize("shape", [(3, 5), (7,), (1, 2, 3)])
def test_estimates_of_single_tokens(student, unchanged, shape):
    """Each token's k1, k2 and k3 follow their formulas, and k1 alone may be negative; the usual promises hold.

    zh: 每个词元的 k1、k2、k3 都符合公式，只有 k1 可以为负；通常的约定都成立。
    """

    def make(dtype: torch.dtype) -> tuple[Any, ...]:
        generator = torch.Generator().manual_seed(len(shape))
        logps = -3 * torch.rand(shape, generator=generator)
        return logps.to(dtype), (logps + 1.5 * torch.randn(shape, generator=generator)).to(dtype)

    logps, ref_logps = make(torch.float64)
    gap = logps - ref_logps
    assert (gap > 0).any() and (gap < 0).any()
    k1, k2, k3 = student.kl_estimates(logps, ref_logps)
    assert_close(k1, gap)
    assert_close(k2, gap * gap * 0.5)
    assert_close(k3, 1 / gap.exp() + gap - 1)
    for promise in PROMISES:
        check_promise(promise, student.kl_estimates, make, unchanged)


@pytest.mark.points(0.5)
def test_estimates_can_be_trained_on(student, gradients):
    """Gradients flow through an estimate into both log-probabilities.

    zh: 梯度穿过估计值，流到两个对数概率。
    """
    logps = torch.tensor([-0.5, -2.0, -1.0], dtype=torch.float64)
    ref_logps = torch.tensor([-1.5, -0.5, -0.75], dtype=torch.float64)
    slope = 1 - (ref_logps - logps).exp()  # of k3
    found = gradients(student.kl_estimates, logps, ref_logps, output=2)
    assert found.arguments[0] is not None, "no gradient reaches the policy's log-probabilities"
    assert_close(found.arguments, [slope, -slope])


def unwhitened(dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor]:
    """Values whose rows lie at different heights, and a mask; what doesn't count is far away."""
    mask = masked_responses(PROMPTS, RESPONSES, "both").response_mask
    generator = torch.Generator().manual_seed(5)
    values = 2 * torch.randn(mask.shape, generator=generator) + torch.tensor([[4.0], [-1.0], [9.0]])
    return values.where(mask == 1, -70.0).to(dtype), mask


@pytest.mark.points(1)
@pytest.mark.parametrize("shift", [True, False])
def test_mean_and_spread_after_whitening(student, unchanged, shift):
    """The values that count have variance 1, and mean 0 or their old mean; the others are 0; the usual promises hold.

    zh: 计入的值方差为 1，均值为 0 或保持原来的均值；其余位置是 0；通常的约定都成立。
    """
    values, mask = unwhitened()
    counted = values[mask == 1]
    expected = torch.zeros_like(values)
    expected[mask == 1] = (counted - counted.mean()) / counted.std() + (0 if shift else counted.mean())
    assert_close(student.masked_whiten(values, mask, shift), expected, rtol=1e-6)
    if shift:
        assert_close(student.masked_whiten(values, mask), expected, rtol=1e-6)
    # Where the spread is tiny, 1e-8 counts, and it is part of the variance.
    tiny = 1e-4 * counted
    expected[mask == 1] = (tiny - tiny.mean()) / (tiny.var() + 1e-8).sqrt() + (0 if shift else tiny.mean())
    assert_close(student.masked_whiten(1e-4 * values, mask, shift), expected)
    for promise in PROMISES:
        check_promise(promise, student.masked_whiten, lambda dtype: (*unwhitened(dtype), shift), unchanged)


@pytest.mark.points(0.5)
def test_equal_values_whiten_to_zero(student):
    """Values that are all equal become 0, or stay what they are without the shift, and never NaN.

    zh: 所有值都相等时变成 0；不移均值时保持原值；绝不会是 NaN。
    """
    mask = torch.tensor([[0, 1, 0], [1, 0, 0]])
    values = torch.tensor([[7.0, 2.5, 1.0], [2.5, 4.0, 1.0]])
    assert_close(student.masked_whiten(values, mask, False), values * mask)
    assert_close(student.masked_whiten(values, mask), torch.zeros(2, 3))


@pytest.mark.points(1)
@pytest.mark.parametrize(("kl", "error"), [(60.0, 0.2), (0.3, -0.2), (5.4, -0.1), (6.9, 0.15), (-2.0, -0.2)])
def test_controller_within_its_clip(student, kl, error):
    """Beta follows the relative error of the KL, and one batch never counts for more than 0.2.

    zh: beta 跟随 KL 的相对误差而变，一批的误差至多按 0.2 计。
    """
    for beta, sequences, horizon in ((0.1, 256, 10_000), (0.7, 30, 50)):
        expected = beta * (1 + error * sequences / horizon)
        assert math.isclose(student.next_beta(beta, kl, 6.0, sequences, horizon), expected, rel_tol=1e-6)
        # Twice the divergence and twice the target: the same error.
        twice = student.next_beta(beta, 2 * kl, 12.0, sequences, horizon)
        assert math.isclose(twice, expected, rel_tol=1e-6)
