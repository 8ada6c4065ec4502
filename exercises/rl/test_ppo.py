"""Public tests of rl/ppo: examples small enough to check by hand."""

import math

import pytest
import torch

from autograder.testing import assert_close, own_or_given


@pytest.mark.points(2)
def test_policy_loss_by_hand(student):
    """Ratios 2 and 1/2, first with advantage 1, then with -1 and -2, clip range 0.2: the losses are -1.2, -0.5, 2 and 1.6.

    zh: 概率比为 2 和 1/2，优势先都是 1，后是 -1 和 -2，裁剪范围 0.2：四个损失是 -1.2、-0.5、2 和 1.6。
    """
    old = torch.tensor([0.4, 0.8, 0.3, 0.6]).log()
    new = torch.tensor([0.8, 0.4, 0.6, 0.3]).log()
    advantages = torch.tensor([1.0, 1.0, -1.0, -2.0])
    loss = student.clipped_policy_loss(new, old, advantages, 0.2)
    assert loss.shape == (), f"the mean over the samples has no axes; got shape {list(loss.shape)}"
    assert_close(loss, torch.tensor((-1.2 - 0.5 + 2.0 + 1.6) / 4))


@pytest.mark.points(2)
def test_value_loss_by_hand(student):
    """Old values 1, clip range 0.5: value 2 and return 3 give max(1, 2.25) / 2; value 2 and return 1 give max(1, 0.25) / 2. Values or old values of [N, 1] don't fit: ValueError.

    zh: 旧价值都是 1，裁剪范围 0.5：价值 2、回报 3 得 max(1, 2.25) / 2；价值 2、回报 1 得 max(1, 0.25) / 2。价值或旧价值是 [N, 1] 时形状不符，抛出 ValueError。
    """
    values, old, returns = torch.tensor([2.0, 2.0]), torch.tensor([1.0, 1.0]), torch.tensor([3.0, 1.0])
    assert_close(student.clipped_value_loss(values, old, returns, 0.5), torch.tensor((1.125 + 0.5) / 2))
    for misfit in ((values[:, None], old, returns), (values, old[:, None], returns)):
        with pytest.raises(ValueError):
            student.clipped_value_loss(*misfit, 0.5)


@pytest.mark.points(1)
def test_kl_by_hand(student):
    """Four actions drawn as the old policy (1/2, 1/4, 1/4) would on average give its exact KL to (1/4, 1/4, 1/2).

    zh: 四个动作的频率恰好等于旧策略 (1/2, 1/4, 1/4)，所以得到的正是它到 (1/4, 1/4, 1/2) 的 KL 散度。
    """
    actions = torch.tensor([0, 0, 1, 2])
    old = torch.tensor([0.5, 0.25, 0.25])[actions].log()
    new = torch.tensor([0.25, 0.25, 0.5])[actions].log()
    assert_close(student.approximate_kl(new, old), torch.tensor(0.25 * math.log(2)))
    assert_close(student.approximate_kl(new[:1], old[:1]), torch.tensor(math.log(2) - 0.5))


HALF = torch.full((3,), 0.5).log()
ROLLOUT = {
    "states": torch.ones(3, 1),
    "actions": torch.tensor([0, 1, 1]),
    "log_probs": HALF,
    "values": torch.zeros(3),
    "advantages": torch.tensor([1.0, 2.0, 3.0]),
    "returns": torch.tensor([3.0, 0.0, 6.0]),
}


def zero_models(build):
    """An actor that finds both actions equally likely, a critic that says 0, and their optimiser."""
    actor = build("torch.nn.Linear", 1, 2, bias=False)
    critic = build("torch.nn.Linear", 1, 1, bias=False)
    actor.load_state_dict({"weight": torch.zeros(2, 1)})
    critic.load_state_dict({"weight": torch.zeros(1, 1)})
    groups = [{"params": actor.parameters()}, {"params": critic.parameters()}]
    return actor, critic, build("torch.optim.SGD", groups, lr=0.3)


def squared_error(values, _, returns, __):
    assert values.shape == returns.shape, f"values {list(values.shape)}, returns {list(returns.shape)}"
    return (values - returns).square().mean() / 2


# Where your own functions fail, these stand in for them in the tests of the epoch; where nothing is clipped they are right.
UNCLIPPED = {
    "clipped_policy_loss": lambda new, old, advantages, _: -((new - old).exp() * advantages).mean(),
    "clipped_value_loss": squared_error,
    "approximate_kl": lambda new, old: (new - old).square().mean() / 2,
}


@pytest.mark.points(1.5)
def test_epoch_by_hand(student, build):
    """One minibatch at ratio 1: normalised advantages -1, 0, 1 move the logits by 0.1, the critic moves towards the returns.

    zh: 只有一个小批次，概率比为 1：归一化后的优势 -1、0、1 使两个 logits 各移动 0.1，Critic 向回报靠近。
    """

    def check():
        actor, critic, optimizer = zero_models(build)
        order = torch.tensor([2, 0, 1])
        assert_close(student.ppo_epoch(actor, critic, optimizer, ROLLOUT, order, 3, 0.2, 0.5), [0.0])
        # The gradient of the logits is (1/3, -1/3), that of the value -3, times 0.5.
        assert_close(actor.state_dict()["weight"], torch.tensor([[-0.1], [0.1]]))
        assert_close(critic.state_dict()["weight"], torch.tensor([[0.45]]))

    own_or_given(check, student, **UNCLIPPED)


@pytest.mark.points(1)
def test_epoch_ends_early(student, build):
    """Two minibatches of a policy far from the old one: the first ends the epoch, and no weight moves.

    zh: 两个小批次，策略离旧策略都很远：第一个就结束这一轮，权重不动。
    """

    def check():
        actor, critic, optimizer = zero_models(build)
        far = ROLLOUT | {"log_probs": HALF - 2}
        order = torch.tensor([2, 0, 1])
        kls = student.ppo_epoch(actor, critic, optimizer, far, order, 2, 0.2, 0.5, 1.0)
        assert len(kls) == 1, f"one minibatch was looked at, not {len(kls)}"
        assert kls[0] > 1.5
        assert_close(actor.state_dict()["weight"], torch.zeros(2, 1))
        assert_close(critic.state_dict()["weight"], torch.zeros(1, 1))

    own_or_given(check, student, **UNCLIPPED)
