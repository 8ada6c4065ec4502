"""MDPs against numpy's solver, many sweeps in loops, and closed forms."""

import math

import numpy as np
import pytest
import torch

from autograder.testing import assert_close, exact_policy, load_reference

GAMES = [(2, 1, 0), (3, 2, 1), (6, 4, 2), (9, 3, 3)]


def game(states: int, actions: int, seed: int):
    """Transitions, rewards, terminal, policy; the last state and every fifth one are terminal."""
    drawn = exact_policy(states, actions, seed=seed)
    terminal = drawn.terminal | (torch.arange(states) % 5 == 4)
    return drawn.transitions, drawn.rewards, terminal, drawn.logits.softmax(-1)


def absorbing(transitions, rewards, terminal):
    p, r = transitions.numpy().copy(), rewards.numpy().copy()
    for s in np.flatnonzero(terminal.numpy()):
        p[s], r[s] = np.eye(len(p))[s], 0.0
    return p, r


def sweep(values, p, r, discount, policy):
    """One sweep in loops; the best action where there is no policy."""
    new = np.zeros_like(values)
    for s in range(len(p)):
        worth = [
            sum(p[s, a, n] * (r[s, a, n] + discount * values[n]) for n in range(len(p)))
            for a in range(p.shape[1])
        ]
        new[s] = max(worth) if policy is None else sum(policy[s, a] * worth[a] for a in range(len(worth)))
    return new


@pytest.mark.parametrize("game_of", GAMES)
@pytest.mark.parametrize("discount", [0.0, 0.9, 0.999])
def test_values_by_numpy(game_of, discount: float) -> None:
    reference = load_reference("rl/mdp_and_bellman")
    transitions, rewards, terminal, policy = game(*game_of)
    p, r = absorbing(transitions, rewards, terminal)
    chain = np.einsum("sa,sat->st", policy.numpy(), p)
    expected = np.linalg.solve(
        np.eye(len(p)) - discount * chain, np.einsum("sa,sat,sat->s", policy.numpy(), p, r)
    )
    actual = reference.evaluate_policy(transitions, rewards, terminal, policy, discount)
    assert_close(actual[0], torch.from_numpy(chain))
    assert_close(actual[1], torch.from_numpy(expected))
    assert_close(actual[2], torch.from_numpy(np.einsum("sat,sat->sa", p, r + discount * expected)))


@pytest.mark.parametrize("discount", [0.8, 1.0])
def test_values_by_many_sweeps(discount: float) -> None:
    reference = load_reference("rl/mdp_and_bellman")
    transitions, rewards, terminal, policy = game(4, 3, 7)
    p, r = absorbing(transitions, rewards, terminal)
    values = np.zeros(len(p))
    for _ in range(300):
        values = sweep(values, p, r, discount, policy.numpy())
    actual = reference.evaluate_policy(transitions, rewards, terminal, policy, discount)
    assert_close(actual[1], torch.from_numpy(values))


@pytest.mark.parametrize("game_of", GAMES)
@pytest.mark.parametrize("best", [True, False])
def test_operators(game_of, best: bool) -> None:
    """Against loops; two guesses come closer by the discount at least; the bound holds."""
    reference = load_reference("rl/mdp_and_bellman")
    transitions, rewards, terminal, policy = game(*game_of)
    p, r = absorbing(transitions, rewards, terminal)
    torch.manual_seed(0)
    given, discount = None if best else policy, 0.7
    exact = np.zeros(len(p))
    for _ in range(100):
        exact = sweep(exact, p, r, discount, None if best else policy.numpy())
    steps = []
    for _ in range(2):
        values = (5 * torch.randn(len(p), dtype=torch.float64)).masked_fill(terminal, 0)
        new, bound = reference.bellman_operator(values, transitions, rewards, terminal, discount, given)
        expected = sweep(values.numpy(), p, r, discount, None if best else policy.numpy())
        assert_close(new, torch.from_numpy(expected))
        assert (new - torch.from_numpy(exact)).abs().max() <= bound + 1e-9
        steps.append((values, new))
    (first, new_first), (second, new_second) = steps
    assert (new_first - new_second).abs().max() <= discount * (first - second).abs().max() + 1e-12


def test_two_states_in_closed_form() -> None:
    """A chain that changes sides with probability p and is paid 1 on the first: V0 + V1 and V0 - V1 are known."""
    reference = load_reference("rl/mdp_and_bellman")
    p, discount = 0.3, 0.95
    transitions = torch.tensor([[[1 - p, p]], [[p, 1 - p]]], dtype=torch.float64)
    rewards = torch.tensor([[[1.0, 1.0]], [[0.0, 0.0]]], dtype=torch.float64)
    nowhere, only = torch.zeros(2, dtype=torch.bool), torch.ones(2, 1, dtype=torch.float64)
    _, values, _ = reference.evaluate_policy(transitions, rewards, nowhere, only, discount)
    assert math.isclose(float(values.sum()), 1 / (1 - discount))
    assert math.isclose(float(values[0] - values[1]), 1 / (1 - discount * (1 - 2 * p)))


@pytest.mark.parametrize("discount", [0.9, 1.0])
def test_geometric_episode(discount: float) -> None:
    reference = load_reference("rl/mdp_and_bellman")
    p = 0.2
    transitions = torch.tensor([[[1 - p, p]], [[0.0, 1.0]]], dtype=torch.float64)
    ones = torch.ones(2, 1, 2, dtype=torch.float64)
    _, values, _ = reference.evaluate_policy(
        transitions, ones, torch.tensor([False, True]), ones[:, :, 0], discount
    )
    assert math.isclose(float(values[0]), 1 / (1 - discount * (1 - p)))
    assert values[1] == 0


def test_returns_average_to_the_value() -> None:
    """The mean of the first returns of all episodes, by their probabilities, is the exact expected return."""
    reference = load_reference("rl/mdp_and_bellman")
    drawn = exact_policy(4, 2, horizon=3, discount=0.8)
    total = torch.zeros((), dtype=torch.float64)
    for episode in drawn.episodes():
        rewards = torch.tensor(episode.rewards, dtype=torch.float64)
        ends = torch.arange(len(rewards)) == len(rewards) - 1
        total = total + episode.probability * reference.discounted_returns(rewards, ends, 0.8)[0]
    assert_close(total, drawn.value())
