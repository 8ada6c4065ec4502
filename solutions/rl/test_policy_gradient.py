"""Hidden tests of rl/policy_gradient."""

from typing import NamedTuple

import pytest
import torch
from torch import Tensor

from autograder.testing import PROMISES, assert_close, check_promise, exact_policy


class Listed(NamedTuple):
    """Every episode of a process, as a padded batch. All floats are float64; the padding is not zero."""

    states: Tensor  # [N, T]
    actions: Tensor  # [N, T]
    rewards: Tensor  # [N, T]
    mask: Tensor  # [N, T]
    probabilities: Tensor  # [N]


def listed(process) -> Listed:
    episodes = list(process.episodes())
    shape = (len(episodes), process.horizon)
    states, actions = torch.zeros(shape, dtype=torch.long), torch.ones(shape, dtype=torch.long)
    rewards, mask = torch.full(shape, 3.0, dtype=torch.float64), torch.zeros(shape, dtype=torch.bool)
    for row, episode in enumerate(episodes):
        length = len(episode.actions)
        states[row, :length] = torch.tensor(episode.states)
        actions[row, :length] = torch.tensor(episode.actions)
        rewards[row, :length] = torch.tensor(episode.rewards, dtype=torch.float64)
        mask[row, :length] = True
    assert mask.sum(1).unique().numel() == process.horizon, "episodes of every length"
    probabilities = torch.stack([episode.probability for episode in episodes])
    return Listed(states, actions, rewards, mask, probabilities)


def futures(rewards: Tensor, mask: Tensor, discount: float) -> Tensor:
    """The double sum, [B, T]."""
    kept = torch.where(mask, rewards, 0.0)
    steps = torch.arange(rewards.shape[1], dtype=rewards.dtype)
    ahead = steps - steps[:, None]  # [t, k]
    factors = torch.where(ahead >= 0, discount ** ahead.clamp(min=0), 0.0)
    return (kept[:, None] * factors).sum(-1)


def batch(
    lengths: list[int], actions: int, seed: int, dtype: torch.dtype = torch.float32
) -> dict[str, Tensor]:
    """Uneven episodes of random numbers, with a padding that is not zero."""
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64).to(dtype)

    size = (len(lengths), max(lengths))
    mask = torch.arange(size[1]) < torch.tensor(lengths)[:, None]
    assert len(lengths) == 1 or not mask.all(), "episodes are uneven"
    return {
        "logits": 2 * draw(*size, actions),
        "actions": torch.randint(actions, size, generator=generator),
        "returns": 3 * draw(*size),
        "baseline": draw(*size),
        "mask": mask,
    }


def slopes_of_the_table(gradients, student, process, of: Listed, returns: Tensor, baseline: Tensor) -> Tensor:
    """Gradient by the policy's table of the expected loss: every episode counts by its probability. [S, A]."""
    share = (of.probabilities * len(of.probabilities))[:, None]  # the loss divides by the number of episodes
    found = gradients(
        student.reinforce_loss,
        process.logits[of.states],
        of.actions,
        share * returns,
        share * baseline,
        of.mask,
        process.discount,
    )
    assert found.arguments[0] is not None, "no gradient reaches the logits"
    by_step = found.arguments[0].reshape(-1, process.logits.shape[1])
    return torch.zeros_like(process.logits).index_add(0, of.states.flatten(), by_step)


# ---------------------------------------------------------------- 1


@pytest.mark.points(1)
@pytest.mark.parametrize(
    ("lengths", "discount", "dtype"),
    [
        ([4, 1, 6, 3], 0.6, torch.float64),
        ([2], 0.9, torch.float32),
        ([5, 2], 1.0, torch.float32),
        ([300, 2], 0.7, torch.float32),  # 0.7 ** 299 is 0 in float32
    ],
)
def test_future_of_each_step(student, lengths, discount, dtype):
    """The return of a step is its own reward and, discounted from there, those that follow; padding counts for nothing.

    zh: 一步的回报是它自己的奖励，加上从它开始折扣的后续奖励；填充一律不计。
    """
    drawn = batch(lengths, 2, seed=1, dtype=dtype)
    rewards, mask = drawn["returns"], drawn["mask"]
    expected = futures(rewards, mask, discount)
    actual = student.reward_to_go(rewards.clone(), mask, discount)
    assert_close(actual, expected)


@pytest.mark.points(0.5)
def test_past_earns_nothing(student):
    """A reward counts, discounted, for its own step and those before it, and for no later one.

    zh: 一份奖励打过折扣后，计入它自己这一步和之前的各步，不计入后面的步。
    """
    drawn = batch([5, 7, 6], 2, seed=2)
    rewards, mask = drawn["returns"], drawn["mask"]
    before = student.reward_to_go(rewards.clone(), mask, 0.5)
    changed = rewards.clone()
    changed[:, 3] += 8.0
    after = student.reward_to_go(changed, mask, 0.5)
    assert_close(after - before, torch.tensor([1.0, 2.0, 4.0, 8.0, 0.0, 0.0, 0.0]).expand(3, 7))
    # Episodes of one step have neither past nor future.
    assert_close(student.reward_to_go(rewards[:, :1].clone(), mask[:, :1], 0.5), rewards[:, :1])


