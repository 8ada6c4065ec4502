"""Hidden tests of rl/ppo."""

import math

import pytest
import torch
from torch import nn

from autograder.testing import assert_close, load_by_name, own_or_reference

FLOATS = [torch.float64, torch.float32]
D, WIDTH, ACTIONS = 3, 5, 4
ACTOR = {"0.weight": (WIDTH, D), "0.bias": (WIDTH,), "2.weight": (ACTIONS, WIDTH), "2.bias": (ACTIONS,)}
CRITIC = {"weight": (1, D), "bias": (1,)}


def decisions(dtype=torch.float64):
    """Log-probabilities, old ones and advantages [7], with each sign on each side of the clip range 0.2 and inside it."""
    ratio = torch.tensor([1.9, 0.4, 1.5, 0.6, 1.1, 0.9, 0.95], dtype=torch.float64)
    advantages = torch.tensor([-1.3, 0.7, 2.2, -1.7, -0.8, 1.9, -0.6], dtype=torch.float64)
    side = (ratio > 1.2).long() - (ratio < 0.8).long()
    assert {(s, a > 0) for s, a in zip(side.tolist(), advantages.tolist(), strict=True)} == {
        (s, up) for s in (-1, 0, 1) for up in (True, False)
    }
    old = -torch.linspace(2.3, 0.9, 7, dtype=torch.float64)
    return (old + ratio.log()).to(dtype), old.to(dtype), advantages.to(dtype)


def judgements(dtype=torch.float64):
    """Values, old values and returns [8], with the return on each side of the old value and of where the value went."""
    moved = torch.tensor([0.9, -0.9, 1.7, -1.4, 0.3, -0.2, 0.8, -2.0], dtype=torch.float64)
    old = torch.tensor([3.0, -4.0, -2.0, 5.0, 1.0, -6.0, 0.0, 2.0], dtype=torch.float64)
    target = torch.tensor([2.5, 0.4, -3.0, -2.2, 0.9, -0.8, 0.6, -1.1], dtype=torch.float64)
    return (old + moved).to(dtype), old.to(dtype), (old + target).to(dtype)


def collected(actor, critic, count, seed=0):
    """A rollout of other policies than these: some ratios are outside 1 +- 0.2 for either sign of the advantage."""
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape):
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    states, actions = draw(count, D), torch.randint(ACTIONS, (count,), generator=generator)
    with torch.no_grad():
        now = actor(states).log_softmax(-1)[torch.arange(count), actions]
        values = critic(states)[:, 0]
    shift = 0.5 * (-1.0) ** torch.arange(count) + 0.1 * draw(count)
    rollout = {
        "states": states,
        "actions": actions,
        "log_probs": now - shift,
        "values": values - 0.3 * draw(count),
        "advantages": 1.5 + 2 * draw(count),
        "returns": values + draw(count),
    }
    assert rollout["advantages"].mean().abs() > 0.3
    assert ((rollout["values"] - values).abs() > 0.2).any()
    return rollout


def models(build, name="SGD", **settings):
    """Actor, critic and optimiser on the student's side, and the same three here, with the same random weights."""

    def here(path, *args, **kwargs):
        home = torch.optim if "optim" in path else nn
        return getattr(home, path.rpartition(".")[2])(*args, **kwargs)

    def make(build):
        first, last, critic = (
            build("torch.nn.Linear", *size, dtype=torch.float64)
            for size in ((D, WIDTH), (WIDTH, ACTIONS), (D, 1))
        )
        actor = build("torch.nn.Sequential", first, build("torch.nn.Tanh"), last)
        load_by_name(actor, ACTOR, dtype=torch.float64)
        load_by_name(critic, CRITIC, dtype=torch.float64)
        groups = [{"params": actor.parameters()}, {"params": critic.parameters()}]
        return actor, critic, build(f"torch.optim.{name}", groups, **settings)

    return make(build), make(here)


