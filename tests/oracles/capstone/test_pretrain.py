"""The reference against the exact entropies of the source, found by enumeration."""

import math
from itertools import product
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor, nn

from autograder.testing import load_reference, markov_source

SOURCE = markov_source(2, 50)
V = SOURCE.vocab_size


def enumerated(seen: int) -> float:
    """Nats of a symbol after the last `seen` ones, by listing all triples of symbols."""
    step = torch.zeros(V * V, V * V, dtype=torch.float64)  # from a pair of symbols to the next pair
    for a, b, c in product(range(V), repeat=3):
        step[V * a + b, V * b + c] = SOURCE.transitions[a, b, c]
    equations = step.T - torch.eye(V * V, dtype=torch.float64)
    equations[0] = 1.0  # one equation is implied by the others; instead, the sum is one
    right = torch.zeros(V * V, dtype=torch.float64)
    right[0] = 1.0
    pairs = torch.linalg.solve(equations, right)
    joint: dict[tuple[int, ...], float] = {}
    for a, b, c in product(range(V), repeat=3):
        gram = (a, b, c)[2 - seen :]
        joint[gram] = joint.get(gram, 0.0) + float(pairs[V * a + b] * SOURCE.transitions[a, b, c])
    past: dict[tuple[int, ...], float] = {}
    for gram, probability in joint.items():
        past[gram[:-1]] = past.get(gram[:-1], 0.0) + probability
    return -sum(p * math.log(p / past[gram[:-1]]) for gram, p in joint.items() if p > 0)


class Table(nn.Module):
    """Logits that are looked up by the last `seen` tokens; by all there are, where there are fewer."""

    def __init__(self, seen: int) -> None:
        super().__init__()
        self.tables = nn.ModuleList(nn.Embedding(V**used, V) for used in range(1, seen + 1))
        for parameter in self.parameters():
            nn.init.zeros_(parameter)

    def forward(self, ids: Tensor) -> Tensor:
        logits = self.tables[0](ids)
        if len(self.tables) == 2:
            pairs = self.tables[1](V * ids[:, :-1] + ids[:, 1:])
            logits = torch.cat([logits[:, :1], pairs], dim=1)
        return logits


@pytest.mark.parametrize("seen", [0, 1, 2])
def test_entropies(seen: int) -> None:
    assert math.isclose(SOURCE.entropy(seen), enumerated(seen), abs_tol=1e-9)


@pytest.mark.parametrize("seen", [1, 2])
def test_pretrain(seen: int) -> None:
    """What sees one token ends at the first-order entropy; what sees two, at the rate but for the rows' beginnings."""
    reference = load_reference("capstone/pretrain")
    parts = SimpleNamespace(training_loop=load_reference("pretraining/training_loop"))
    T, steps = 16, 120
    stream = SOURCE.sample(48_000, seed=1)
    train, held_out = reference.split(stream, 8_000, T)
    model = Table(seen)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.2)
    starts = torch.randint(len(train) - T, (steps, 64), generator=torch.Generator().manual_seed(0))
    rates = [0.2 * (1 - step / steps) for step in range(steps)]
    recipe = reference.Recipe(num_steps=steps, max_norm=1e9, eval_every=steps)
    _, record = reference.pretrain(parts, model, optimizer, rates, train, held_out, starts, recipe)
    assert math.isclose(record[0], math.log(V), abs_tol=1e-5)
    floor = enumerated(1) if seen == 1 else (enumerated(1) + (T - 1) * enumerated(2)) / T
    assert abs(record[steps] - floor) < 0.03