@pytest.mark.points(0.5)
@pytest.mark.parametrize("promise", PROMISES)
def test_rewards_as_they_came(student, unchanged, promise):
    """Right returns of rewards that are left as they came: unchanged, in their dtype, in any memory layout.

    zh: 回报正确，传入的奖励保持原样：不被改动，dtype 不变，任何内存布局都行。
    """

    def make(dtype: torch.dtype) -> tuple[Tensor, Tensor, float]:
        drawn = batch([3, 5, 2], 2, seed=3, dtype=dtype)
        return drawn["returns"], drawn["mask"], 0.7

    assert_close(student.reward_to_go(*make(torch.float64)), futures(*make(torch.float64)))
    check_promise(promise, student.reward_to_go, make, unchanged)


# ---------------------------------------------------------------- 2


@pytest.mark.points(1)
@pytest.mark.parametrize("lengths", [[2, 5, 1], [1, 3], [4]])
def test_short_and_long_episodes(student, reference, lengths):
    """The loss is minus the sum over the steps of an episode, averaged over the episodes, however long each one is.

    zh: 损失是一个回合内各步之和取负，再对回合取平均，与各回合有多长无关。
    """
    of = batch(lengths, 3, seed=4)
    of["baseline"] = torch.zeros_like(of["baseline"])
    actual = student.reinforce_loss(*(of[name].clone() for name in of), 1.0)
    assert_close(actual, reference.reinforce_loss(*of.values(), 1.0))
    alone = [
        student.reinforce_loss(*(of[name][row : row + 1, :length].clone() for name in of), 1.0)
        for row, length in enumerate(lengths)
    ]
    assert_close(actual, torch.stack(alone).mean())


@pytest.mark.points(1.5)
@pytest.mark.parametrize("discount", [0.6, 1.0])
def test_slope_is_the_exact_gradient(student, gradients, discount):
    """Over all episodes of a process, the expected gradient of the loss is minus that of the discounted return from the start.

    zh: 对一个过程的全部回合取期望，损失的梯度恰好是“从起点折扣的回报”的梯度的相反数。
    """
    process = exact_policy(3, 2, horizon=3, discount=discount, seed=7)
    of = listed(process)
    returns = futures(of.rewards, of.mask, discount)
    expected = process.gradient()
    assert expected[:-1].abs().min() > 0.05
    slopes = slopes_of_the_table(gradients, student, process, of, returns, torch.zeros_like(returns))
    assert_close(-slopes, expected, rtol=1e-5)


@pytest.mark.points(1)
def test_baseline_leaves_the_mean(student, reference, gradients):
    """A baseline is subtracted from the return of its step, and leaves the expected gradient where it was.

    zh: 基线从同一步的回报里减去，梯度的期望不因此改变。
    """
    of = batch([3, 4, 2], 5, seed=7)
    assert_close(
        student.reinforce_loss(*(of[name].clone() for name in of), 0.5),
        reference.reinforce_loss(*of.values(), 0.5),
    )
    process = exact_policy(3, 2, horizon=3, discount=0.6, seed=8)
    every = listed(process)
    returns = futures(every.rewards, every.mask, 0.6)
    of_state = torch.tensor([4.0, -7.0, 2.0], dtype=torch.float64)[every.states]
    slopes = slopes_of_the_table(gradients, student, process, every, returns, of_state)
    assert_close(-slopes, process.gradient(), rtol=1e-5)


@pytest.mark.points(1)
def test_credit_is_a_constant(student, reference, gradients):
    """The loss has the right slope in the logits of the steps taken, and none in returns, baseline or padding.

    zh: 损失对实际走过的步的 logits 有正确的梯度；对回报、基线和填充没有梯度。
    """
    of = batch([3, 1, 4], 3, seed=9)
    wanted = gradients(reference.reinforce_loss, *of.values(), 1.0)
    found = gradients(student.reinforce_loss, *(of[name].clone() for name in of), 1.0)
    for constant in (2, 3):
        assert found.arguments[constant] is None or not found.arguments[constant].any()
    assert found.arguments[0] is not None, "no gradient reaches the logits"
    assert_close(found.arguments[0], wanted.arguments[0])
    assert not found.arguments[0][~of["mask"]].any()