def weights(actor, critic):
    """All of them, which later steps don't reach."""
    states = {"actor": actor.state_dict(), "critic": critic.state_dict()}
    return {
        f"{model}.{name}": value.clone() for model, state in states.items() for name, value in state.items()
    }


def assert_trained(theirs, ours):
    """The weights agree."""
    assert_close(weights(*theirs[:2]), weights(*ours[:2]))


@pytest.mark.points(2)
@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("clip_range", [0.2, 0.45, 0.02])
def test_lower_estimate_counts(student, clip_range, dtype):
    """The lower of the two estimates counts, for either sign of the advantage: the clip takes gains away and no losses.

    zh: 不论优势是正是负，都取两个估计中较低的：裁剪只削去收益，从不减轻损失。
    """
    log_probs, old, advantages = decisions()
    ratios = (log_probs - old).exp().tolist()
    pairs = list(zip(ratios, advantages.tolist(), strict=True))
    expected = [
        a * (min(ratio, 1 + clip_range) if a > 0 else max(ratio, 1 - clip_range)) for ratio, a in pairs
    ]
    loss = student.clipped_policy_loss(*decisions(dtype), clip_range)
    assert_close(loss, -torch.tensor(expected, dtype=dtype).mean())


@pytest.mark.points(1.5)
def test_gradient_stops_and_comes_back(gradients, student):
    """No gradient where the ratio has gone far enough the way the advantage asks for; all of it where it has gone the wrong way.

    zh: 概率比已经顺着优势走得够远，就没有梯度；走反了方向，梯度完整地留着。
    """
    log_probs, old, advantages = decisions()
    ratio = (log_probs - old).exp()
    enough = torch.where(advantages > 0, ratio > 1.2, ratio < 0.8)
    assert enough.tolist() == [False, False, True, True, False, False, False]
    found = gradients(student.clipped_policy_loss, log_probs, old, advantages, 0.2)
    expected = torch.where(enough, 0.0, -ratio * advantages / len(ratio))
    assert found.arguments[0] is not None, "no gradient reaches the log-probabilities"
    assert_close(found.arguments[0], expected)


@pytest.mark.points(1.5)
def test_first_step_is_policy_gradient(gradients, student):
    """At ratio 1 the gradient is the policy gradient, not zero, and it reaches nothing but the current log-probabilities.

    zh: 概率比为 1 时，梯度就是策略梯度，不是零；除当前的对数概率外，谁也得不到梯度。
    """
    _, old, advantages = decisions()
    found = gradients(student.clipped_policy_loss, old.clone(), old, advantages, 0.2)
    assert_close(found.output, -advantages.mean())
    assert found.arguments[0] is not None, "no gradient reaches the log-probabilities"
    assert_close(found.arguments[0], -advantages / len(advantages))
    for constant in found.arguments[1:]:
        assert constant is None or not constant.any(), "old log-probabilities and advantages are constants"


@pytest.mark.points(1)
def test_very_unlikely_actions(student):
    """The ratio is right where both probabilities are too small for a float.

    zh: 两个概率都小到浮点数表示不了时，它们的比仍然正确。
    """
    old = torch.tensor([-1000.0, -600.0, -0.5])
    log_probs = torch.tensor([-999.5, -600.25, -0.25])
    ratios = [1.2, math.exp(-0.25), 1.2]
    advantages = torch.tensor([1.0, 2.0, 3.0])
    expected = -sum(r * a for r, a in zip(ratios, [1, 2, 3], strict=True)) / 3
    assert_close(student.clipped_policy_loss(log_probs, old, advantages, 0.2), torch.tensor(expected))


