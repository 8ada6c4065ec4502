"""Public tests of alignment/dpo_derivation: each step once, with numbers small enough to check by hand."""

import math

import pytest
import torch

from autograder.testing import assert_close


@pytest.mark.points(1)
def test_objective_by_hand(student):
    """Expected rewards 1 and 0, divergences log(3) / 2 and 0: with beta 2 the objective is 1 - log 3, and 0.

    zh: 期望奖励为 1 和 0，散度为 log(3) / 2 和 0：beta 为 2 时，目标值是 1 - log 3 和 0。
    """
    reference_logps = torch.tensor([[1 / 4, 3 / 4], [1 / 2, 1 / 2]]).log()
    policy_logps = torch.tensor([[3 / 4, 1 / 4], [1 / 2, 1 / 2]]).log()
    rewards = torch.tensor([[2.0, -2.0], [5.0, -5.0]])
    actual = student.kl_objective(policy_logps, reference_logps, rewards, 2.0)
    assert actual.shape == (2,), f"one value for each prompt: shape [2], not {list(actual.shape)}"
    assert_close(actual, torch.tensor([1 - math.log(3), 0.0]))


@pytest.mark.points(1)
def test_optimum_by_hand(student):
    """Rewards of beta * log (1, 2, 4) multiply the reference (1/2, 1/4, 1/4) by 1, 2 and 4; Z = 2.

    zh: 奖励为 beta * log (1, 2, 4)，把参考概率 (1/2, 1/4, 1/4) 分别乘以 1、2、4；Z = 2。
    """
    reference = torch.tensor([[1 / 2, 1 / 4, 1 / 4]])
    rewards = 0.5 * torch.tensor([[1.0, 2.0, 4.0]]).log()
    policy_logps, log_partition = student.optimal_policy(reference.log(), rewards, 0.5)
    assert_close(policy_logps.exp(), torch.tensor([[1 / 4, 1 / 4, 1 / 2]]))
    assert_close(log_partition, torch.tensor([math.log(2)]))


@pytest.mark.points(1)
def test_way_back_by_hand(student):
    """The same numbers backwards: probabilities that grew by 1/2, 1 and 2 had these rewards, with beta 0.5.

    zh: 同样的数倒着算：概率变为原来的 1/2、1、2 倍，beta 为 0.5，奖励就是这些。
    """
    reference = torch.tensor([[1 / 2, 1 / 4, 1 / 4]])
    policy = torch.tensor([[1 / 4, 1 / 4, 1 / 2]])
    implicit = student.recover_rewards(policy.log(), reference.log(), 0.5)
    assert_close(implicit, 0.5 * torch.tensor([[1 / 2, 1.0, 2.0]]).log())


@pytest.mark.points(1)
def test_ranking_by_hand(student):
    """Rewards log (2, 3, 1): the ranking 1, 0, 2 has the probability 3/6 * 2/3, the ranking 2, 1, 0 has 1/6 * 3/5.

    zh: 奖励为 log (2, 3, 1)：排序 1、0、2 的概率是 3/6 * 2/3，排序 2、1、0 的概率是 1/6 * 3/5。
    """
    rewards = torch.tensor([[2.0, 3.0, 1.0]]).log().repeat(2, 1)
    loss = student.ranking_loss(rewards, torch.tensor([[1, 0, 2], [2, 1, 0]]))
    assert loss.shape == (), f"the mean over the prompts has no axes; got shape {list(loss.shape)}"
    assert_close(loss, torch.tensor((math.log(3) + math.log(10)) / 2))


@pytest.mark.points(0.5)
def test_named_twice(student):
    """A response has one place: a ranking that names it twice is a ValueError.

    zh: 一条回答只有一个名次：排序里列了两次，就抛出 ValueError。
    """
    rewards = torch.zeros(2, 3)
    assert student.ranking_loss(rewards, torch.tensor([[1, 0], [2, 1]])).isfinite(), "nothing is named twice"
    for ranking in ([[1, 0], [2, 2]], [[0, 1, 2], [1, 2, 1]]):
        with pytest.raises(ValueError):
            student.ranking_loss(rewards, torch.tensor(ranking))