@pytest.mark.points(0.5)
def test_hardly_possible_actions(student, reference, gradients):
    """Actions that the policy finds all but impossible have a finite loss and slope, and the right ones.

    zh: 策略认为几乎不可能的动作，损失和梯度也有限而且正确。
    """
    of = batch([3, 2], 3, seed=10)
    of["baseline"] = torch.zeros_like(of["baseline"])
    of["logits"] = torch.tensor(
        [[[0.0, 300, -200], [9000, 0, 1], [-8000, 8000, 0]], [[500, 0, 3], [0, 0, 200], [1, 0, 0]]]
    )
    of["actions"] = torch.tensor([[2, 1, 0], [1, 0, 0]])
    found = gradients(student.reinforce_loss, *(of[name].clone() for name in of), 1.0)
    wanted = gradients(reference.reinforce_loss, *of.values(), 1.0)
    assert wanted.output.isfinite()
    assert_close(found.output, wanted.output)
    assert_close(found.arguments[0], wanted.arguments[0])


# ---------------------------------------------------------------- 3


@pytest.mark.points(1.5)
@pytest.mark.parametrize("shape", [(4,), (3, 2), (2, 3, 5)])
def test_own_return_stays_out(student, shape):
    """A baseline is the mean return of the others of its group; an episode's own return doesn't move it.

    zh: 基线是同组其他回合的平均回报；自己的回报怎么变，自己的基线都不动。
    """
    returns = torch.randn(shape, generator=torch.Generator().manual_seed(11))
    others = ~torch.eye(shape[-1], dtype=torch.bool)
    expected = torch.stack([returns[..., row].mean(-1) for row in others], dim=-1)
    actual = student.leave_one_out(returns.clone())
    assert_close(actual, expected)
    raised = returns.clone()
    raised[..., 0] += 16.0
    moved = student.leave_one_out(raised) - actual
    assert_close(moved[..., 0], torch.zeros(shape[:-1]))
    assert_close(moved[..., 1:], torch.full_like(returns[..., 1:], 16.0 / (shape[-1] - 1)))


# ---------------------------------------------------------------- 4


def tables_of_episodes(process, of: Listed, weights: Tensor) -> Tensor:
    """The estimate of each episode by automatic differentiation: [N, S, A]."""
    copies = process.logits.repeat(len(of.states), 1, 1).requires_grad_()  # a table for each episode
    rows = torch.arange(len(of.states))[:, None]
    log_probs = copies.log_softmax(-1)[rows, of.states, of.actions]
    (tables,) = torch.autograd.grad((log_probs * weights * of.mask).sum(), copies)
    return tables


@pytest.mark.points(1)
def test_mean_of_every_episode(student):
    """The mean over all episodes is that of their estimates, by their probabilities: with good weights the exact gradient.

    zh: 均值是各回合的估计按概率加权的平均；权重取对了，就等于精确的梯度。
    """
    process = exact_policy(4, 3, horizon=2, discount=0.7, seed=13)
    of = listed(process)
    weights = 0.7 ** torch.arange(2, dtype=torch.float64) * futures(of.rewards, of.mask, 0.7)
    padded = torch.where(of.mask, weights, 2.0)
    mean, _ = student.estimate_moments(
        process.logits, of.states, of.actions, padded, of.mask, of.probabilities
    )
    assert_close(mean, process.gradient())
    noise = torch.randn(weights.shape, generator=torch.Generator().manual_seed(14), dtype=torch.float64)
    mean, _ = student.estimate_moments(
        process.logits, of.states, of.actions, noise, of.mask, of.probabilities
    )
    assert_close(mean, torch.einsum("n,nsa->sa", of.probabilities, tables_of_episodes(process, of, noise)))


@pytest.mark.points(1)
@pytest.mark.parametrize("credit", ["whole return", "reward to go", "baseline"])
def test_spread_around_the_mean(student, credit):
    """The variance is the exact one of a whole episode's estimate: its squared distances from the mean, by probability.

    zh: 方差是整个回合估计的精确方差：到均值的距离平方，按概率加权。
    """
    process = exact_policy(3, 2, horizon=3, discount=0.9, seed=38)
    of = listed(process)
    discounts = 0.9 ** torch.arange(3, dtype=torch.float64)
    togo = futures(of.rewards, of.mask, 0.9)
    credits = {
        "whole return": togo[:, :1].expand_as(togo),
        "reward to go": discounts * togo,
        "baseline": discounts * (togo - togo[:, 0] @ of.probabilities),
    }
    exact, spreads = process.gradient(), {}
    for name, weights in credits.items():
        tables = tables_of_episodes(process, of, weights)
        mean = torch.einsum("n,nsa->sa", of.probabilities, tables)
        assert_close(mean, exact)  # the same for all three
        spreads[name] = of.probabilities @ (tables - mean).square().sum((1, 2))
    assert spreads["whole return"] > 1.1 * spreads["reward to go"] > 1.2 * spreads["baseline"]
    padded = torch.where(of.mask, credits[credit], 2.0)
    _, variance = student.estimate_moments(
        process.logits, of.states, of.actions, padded, of.mask, of.probabilities
    )
    assert_close(variance, spreads[credit])