@pytest.mark.points(2)
@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("clip_range", [0.5, 0.1, 1.6])
def test_larger_error_counts(student, clip_range, dtype):
    """The larger of the two squared errors counts, the value being clipped around the old value.

    zh: 取两个平方误差中较大的；价值以旧价值为中心裁剪。
    """
    losses = []
    for value, old, target in zip(*(column.tolist() for column in judgements()), strict=True):
        held = min(max(value, old - clip_range), old + clip_range)
        losses.append(max((value - target) ** 2, (held - target) ** 2) / 2)
    loss = student.clipped_value_loss(*judgements(dtype), clip_range)
    assert_close(loss, torch.tensor(losses, dtype=dtype).mean())


@pytest.mark.points(1)
def test_value_gradient(gradients, student):
    """A value that has gone too far towards its return gets no gradient; all others do, and nothing else does.

    zh: 向回报走得过远的价值没有梯度，其余的价值都有；除价值外，谁也得不到梯度。
    """
    values, old, returns = judgements()
    towards = (values - old).sign() == (returns - old).sign()
    # Far beyond the return the plain error is the larger one again.
    held = old + (values - old).clamp(-0.5, 0.5)
    stopped = towards & ((values - old).abs() > 0.5) & ((held - returns).abs() > (values - returns).abs())
    assert 0 < stopped.sum() < towards.sum()
    found = gradients(student.clipped_value_loss, values, old, returns, 0.5)
    expected = torch.where(stopped, 0.0, (values - returns) / len(values))
    assert found.arguments[0] is not None, "no gradient reaches the values"
    assert_close(found.arguments[0], expected)
    for constant in found.arguments[1:]:
        assert constant is None or not constant.any(), "old values and returns are constants"


@pytest.mark.points(1.5)
@pytest.mark.parametrize("dtype", FLOATS)
def test_kl_of_samples(student, dtype):
    """Each action adds a known amount, never below zero; actions drawn in the old policy's shares give the exact KL.

    zh: 每个动作的贡献都是确定的，而且不小于零；动作的频率等于旧策略的概率时，结果恰好是 KL 散度。
    """
    old = torch.tensor([0.5, 0.125, 0.375], dtype=dtype)
    new = torch.tensor([0.2, 0.7, 0.1], dtype=dtype)
    for action, ratio in enumerate((0.4, 5.6, 4 / 15)):
        found = student.approximate_kl(new[action, None].log(), old[action, None].log())
        assert_close(found, torch.tensor(ratio - 1 - math.log(ratio), dtype=dtype))
    actions = torch.tensor([2, 0, 0, 1, 2, 0, 0, 2])
    exact = (old * (old / new).log()).sum()
    assert_close(student.approximate_kl(new.log()[actions], old.log()[actions]), exact)


@pytest.mark.points(2.5)
@own_or_reference("clipped_policy_loss", "clipped_value_loss", "approximate_kl")
@pytest.mark.parametrize(("count", "size"), [(8, 3), (11, 4), (5, 9)])
def test_epoch_follows_the_permutation(student, reference, build, count, size):
    """Every sample trains once, in the order of the permutation, a short last minibatch too; nothing of a step is left for the next.

    zh: 每个样本恰好训练一次，次序由 permutation 决定，最后不满的小批次也不例外；上一步的东西不会混进下一步。
    """
    theirs, ours = models(build, lr=0.4)
    rollout = collected(*ours[:2], count)
    for seed in (1, 2):
        order = torch.randperm(count, generator=torch.Generator().manual_seed(seed))
        assert order.tolist() != list(range(count))
        expected = reference.ppo_epoch(*ours, rollout, order, size, 0.2, 0.7)
        assert_close(student.ppo_epoch(*theirs, rollout, order, size, 0.2, 0.7), expected)
        assert_trained(theirs, ours)


