"""Public tests of rl/mdp_and_bellman: examples small enough to check by hand."""

import pytest
import torch

from autograder.testing import assert_close

# A cat on the floor (0) wants to sleep on the mat (2); between them is the hall (1). It rests (0) or walks (1).
TRANSITIONS = torch.tensor(
    [
        [[0.5, 0.5, 0.0], [0.0, 0.5, 0.5]],
        [[0.0, 1.0, 0.0], [0.0, 0.0, 1.0]],
        [[0.0, 0.0, 1.0], [0.0, 0.0, 1.0]],
    ]
)
# What an action pays is the same here wherever it leads.
REWARDS = torch.tensor([[2.0, 6.0], [0.0, 3.0], [0.0, 0.0]])[:, :, None].repeat(1, 1, 3)
TERMINAL = torch.tensor([False, False, True])
WALKS = torch.tensor([[0.0, 1.0], [0.5, 0.5], [0.5, 0.5]])
RESTS = torch.tensor([[0.0, 1.0], [1.0, 0.0], [0.5, 0.5]])


@pytest.mark.points(1)
def test_returns_by_hand(student):
    """Two episodes with discount 0.5: rewards 1, 4 and then 2, 0, 8. The first return is 1 + 4 / 2 = 3.

    zh: 折扣为 0.5 的两个回合：奖励先是 1、4，再是 2、0、8。第一个回报是 1 + 4 / 2 = 3。
    """
    rewards = torch.tensor([1.0, 4.0, 2.0, 0.0, 8.0])
    ends = torch.tensor([False, True, False, False, True])
    returns = student.discounted_returns(rewards, ends, 0.5)
    assert_close(returns, torch.tensor([3.0, 4.0, 4.0, 4.0, 8.0]))


@pytest.mark.points(1.5)
def test_the_last_reward_counts_and_nothing_after_it(student):
    """With discount 0.5 the hall is worth 2: V = (0.5 V + 3) / 2. Entering the mat is paid; there, the game is over.

    zh: 折扣为 0.5 时，走廊的价值是 2：V = (0.5 V + 3) / 2。走上垫子的那一步有奖励；到了垫子，游戏结束。
    """
    chain, values, action_values = student.evaluate_policy(TRANSITIONS, REWARDS, TERMINAL, WALKS, 0.5)
    assert_close(chain, torch.tensor([[0.0, 0.5, 0.5], [0.0, 0.5, 0.5], [0.0, 0.0, 1.0]]))
    # The floor: 6, and half of the hall's 2 with probability 1/2.
    assert_close(values, torch.tensor([6.5, 2.0, 0.0]))
    # To rest on the floor: 2, and half of the mean of 6.5 and 2. In the hall: half of 2.
    assert_close(action_values, torch.tensor([[4.125, 6.5], [1.0, 3.0], [0.0, 0.0]]))


@pytest.mark.points(0.5)
def test_a_game_without_end(student):
    """A cat that always rests in the hall never gets to the mat: at discount 1 a ValueError, at 0.5 the hall is worth 0.

    zh: 在走廊里永远休息的猫走不到垫子：折扣为 1 时抛出 ValueError，为 0.5 时走廊的价值是 0。
    """
    _, values, _ = student.evaluate_policy(TRANSITIONS, REWARDS, TERMINAL, RESTS, 0.5)
    assert_close(values, torch.tensor([6.0, 0.0, 0.0]))
    with pytest.raises(ValueError):
        student.evaluate_policy(TRANSITIONS, REWARDS, TERMINAL, RESTS, 1.0)


@pytest.mark.points(1)
def test_one_step_by_hand(student):
    """From the guess 4, 3 and a meaningless 100 for the mat, the best actions give 6.75 and 3: a change of 2.75.

    zh: 从猜测 4、3 出发（垫子处的 100 没有意义），取最好的动作得到 6.75 和 3，变化是 2.75。
    """
    guess = torch.tensor([4.0, 3.0, 100.0])
    new, bound = student.bellman_operator(guess, TRANSITIONS, REWARDS, TERMINAL, 0.5)
    # To walk from the floor: 6, and half of 3 with probability 1/2. To walk through the hall: 3.
    assert_close(new, torch.tensor([6.75, 3.0, 0.0]))
    assert_close(bound, torch.tensor(2.75))  # 0.5 / (1 - 0.5) is 1
