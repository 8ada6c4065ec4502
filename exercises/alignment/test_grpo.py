"""Public tests of alignment/grpo: examples small enough to check by hand."""

import math

import pytest
import torch

from autograder.testing import assert_close, check_refusal, own_or_given

YES, NO = True, False


@pytest.mark.points(1)
def test_two_groups_by_hand(student):
    """Groups 1, 1, 1, 5 and 10, 14, 10, 10: means 2 and 11, unbiased deviation 2 in both; each row is its own group.

    zh: 两组奖励 1、1、1、5 和 10、14、10、10：均值为 2 和 11，无偏标准差都是 2；每一行自成一组。
    """
    rewards = torch.tensor([[1.0, 1.0, 1.0, 5.0], [10.0, 14.0, 10.0, 10.0]])
    expected = torch.tensor([[-0.5, -0.5, -0.5, 1.5], [-0.5, 1.5, -0.5, -0.5]])
    assert_close(student.group_advantages(rewards, 0.0), expected)


@pytest.mark.points(0.5)
def test_group_of_one_response(student):
    """One response to a prompt is a ValueError, two are not.

    zh: 一个提示词只有一条回答时抛出 ValueError，有两条时则不能抛。
    """
    check_refusal(
        student.group_advantages, (torch.tensor([[4.0, 1.0]]),), (torch.tensor([[4.0], [1.0]]),), ValueError
    )


@pytest.mark.points(1)
def test_two_solutions_step_by_step(student):
    """Steps with 1, 1, 1 in one solution and 5 in the other have -1/2, -1/2, -1/2 and 3/2; each token adds those still to end.

    zh: 一条解答三步，奖励 1、1、1，另一条一步，奖励 5，归一化后是 -1/2、-1/2、-1/2 和 3/2；每个词元把尚未结束的步加起来。
    """
    rewards = torch.tensor([[[0.0, 1.0, 1.0, 0.0, 1.0], [0.0, 0.0, 5.0, 0.0, 0.0]]])
    step_ends = torch.tensor([[[NO, YES, YES, NO, YES], [NO, NO, YES, NO, NO]]])
    expected = torch.tensor([[[-1.5, -1.5, -1.0, -0.5, -0.5], [1.5, 1.5, 1.5, 0.0, 0.0]]])

    def by_hand(steps, *options, **named_options):
        if steps.numel() != 4:
            raise ValueError("the prompt has four steps")
        return ((steps - 2) / 2).to(steps.dtype)

    own_or_given(
        lambda: assert_close(student.step_advantages(rewards, step_ends, 0.0), expected),
        student,
        group_advantages=by_hand,
    )


@pytest.mark.points(1.5)
def test_token_losses_by_hand(student):
    """Ratios 2, 1/2, 2, 1/2 with c = 0.2: praise stops at 1.2, blame at 0.8. Half as likely as under the reference: 1 - log 2.

    zh: 比值为 2、1/2、2、1/2，c = 0.2：表扬到 1.2 为止，批评到 0.8 为止。概率是参考模型的一半时，KL 项是 1 - log 2。
    """
    log_probs = torch.tensor([[2.0, 0.5], [2.0, 0.5]]).log() - 3
    before = torch.full((2, 2), -3.0)
    advantages = torch.tensor([[10.0, 10.0], [-10.0, -10.0]])
    losses = student.token_losses(log_probs, before, log_probs, advantages, 0.2, 1.0)
    assert losses.shape == (2, 2), f"one loss for each token: shape [2, 2], not {list(losses.shape)}"
    assert_close(losses, torch.tensor([[-12.0, -5.0], [20.0, 8.0]]))

    reference = log_probs + math.log(2)
    losses = student.token_losses(log_probs, log_probs, reference, torch.zeros(2, 1), 0.2, 0.5)
    assert_close(losses, torch.full((2, 2), 0.5 * (1 - math.log(2))))


@pytest.mark.points(1)
def test_one_number_by_hand(student):
    """One token with loss 3, three with 1, 0, 2: the means are 3 and 1, their mean is 2.

    zh: 一条回答只有一个词元，损失为 3；另一条有三个，损失为 1、0、2：各自的平均是 3 和 1，再平均得 2。
    """
    losses = torch.tensor([[3.0, 8.0, 8.0, 8.0], [1.0, 0.0, 2.0, 8.0]])
    mask = torch.tensor([[YES, NO, NO, NO], [YES, YES, YES, NO]])
    loss = student.response_mean(losses, mask)
    assert loss.shape == (), f"the loss has no axes; got shape {list(loss.shape)}"
    assert_close(loss, torch.tensor(2.0))
