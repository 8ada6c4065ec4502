"""`exact_policy`: a small decision process whose every episode is listed, so that no test depends on luck."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor


class Episode(NamedTuple):
    """One way from the start to a terminal state or the horizon; `rewards[t]` follows `actions[t]` in `states[t]`."""

    states: list[int]
    actions: list[int]
    rewards: list[float]
    probability: Tensor  # float64, without axes; differentiable where the policy's logits are


@dataclass(frozen=True)
class ExactPolicy:
    """A decision process and the logits of a softmax policy in it; see `exact_policy`. All tensors are float64.

    transitions: P[s, a, s'], [S, A, S]. rewards: R[s, a, s'], [S, A, S]. start: [S] probabilities of the first state.
    terminal: [S] bool. logits: [S, A]. horizon: the most actions of an episode. discount: gamma.
    """

    transitions: Tensor
    rewards: Tensor
    start: Tensor
    terminal: Tensor
    logits: Tensor
    horizon: int
    discount: float

    def episodes(self, logits: Tensor | None = None) -> Iterator[Episode]:
        """Every episode that can happen, once. Their probabilities sum to one.

        Args:
            logits: [S, A] of another policy.
        """
        policy = (self.logits if logits is None else logits).softmax(-1)
        begun: list[tuple[list[int], list[int], list[float], Tensor]] = [
            ([state], [], [], self.start[state]) for state in self.start.nonzero().flatten().tolist()
        ]
        while begun:
            states, actions, rewards, probability = begun.pop()
            state = states[-1]
            if bool(self.terminal[state]) or len(actions) == self.horizon:
                yield Episode(states[: len(actions)], actions, rewards, probability)
                continue
            for action in range(policy.shape[-1]):
                for following in self.transitions[state, action].nonzero().flatten().tolist():
                    likely = policy[state, action] * self.transitions[state, action, following]
                    reward = self.rewards[state, action, following].item()
                    begun.append(
                        (
                            [*states, following],
                            [*actions, action],
                            [*rewards, reward],
                            probability * likely,
                        )
                    )

    def value(self, logits: Tensor | None = None) -> Tensor:
        """J: the expected discounted return from the start, without axes."""
        total = torch.zeros((), dtype=torch.float64)
        for _, _, rewards, probability in self.episodes(logits):
            total = total + probability * sum(self.discount**t * reward for t, reward in enumerate(rewards))
        return total

    def gradient(self) -> Tensor:
        """Of J with respect to the logits: [S, A]."""
        logits = self.logits.detach().clone().requires_grad_()
        (by_logits,) = torch.autograd.grad(self.value(logits), logits)
        return by_logits


def exact_policy(
    states: int, actions: int, *, horizon: int = 3, discount: float = 0.9, seed: int = 0
) -> ExactPolicy:
    """A random process and policy, the last state terminal, with episodes of uneven lengths.

    Args:
        states: S, terminal one included; at least 2.
        actions: A.
        horizon: the most actions of an episode. There are at most (A S) ** horizon episodes.
    """
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    terminal = torch.arange(states) == states - 1
    transitions = draw(states, actions, states).softmax(-1)
    transitions[-1] = torch.eye(states, dtype=torch.float64)[-1]  # it absorbs
    rewards = draw(states, actions, states)
    rewards[-1] = 0.0
    start = draw(states).masked_fill(terminal, -torch.inf).softmax(-1)
    return ExactPolicy(transitions, rewards, start, terminal, draw(states, actions), horizon, discount)
