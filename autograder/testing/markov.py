"""`markov_source`: a stream of tokens whose entropy rate is known exactly.

The best loss that any model can reach on it is that rate; a model that sees too little of the past stays above, by an
amount that is known, too.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True)
class MarkovSource:
    """A stationary Markov chain over `vocab_size` symbols, in which `order` symbols decide the next one's distribution.

    transitions: float64 [vocab_size, ..., vocab_size], one axis for each symbol of the past, the oldest first, and the last
        for the next symbol; sums to one along the last.
    """

    transitions: Tensor

    @property
    def order(self) -> int:
        return self.transitions.dim() - 1

    @property
    def vocab_size(self) -> int:
        return self.transitions.shape[-1]

    @cached_property
    def stationary(self) -> Tensor:
        """How often each run of `order` symbols occurs: float64, one axis for each symbol, sums to one.

        It solves pi P = pi with sum(pi) = 1, where P leads from one run of symbols to the next.
        """
        V, states = self.vocab_size, self.vocab_size**self.order
        rows = self.transitions.reshape(states, V)
        step = torch.zeros(states, states, dtype=torch.float64)
        for state in range(states):
            following = (state * V) % states  # the oldest symbol drops out
            step[state, following : following + V] = rows[state]
        equations = torch.cat(
            [(step.T - torch.eye(states, dtype=torch.float64))[1:], torch.ones_like(step[:1])]
        )
        found = torch.linalg.solve(equations, torch.eye(states, dtype=torch.float64)[-1])
        return found.reshape(self.transitions.shape[:-1])

    def entropy(self, seen: int) -> float:
        """Nats of the next symbol given the last `seen` ones: 0 is that of the unigrams, `order` the entropy rate.

        Raises ValueError unless 0 <= seen <= order.
        """
        if not 0 <= seen <= self.order:
            raise ValueError(f"seen is from 0 to the order {self.order}, not {seen}")
        together = self.stationary.unsqueeze(-1) * self.transitions  # of the past and the next symbol
        for _ in range(self.order - seen):
            together = together.sum(0)
        past = together.sum(-1, keepdim=True)
        return float(-torch.special.xlogy(together, together / past.clamp_min(1e-300)).sum())

    @property
    def entropy_rate(self) -> float:
        """Nats a symbol: the least mean loss of any model."""
        return self.entropy(self.order)

    def sample(self, length: int, seed: int) -> Tensor:
        """A stream of symbols, int64 [length], that starts in the stationary distribution."""
        rng = np.random.default_rng(seed)
        states = self.vocab_size**self.order
        state = int(rng.choice(states, p=self.stationary.flatten().numpy()))
        sums = self.transitions.reshape(states, -1).cumsum(-1).tolist()
        stream = []
        for draw in rng.random(length).tolist():
            symbol = min(
                bisect_right(sums[state], draw), self.vocab_size - 1
            )  # the last sum may round below 1
            stream.append(symbol)
            state = (state * self.vocab_size + symbol) % states
        return torch.tensor(stream)


def markov_source(order: int, seed: int, *, vocab_size: int = 6, concentration: float = 0.2) -> MarkovSource:
    """A source whose rows of transitions are drawn from a symmetric Dirichlet distribution.

    Args:
        concentration: the distribution's parameter; small values give rows with a few likely symbols.
    """
    rows = np.random.default_rng(seed).dirichlet([concentration] * vocab_size, size=vocab_size**order)
    return MarkovSource(torch.from_numpy(rows).reshape((vocab_size,) * (order + 1)))