@pytest.mark.points(1.5)
@own_or_reference("clipped_policy_loss", "clipped_value_loss", "approximate_kl")
def test_minibatch_normalises_itself(student, reference, build):
    """Advantages are normalised within their own minibatch: what is added to all of one minibatch changes nothing.

    zh: 优势在自己的小批次里归一化：给一个小批次的优势都加上同一个数，结果不变。
    """
    theirs, ours = models(build, lr=0.4)
    rollout = collected(*ours[:2], 7, seed=3)
    order = torch.tensor([4, 0, 6, 2, 5, 1, 3])
    expected = reference.ppo_epoch(*ours, rollout, order, 4, 0.2, 0.7)
    moved = rollout["advantages"].clone()
    moved[order[:4]] += 30
    moved[order[4:]] = 5 * moved[order[4:]] - 8
    found = student.ppo_epoch(*theirs, rollout | {"advantages": moved}, order, 4, 0.2, 0.7)
    assert_close(found, expected)
    assert_close(weights(*theirs[:2]), weights(*ours[:2]), rtol=1e-6, atol=1e-8)


@pytest.mark.points(1)
@own_or_reference("clipped_policy_loss", "clipped_value_loss", "approximate_kl")
def test_minibatch_without_spread(student, reference, build):
    """A minibatch of one sample trains with its advantage as it is, one of equal advantages with zeros; no weight becomes NaN.

    zh: 只有一个样本的小批次按原来的优势训练，优势全相等的小批次按零训练，权重不会变成 NaN。
    """
    theirs, ours = models(build, lr=0.1)
    rollout = collected(*ours[:2], 4, seed=5)
    equal = rollout | {"advantages": torch.tensor([2.0, 0.5, 2.0, 2.0], dtype=torch.float64)}
    for data, size in ((rollout, 3), (rollout, 1), (equal, 3)):
        order = torch.tensor([2, 3, 0, 1])
        expected = reference.ppo_epoch(*ours, data, order, size, 0.2, 0.7)
        assert_close(student.ppo_epoch(*theirs, data, order, size, 0.2, 0.7), expected)
        assert_trained(theirs, ours)


@pytest.mark.points(2.5)
@own_or_reference("clipped_policy_loss", "clipped_value_loss", "approximate_kl")
def test_early_stop_takes_no_step(student, reference, build):
    """The first minibatch whose KL is above 1.5 times the target takes no step, and none after it does; at or below, all do.

    zh: 第一个 KL 超过目标 1.5 倍的小批次不更新，它后面的也都不更新；都不超过时，每个小批次都更新。
    """
    order = torch.tensor([5, 2, 7, 0, 3, 6, 1, 4])

    def with_distance(actor, distance):
        rollout = collected(*ours[:2], 8, seed=7)
        with torch.no_grad():
            now = actor(rollout["states"]).log_softmax(-1)[torch.arange(8), rollout["actions"]]
        return rollout | {"log_probs": now - distance}

    for done in (1, 2, 0):  # minibatches before the one that stops
        theirs, ours = models(build, "Adam", lr=0.02)
        distance = torch.full((8,), 0.1, dtype=torch.float64)  # a KL of about 0.01
        # About 1.1, above 1.5 * 0.5, though the mean of it and of those before is not.
        distance[order[3 * done : 3 * done + 3]] = 1.2
        rollout = with_distance(ours[0], distance)
        expected = reference.ppo_epoch(*ours, rollout, order[: 3 * done], 3, 0.2, 0.7) if done else []
        found = student.ppo_epoch(*theirs, rollout, order, 3, 0.2, 0.7, 0.5)
        assert_trained(theirs, ours)
        assert_close(found[:-1], expected)
        assert found[-1] > 0.75
        assert done == 0 or sum(found) / len(found) < 0.7

    theirs, ours = models(build, lr=0.1)
    rollout = with_distance(ours[0], 1.0)  # a KL of e - 2 = 0.718
    assert_close(student.ppo_epoch(*theirs, rollout, order, 8, 0.2, 0.7, 0.47), [math.e - 2])
    assert_trained(theirs, ours)
    reference.ppo_epoch(*ours, rollout, order, 8, 0.2, 0.7)
    assert_close(student.ppo_epoch(*theirs, rollout, order, 8, 0.2, 0.7, 0.49), [math.e - 2])
    assert_trained(theirs, ours)
