"""Public tests of rl/policy_gradient: examples small enough to check by hand."""

import math

import pytest
import torch

from autograder.testing import assert_close, check_refusal


@pytest.mark.points(1)
def test_reward_to_go_by_hand(student):
    """Rewards 1, 2, 4 with discount 1/2 give 3, 4, 4: from the last step back, half of what follows is added.

    zh: 奖励 1、2、4，折扣 1/2，结果是 3、4、4：从最后一步往回，每步加上后面那个数的一半。
    """
    rewards = torch.tensor([[1.0, 2.0, 4.0], [5.0, 0.0, 0.0]])
    mask = torch.tensor([[True, True, True], [True, False, False]])
    returns = student.reward_to_go(rewards, mask, 0.5)
    assert returns.shape == (2, 3), f"one return for each step: shape [2, 3], not {list(returns.shape)}"
    assert_close(returns, torch.tensor([[3.0, 4.0, 4.0], [5.0, 0.0, 0.0]]))


@pytest.mark.points(1)
def test_loss_of_two_uneven_episodes(student):
    """Three steps and one, every action with probability 1/2: the steps of each add up, and two episodes are averaged.

    zh: 两个回合分别有三步和一步，每个动作的概率都是 1/2：各自按步求和，再对两个回合取平均。
    """
    actions = torch.tensor([[0, 1, 1], [1, 0, 0]])
    returns = torch.tensor([[5.0, 4.0, 1.0], [2.0, 0.0, 0.0]])
    mask = torch.tensor([[True, True, True], [True, False, False]])
    loss = student.reinforce_loss(torch.zeros(2, 3, 2), actions, returns, torch.ones(2, 3) * mask, mask, 1.0)
    assert loss.shape == (), f"the loss has no axes; got shape {list(loss.shape)}"
    # Returns minus baseline are 4, 3, 0 and 1; each is multiplied by -log(1/2) = log 2.
    assert_close(loss, torch.tensor((7 + 1) / 2 * math.log(2)))


@pytest.mark.points(1)
def test_leave_one_out_by_hand(student):
    """Each baseline is the mean of the two other returns of its group.

    zh: 每个基线都是同组另外两个回报的平均。
    """
    returns = torch.tensor([[1.0, 2.0, 6.0], [0.0, 3.0, 0.0]])
    assert_close(student.leave_one_out(returns), torch.tensor([[4.0, 3.5, 1.5], [1.5, 0.0, 1.5]]))


@pytest.mark.points(0.5)
def test_nobody_else_in_the_group(student):
    """A group of one episode is a ValueError, one of two isn't.

    zh: 一组只有一个回合时抛出 ValueError，有两个时则不能抛。
    """
    check_refusal(
        student.leave_one_out, (torch.tensor([[4.0, 1.0]]),), (torch.tensor([[4.0], [1.0]]),), ValueError
    )


@pytest.mark.points(1)
def test_moments_by_hand(student):
    """The estimates (3/4, -3/4), with probability 1/4, and (0, 0) have the mean (3/16, -3/16) and the variance 27/128.

    zh: 估计以 1/4 的概率是 (3/4, -3/4)，否则是 (0, 0)：均值是 (3/16, -3/16)，方差是 27/128。
    """
    logits = torch.tensor([[0.0, math.log(3)]])  # probabilities 1/4 and 3/4
    states = torch.zeros(2, 1, dtype=torch.long)
    mean, variance = student.estimate_moments(
        logits,
        states,
        torch.tensor([[0], [1]]),
        torch.tensor([[1.0], [0.0]]),
        torch.ones(2, 1, dtype=torch.bool),
        torch.tensor([0.25, 0.75]),
    )
    assert_close(mean, torch.tensor([[3 / 16, -3 / 16]]))
    # Squared distances from the mean: 2 * (9/16)^2 and 2 * (3/16)^2.
    assert_close(variance, torch.tensor(0.25 * 2 * 81 / 256 + 0.75 * 2 * 9 / 256))
