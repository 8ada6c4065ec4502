"""`exact_policy`: its episodes and its gradient, against sums over matrices."""

from __future__ import annotations

import torch

from autograder.testing import exact_policy


def test_every_episode_once() -> None:
    process = exact_policy(4, 3, horizon=3)
    episodes = list(process.episodes())
    assert torch.allclose(sum(episode.probability for episode in episodes), torch.tensor(1.0).double())
    assert len({(*e.states, *e.actions, *e.rewards) for e in episodes}) == len(episodes)
    assert {len(episode.actions) for episode in episodes} == {1, 2, 3}, "of uneven lengths"
    for states, actions, rewards, _ in episodes:
        assert len(states) == len(actions) == len(rewards)
        assert not any(process.terminal[state] for state in states)


def test_value_and_gradient_by_matrices() -> None:
    """J by stepping the distribution of states; its gradient by differences."""
    process = exact_policy(3, 2, horizon=4, discount=0.7, seed=5)

    def value(logits: torch.Tensor) -> torch.Tensor:
        policy = logits.softmax(-1)
        state, total = process.start, torch.zeros((), dtype=torch.float64)
        for t in range(process.horizon):
            visited = state[:, None] * policy
            total = total + 0.7**t * torch.einsum(
                "sa,san,san->", visited, process.transitions, process.rewards
            )
            state = torch.einsum("sa,san->n", visited, process.transitions)
        return total

    assert torch.allclose(process.value(), value(process.logits))
    logits = process.logits.clone()
    for s, a in [(0, 0), (1, 1)]:
        step = torch.zeros_like(logits)
        step[s, a] = 1e-5
        difference = (value(logits + step) - value(logits - step)) / 2e-5
        assert torch.allclose(process.gradient()[s, a], difference, atol=1e-8)
    assert process.gradient()[-1].abs().max() == 0, "nothing is done in the terminal state"
    other = torch.zeros(3, 2).double()
    assert torch.allclose(process.value(other), value(other))


def test_the_process_is_one() -> None:
    process = exact_policy(5, 2, seed=1)
    assert torch.allclose(process.transitions.sum(-1), torch.ones(5, 2).double())
    assert process.terminal.tolist() == [False] * 4 + [True]
    assert process.start[-1] == 0 and process.rewards[-1].abs().max() == 0
    assert not torch.equal(process.logits, exact_policy(5, 2, seed=2).logits)
