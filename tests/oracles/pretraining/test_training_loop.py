"""The reference against a plain torch loop on the same draws: one batch of all tokens, PyTorch's clipping and AdamW."""

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from autograder.testing import assert_close, load_reference

V, T = 13, 6


def draw_model(seed: int) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Embedding(V, 8), nn.Linear(8, 8), nn.GELU(), nn.LayerNorm(8), nn.Linear(8, V)
    ).double()


@pytest.mark.parametrize("max_norm", [0.05, 1.0, float("inf")])
@pytest.mark.parametrize("seed", range(3))
def test_training_loop(seed: int, max_norm: float) -> None:
    reference = load_reference("pretraining/training_loop")
    model = draw_model(seed)
    plain = copy.deepcopy(model)
    optimizer, theirs = (torch.optim.AdamW(m.parameters(), lr=1.0, weight_decay=0.1) for m in (model, plain))
    tokens = torch.randint(V, (97,))
    for learning_rate in (0.0, 0.01, 0.02, 0.005):
        starts = torch.randint(97 - T, (7,))
        starts[0] = 97 - T - 1  # the last one
        inputs, targets = reference.get_batch(tokens, starts, T)
        assert_close(inputs, torch.stack([tokens[s : s + T] for s in starts]))
        assert_close(targets, torch.stack([tokens[s + 1 : s + T + 1] for s in starts]))
        targets = targets.masked_fill(torch.rand(targets.shape) < 0.3, -100)
        micro = [(inputs[:4], targets[:4]), (inputs[4:6], targets[4:6]), (inputs[6:], targets[6:])]
        loss, norm = reference.train_step(model, optimizer, micro, learning_rate, max_norm)

        expected = F.cross_entropy(plain(inputs).transpose(1, 2), targets)
        theirs.zero_grad()
        expected.backward()
        expected_norm = nn.utils.clip_grad_norm_(plain.parameters(), max_norm)
        for group in theirs.param_groups:
            group["lr"] = learning_rate
        theirs.step()
        assert_close((loss, norm), (expected.item(), expected_norm.item()))
        assert_close(model.state_dict(), plain.state_dict())
        held_out = F.cross_entropy(plain(inputs).transpose(1, 2), targets).item()
        assert_close(reference.evaluate(model, micro), held_out)


@pytest.mark.parametrize("seed", range(20))
def test_document_blocks(seed: int) -> None:
    """Against loops over documents, also empty ones, and one that was cut off."""
    reference = load_reference("pretraining/training_loop")
    generator = torch.Generator().manual_seed(seed)
    tokens = torch.cat([torch.tensor([3, 4]), torch.randint(5, (40,), generator=generator)])
    length = int(torch.randint(1, 6, (), generator=generator))
    expected, place = [], 0
    while place + 1 < len(tokens):
        row = []
        while len(row) < length and place + 1 < len(tokens) and tokens[place] != 0:
            row.append([int(tokens[place]), int(tokens[place + 1])])
            place += 1
        if row:
            expected.append(row + [[0, -100]] * (length - len(row)))
        if place < len(tokens) and tokens[place] == 0:
            place += 1
    found = torch.stack(reference.document_blocks(tokens, 0, length), dim=-1)
    assert_close(found, torch.tensor(expected))
