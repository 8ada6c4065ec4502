"""The reference of rl/policy_gradient against enumeration, automatic differentiation and torch.distributions."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from autograder.testing import assert_close, exact_policy, load_reference


def padded(process: Any) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """States, actions, rewards, mask [N, T] and probabilities [N] of every episode."""
    rows = list(process.episodes())

    def fill(values: list[list[Any]], dtype: torch.dtype) -> Tensor:
        return torch.tensor([[*row, *[0] * (process.horizon - len(row))] for row in values], dtype=dtype)

    lengths = torch.tensor([len(row.actions) for row in rows])
    return (
        fill([row.states for row in rows], torch.long),
        fill([row.actions for row in rows], torch.long),
        fill([row.rewards for row in rows], torch.float64),
        torch.arange(process.horizon) < lengths[:, None],
        torch.stack([row.probability for row in rows]),
    )


@pytest.mark.parametrize(("size", "length", "discount"), [(1, 1, 0.5), (4, 7, 0.9), (6, 3, 1.0)])
def test_reward_to_go(size: int, length: int, discount: float) -> None:
    """The definition as a double loop over each episode."""
    solution = load_reference("rl/policy_gradient")
    torch.manual_seed(size)
    rewards = torch.randn(size, length, dtype=torch.float64)
    lengths = torch.randint(1, length + 1, (size,))
    mask = torch.arange(length) < lengths[:, None]
    expected = torch.zeros_like(rewards)
    for row, end in enumerate(lengths.tolist()):
        for t in range(end):
            expected[row, t] = sum(discount ** (k - t) * rewards[row, k].item() for k in range(t, end))
    assert_close(solution.reward_to_go(rewards, mask, discount), expected)


@pytest.mark.parametrize("scale", [1.0, 3000.0])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_loss(dtype: torch.dtype, scale: float) -> None:
    """Against cross-entropy and torch's Categorical, with their gradients."""
    solution = load_reference("rl/policy_gradient")
    torch.manual_seed(1)
    mask = torch.arange(6) < torch.tensor([6, 1, 3, 4])[:, None]
    actions = torch.randint(5, (4, 6))
    returns, baseline = torch.randn(2, 4, 6, dtype=dtype)
    weights = (returns - baseline) * 0.8 ** torch.arange(6, dtype=dtype) * mask

    def ours(logits: Tensor) -> Tensor:
        return solution.reinforce_loss(logits, actions, returns, baseline, mask, 0.8)

    def by_cross_entropy(logits: Tensor) -> Tensor:
        return (F.cross_entropy(logits.transpose(1, 2), actions, reduction="none") * weights).sum() / 4

    def by_categorical(logits: Tensor) -> Tensor:
        return -(torch.distributions.Categorical(logits=logits).log_prob(actions) * weights).sum() / 4

    results = []
    start = scale * torch.randn(4, 6, 5, dtype=dtype)
    for loss in (ours, by_cross_entropy, by_categorical):
        logits = start.clone().requires_grad_()
        value = loss(logits)
        results.append((value.detach(), torch.autograd.grad(value, logits)[0]))
    assert_close(results[0], results[1])
    assert_close(results[0], results[2])


@pytest.mark.parametrize(
    ("states", "actions", "horizon", "discount"), [(2, 3, 3, 1.0), (3, 2, 3, 0.5), (4, 3, 2, 0.9)]
)
def test_estimates_of_every_episode(states: int, actions: int, horizon: int, discount: float) -> None:
    """The loss of each episode, differentiated by itself: the expectation is the gradient of the exact J."""
    solution = load_reference("rl/policy_gradient")
    process = exact_policy(states, actions, horizon=horizon, discount=discount, seed=states)
    visited, taken, rewards, mask, probabilities = padded(process)
    returns = solution.reward_to_go(rewards, mask, discount)
    value_of_state = torch.randn(states, dtype=torch.float64)
    discounts = discount ** torch.arange(horizon, dtype=torch.float64)
    baseline = value_of_state[visited]
    tables = []
    for row in range(len(probabilities)):
        logits = process.logits.clone().requires_grad_()
        one = slice(row, row + 1)
        loss = solution.reinforce_loss(
            logits[visited[one]], taken[one], returns[one], baseline[one], mask[one], discount
        )
        tables.append(-torch.autograd.grad(loss, logits)[0])
    estimates = torch.stack(tables)
    expected = torch.einsum("n,nsa->sa", probabilities, estimates)
    assert_close(expected, process.gradient())
    mean, variance = solution.estimate_moments(
        process.logits, visited, taken, discounts * (returns - baseline), mask, probabilities
    )
    assert_close(mean, expected)
    flat = estimates.flatten(1)
    covariance = torch.cov(flat.T, correction=0, aweights=probabilities)
    assert_close(variance, covariance.trace())


@pytest.mark.parametrize("group", [2, 3])
def test_leave_one_out(group: int) -> None:
    """Over all groups of episodes: leave-one-out is unbiased; the group's own mean shrinks the gradient at discount 1."""
    solution = load_reference("rl/policy_gradient")
    process = exact_policy(2, 2, horizon=2, discount=1.0, seed=3)
    visited, taken, rewards, mask, probabilities = padded(process)
    returns = solution.reward_to_go(rewards, mask, 1.0)
    members = torch.tensor(list(itertools.product(range(len(probabilities)), repeat=group)))
    totals = returns[members, 0]  # [number of groups, K]
    baseline = solution.leave_one_out(totals)
    assert_close(baseline[:, 0], totals[:, 1:].mean(1))  # the first episode's, by the definition
    chance = probabilities[members].prod(dim=1)
    for subtracted, factor in (
        (baseline, 1.0),
        (totals.mean(1, keepdim=True).expand_as(totals), 1 - 1 / group),
    ):
        first = members[:, 0]
        mean, _ = solution.estimate_moments(
            process.logits,
            visited[first],
            taken[first],
            returns[first] - subtracted[:, :1],
            mask[first],
            chance,
        )
        assert_close(mean, factor * process.gradient())
