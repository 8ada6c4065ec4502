"""Public tests of alignment/dpo: what each function returns, and examples small enough to check by hand."""

import math

import pytest
import torch

from autograder.testing import assert_close, check_any


@pytest.mark.points(1)
def test_sequence_logps_by_hand(student):
    """The token at position 1 has probability 1/4 under the logits of position 0, that at position 2 has 1/2 under those of 1.

    zh: 位置 1 的词元在位置 0 的 logits 下概率为 1/4，位置 2 的词元在位置 1 的 logits 下概率为 1/2。
    """
    probabilities = torch.tensor([[0.25, 0.75], [0.5, 0.5], [0.1, 0.9]])
    logits = probabilities.log().repeat(2, 1, 1)
    labels = torch.tensor([[-100, 0, 1], [-100, -100, 1]])
    actual = student.sequence_logps(logits, labels)
    assert actual.shape == (2,), f"one number per sequence: shape [2], not {list(actual.shape)}"
    assert actual.dtype == torch.float32, f"the dtype of the logits, float32, not {actual.dtype}"
    assert_close(actual, torch.tensor([1 / 4 * 1 / 2, 1 / 2]).log())


@pytest.mark.points(0.5)
def test_labels_of_another_shape(student):
    """Labels that were shifted already don't fit the logits: ValueError.

    zh: 标签已经提前移过位，与 logits 对不上：抛出 ValueError。
    """
    logits = torch.zeros(1, 3, 4)
    assert_close(
        student.sequence_logps(logits, torch.tensor([[-100, 1, 2]])), torch.tensor([-4 * math.log(2)])
    )
    with pytest.raises(ValueError):
        student.sequence_logps(logits, torch.tensor([[1, 2]]))


@pytest.mark.points(1)
def test_implicit_rewards_by_hand(student):
    """Beta 0.5; chosen gained 2 nats and rejected lost 2: rewards 1, -1, margin 2. A second pair: 2, 3, -1.

    zh: beta 为 0.5，chosen 的对数概率升了 2，rejected 降了 2：奖励为 1 和 -1，间隔为 2。第二对是 2、3、-1。
    """
    pairs = (
        torch.tensor([-3.0, -2.0]),
        torch.tensor([-6.0, -1.0]),
        torch.tensor([-5.0, -6.0]),
        torch.tensor([-4.0, -7.0]),
    )
    chosen, rejected, margins = student.implicit_rewards(*pairs, 0.5)
    assert_close(chosen, torch.tensor([1.0, 2.0]))
    assert_close(rejected, torch.tensor([-1.0, 3.0]))
    assert_close(margins, torch.tensor([2.0, -1.0]))


def own_margins(student, pairs, beta):
    """What your own question 2 gives: a mistake there doesn't count again in questions 3 and 5."""
    margins = student.implicit_rewards(*pairs, beta)[2]
    assert margins[0] != margins[1]
    return margins


@pytest.mark.points(1)
def test_dpo_loss_by_hand(student):
    """Margins 2 and 0: the mean of log(1 + e^-2) and log 2, a tensor without axes.

    zh: 间隔为 2 和 0：取 log(1 + e^-2) 与 log 2 的平均，结果是没有轴的张量。
    """
    pairs = (
        torch.tensor([-3.0, -7.0]),
        torch.tensor([-6.0, -9.0]),
        torch.tensor([-5.0, -7.0]),
        torch.tensor([-4.0, -9.0]),
    )
    loss = student.dpo_loss(*pairs, 0.5)
    assert loss.shape == (), f"the mean over the pairs has no axes; got shape {list(loss.shape)}"
    check_any(
        lambda margins: assert_close(loss, torch.log1p(torch.exp(-margins)).mean()),
        lambda: torch.tensor([2.0, 0.0]),
        lambda: own_margins(student, pairs, 0.5),
    )


@pytest.mark.points(0.5)
def test_dpo_loss_of_a_large_margin(student):
    """At margin -200 the loss is 200, though sigmoid(-200) is 0 in float32.

    zh: 间隔为 -200 时损失是 200，尽管在 float32 里 sigmoid(-200) 等于 0。
    """
    pairs = [torch.tensor([value]) for value in (-500.0, -300.0, 0.0, 0.0)]
    assert_close(student.dpo_loss(*pairs, 1.0), torch.tensor(200.0))


@pytest.mark.points(1)
def test_ipo_loss_by_hand(student):
    """The gaps are 4 and -2, the target is 1 / (2 * 0.25) = 2: the losses are 4 and 16, their mean is 10.

    zh: 对数比之差为 4 和 -2，目标为 1 / (2 * 0.25) = 2：两对的损失为 4 和 16，平均为 10。
    """
    pairs = (
        torch.tensor([-3.0, -2.0]),
        torch.tensor([-6.0, -1.0]),
        torch.tensor([-5.0, -6.0]),
        torch.tensor([-4.0, -7.0]),
    )
    assert_close(student.ipo_loss(*pairs, 0.25), torch.tensor(10.0))


@pytest.mark.points(1)
def test_gradient_by_hand(student):
    """At margin 0 a pair weighs 1/2, at margin 2 it weighs 1 / (1 + e^2): with beta 0.1 and two pairs, 1/20 of that.

    zh: 间隔为 0 时权重是 1/2，间隔为 2 时是 1 / (1 + e^2)；beta 为 0.1、共两对，梯度的大小是权重的 1/20。
    """
    pairs = (
        torch.tensor([-3.0, -5.0]),
        torch.tensor([-6.0, -19.0]),
        torch.tensor([-3.0, -13.0]),
        torch.tensor([-6.0, -7.0]),
    )
    chosen, rejected = student.dpo_gradient(*pairs, 0.1)

    def check(margins):
        weights = 1 / (1 + torch.exp(margins))
        assert_close(chosen, -weights / 20)
        assert_close(rejected, weights / 20)

    check_any(check, lambda: torch.tensor([0.0, 2.0]), lambda: own_margins(student, pairs, 0.1))
