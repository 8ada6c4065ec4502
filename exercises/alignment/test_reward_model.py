"""Public tests of alignment/reward_model: examples small enough to check by hand."""

import math

import pytest
import torch

from autograder.testing import assert_close, check_refusal, own_or_given


@pytest.mark.points(1)
def test_reward_by_hand(student):
    """The end token 2 also pads: the first row ends with a real 2 and one padding, the second has no padding.

    zh: 结束符 2 同时用作填充：第一行以一个真的 2 结尾，后面还有一个填充；第二行没有填充。
    """
    hidden = torch.tensor(
        [[[1.0, 1.0], [2.0, 1.0], [3.0, -1.0], [9.0, 9.0]], [[1.0, 0.0], [4.0, 0.0], [2.0, 3.0], [0.5, 2.0]]]
    )
    ids = torch.tensor([[5, 3, 2, 2], [4, 6, 3, 2]])
    mask = torch.tensor([[1, 1, 1, 0], [1, 1, 1, 1]])
    # 1 * 3 + 10 * -1 at position 2; 1 * 0.5 + 10 * 2 at position 3.
    actual = student.sequence_rewards(hidden, torch.tensor([1.0, 10.0]), ids, mask, 2)
    assert_close(actual, torch.tensor([-7.0, 20.5]))


@pytest.mark.points(0.5)
def test_row_of_padding_only(student):
    """A row without a real token has no place to read a reward at: ValueError.

    zh: 一行里没有真的词元，就没有读奖励的位置：抛出 ValueError。
    """
    hidden, head = torch.ones(2, 3, 4), torch.ones(4)
    ids = torch.tensor([[1, 3, 0], [1, 0, 0]])
    valid = (hidden, head, ids, torch.tensor([[1, 1, 0], [1, 0, 0]]), 0)
    bad = (hidden, head, ids, torch.tensor([[1, 1, 0], [0, 0, 0]]), 0)
    assert_close(student.sequence_rewards(*valid), torch.tensor([4.0, 4.0]))
    check_refusal(student.sequence_rewards, valid, bad, ValueError)


@pytest.mark.points(1)
def test_pairs_by_hand(student):
    """Margins log 3, -log 3 and log 7: the chosen ones win with 3/4, 1/4 and 7/8; two of three pairs are ranked right.

    zh: 间隔为 log 3、-log 3 和 log 7：被选中者胜出的概率是 3/4、1/4 和 7/8，三对中排对两对。
    """
    rejected = torch.tensor([5.0, -2.0, 0.5])
    chosen = rejected + torch.tensor([3, 1 / 3, 7]).log()
    loss, accuracy = student.pairwise_loss(chosen, rejected)
    assert_close(loss, torch.tensor(-math.log(3 / 4 * 1 / 4 * 7 / 8) / 3))
    assert_close(accuracy, torch.tensor(2 / 3))


def small_pairs(chosen, rejected):
    """A `pairwise_loss` for small rewards: question 3 is tested with it where you use your own and it is wrong."""
    won = chosen.exp() / (chosen.exp() + rejected.exp())
    return -won.log().mean(), won.gt(0.5).float().mean()


@pytest.mark.points(1)
def test_rankings_by_hand(student):
    """Two prompts with three answers each: the better one wins with 3/4, 9/10, 3/4, and with 3/4, 1/4, 1/10.

    zh: 两个提示词各有三条回答：较好者胜出的概率是 3/4、9/10、3/4，以及 3/4、1/4、1/10。
    """
    rewards = torch.tensor([9.0, 3, 1, 3, 1, 9]).log()
    product = 3 / 4 * 9 / 10 * 3 / 4 * 3 / 4 * 1 / 4 * 1 / 10

    def check():
        assert_close(student.ranking_loss(rewards, [3, 3]), torch.tensor(-math.log(product) / 6))

    own_or_given(check, student, pairwise_loss=small_pairs)
