"""Public tests of rl/actor_critic: examples small enough to check by hand."""

import math

import pytest
import torch

from autograder.testing import assert_close

# Two episodes. The first ends at index 1, in one way or the other; the second goes on beyond the data.
REWARDS = torch.tensor([1.0, 4.0, 2.0, 0.0, 6.0])
VALUES = torch.tensor([3.0, 2.0, 4.0, 8.0, 2.0])
NEXT_VALUES = torch.tensor([2.0, 7.0, 8.0, 2.0, 4.0])
AT_1 = torch.tensor([False, True, False, False, False])
NEVER = torch.tensor([False] * 5)


@pytest.mark.points(1.5)
def test_two_steps_by_hand(student):
    """With n = 2 and discount 0.5: the game ends at index 1, where nothing more is expected; the last window has one step.

    zh: n = 2，折扣 0.5：游戏在下标 1 处结束，之后不再指望什么；最后一个窗口只有一步。
    """
    found = student.n_step_advantages(REWARDS, VALUES, NEXT_VALUES, AT_1, NEVER, 0.5, 2)
    # 1 + 4/2 - 3; 4 - 2; 2 + 0/2 + 2/4 - 4; 0 + 6/2 + 4/4 - 8; 6 + 4/2 - 2
    assert_close(found, torch.tensor([0.0, 2.0, -1.5, -4.0, 6.0]))


@pytest.mark.points(1.5)
def test_gae_by_hand(student):
    """The first episode is cut off at index 1: the next value, 7, counts, and nothing flows back from the second episode.

    zh: 第一个回合在下标 1 处被截断：下一个价值 7 要算，第二个回合的误差不能传回来。
    """
    advantages, targets = student.gae(REWARDS, VALUES, NEXT_VALUES, NEVER, AT_1, 0.5, 0.5)
    # Errors: -1, 4 + 7/2 - 2 = 5.5, 2, -7, 6. From the end: 6; -7 + 6/4; 2 - 5.5/4; then anew: 5.5; -1 + 5.5/4.
    assert_close(advantages, torch.tensor([0.375, 5.5, 0.625, -5.5, 6.0]))
    assert_close(targets, torch.tensor([3.375, 7.5, 4.625, 2.5, 8.0]))


@pytest.mark.points(1)
def test_actor_critic_loss_by_hand(student):
    """Probabilities 1/2, 1/4, 1/4; actions 0 and 2 with advantages 4 and -1; values that are 1 and 3 off.

    zh: 概率为 1/2、1/4、1/4；动作是 0 和 2，优势是 4 和 -1；价值分别偏差 1 和 3。
    """
    logits = torch.tensor([[0.5, 0.25, 0.25]] * 2).log() + 3
    arguments = (
        logits,
        torch.tensor([0, 2]),
        torch.tensor([1.0, 5.0]),
        torch.tensor([4.0, -1.0]),
        torch.tensor([2.0, 2.0]),
    )
    log2 = math.log(2)
    # -log of the probabilities: log 2 and log 4.
    policy, value, entropy = (4 * log2 - 1 * 2 * log2) / 2, (1 + 9) / 2, 1.5 * log2
    assert_close(student.actor_critic_loss(*arguments, 0.0, 0.0), torch.tensor(policy))
    assert_close(student.actor_critic_loss(*arguments, 0.5, 0.0), torch.tensor(policy + 0.5 * value))
    assert_close(
        student.actor_critic_loss(*arguments, 0.5, 0.1), torch.tensor(policy + 0.5 * value - 0.1 * entropy)
    )
