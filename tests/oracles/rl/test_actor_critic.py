"""Actor-critic against the sums of the papers in loops, closed forms, and PyTorch's Categorical."""

import math

import pytest
import torch
from torch.distributions import Categorical

from autograder.testing import assert_close, load_reference

LENGTHS = [1, 2, 9, 30]


def rollout(length: int):
    generator = torch.Generator().manual_seed(length)
    rewards, values, next_values = torch.randn(3, length, generator=generator, dtype=torch.float64)
    terminated, truncated = torch.rand(2, length, generator=generator) < 0.15
    done = terminated | truncated
    next_values[:-1] = torch.where(done[:-1], next_values[:-1], values[1:])
    return rewards, values, next_values, terminated, truncated


def k_step(data, start: int, k: int, discount: float) -> tuple[float, bool]:
    """Schulman et al. 2016, equation 14, by its definition, and whether the window could be one step longer."""
    rewards, values, next_values, terminated, truncated = (tensor.tolist() for tensor in data)
    total, t = -values[start], start
    while True:
        total += discount ** (t - start) * rewards[t]
        over = terminated[t] or truncated[t] or t == len(rewards) - 1
        if over or t - start == k - 1:
            ahead = 0.0 if terminated[t] else next_values[t]
            return total + discount ** (t - start + 1) * ahead, not over
        t += 1


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("n", [1, 2, 5, 100])
def test_n_steps(length: int, n: int) -> None:
    reference = load_reference("rl/actor_critic")
    data = rollout(length)
    expected = [k_step(data, start, n, 0.9)[0] for start in range(length)]
    assert_close(reference.n_step_advantages(*data, 0.9, n), torch.tensor(expected, dtype=torch.float64))


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize(("discount", "decay"), [(0.99, 0.95), (0.9, 0.5), (1.0, 0.9)])
def test_gae_as_a_mean_of_windows(length: int, discount: float, decay: float) -> None:
    """Equation 16, left-hand side: (1 - lambda) times the sum of lambda^(k-1) A^(k); the longest window has the rest."""
    reference = load_reference("rl/actor_critic")
    data = rollout(length)
    expected = []
    for start in range(length):
        mean, weight, k, more = 0.0, 1.0, 1, True
        while more:
            advantage, more = k_step(data, start, k, discount)
            mean += weight * (1 - decay if more else 1.0) * advantage
            weight, k = weight * decay, k + 1
        expected.append(mean)
    advantages, targets = reference.gae(*data, discount, decay)
    assert_close(advantages, torch.tensor(expected, dtype=torch.float64))
    assert_close(targets, advantages + data[1])


@pytest.mark.parametrize("length", LENGTHS)
def test_ends_of_lambda(length: int) -> None:
    """Equations 17 and 18: the one-step error, and the return minus the value."""
    reference = load_reference("rl/actor_critic")
    data = rollout(length)
    assert_close(reference.gae(*data, 0.9, 0.0)[0], reference.n_step_advantages(*data, 0.9, 1))
    assert_close(reference.gae(*data, 0.9, 1.0)[0], reference.n_step_advantages(*data, 0.9, length))


@pytest.mark.parametrize(("length", "choices"), [(1, 2), (6, 3), (40, 17)])
def test_loss(length: int, choices: int) -> None:
    reference = load_reference("rl/actor_critic")
    torch.manual_seed(length)
    logits = (3 * torch.randn(length, choices, dtype=torch.float64)).requires_grad_()
    values = torch.randn(length, dtype=torch.float64).requires_grad_()
    advantages, targets = torch.randn(2, length, dtype=torch.float64)
    actions = torch.randint(choices, (length,))
    policy = Categorical(logits=logits)
    expected = -(policy.log_prob(actions) * advantages).mean() - 0.01 * policy.entropy().mean()
    expected = expected + 0.5 * torch.nn.functional.mse_loss(values, targets)
    actual = reference.actor_critic_loss(logits, actions, values, advantages, targets, 0.5, 0.01)
    assert_close(actual, expected)
    assert_close(
        torch.autograd.grad(actual, (logits, values)), torch.autograd.grad(expected, (logits, values))
    )


def test_uniform_policy_has_entropy_log_a() -> None:
    reference = load_reference("rl/actor_critic")
    zero = torch.zeros(3)
    loss = reference.actor_critic_loss(torch.zeros(3, 7), torch.tensor([0, 3, 6]), zero, zero, zero, 1.0, 1.0)
    assert math.isclose(float(loss), -math.log(7), rel_tol=1e-5)
