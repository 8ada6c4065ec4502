"""The reward model's reference against transformers' sequence classifier, trl's trainer and plain loops."""

from __future__ import annotations

from collections import defaultdict
from itertools import combinations
from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from autograder.testing import load_reference, masked_responses


@pytest.mark.parametrize("side", ["left", "right", "both"])
def test_last_token_against_transformers(side: str) -> None:
    """transformers looks for the id, so padding is an id that no text has; its head has no bias either."""
    from transformers import LlamaConfig, LlamaForSequenceClassification

    reference = load_reference("alignment/reward_model")
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=14,
        hidden_size=8,
        intermediate_size=12,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        num_labels=1,
        pad_token_id=13,
    )
    model = LlamaForSequenceClassification(config).eval()
    batch = masked_responses((3, 1, 5), (2, 7, 1), side, pad_id=13)
    with torch.no_grad():
        hidden = model.model(batch.ids, attention_mask=batch.attention_mask).last_hidden_state
        expected = model(batch.ids, attention_mask=batch.attention_mask).logits.squeeze(-1)
    head = model.score.weight[0].detach()
    actual = reference.sequence_rewards(hidden, head, batch.ids, batch.attention_mask, 13)
    torch.testing.assert_close(actual, expected)


class _OneProcess:
    """What RewardTrainer asks of accelerate, for a single process."""

    def gather(self, tensor: Tensor) -> Tensor:
        return tensor

    gather_for_metrics = gather


@pytest.mark.parametrize("pairs", [1, 2, 7])
@pytest.mark.parametrize("scale", [1.0, 5000.0])
def test_pairs_against_trl(pairs: int, scale: float) -> None:
    from trl import RewardTrainer

    reference = load_reference("alignment/reward_model")
    torch.manual_seed(pairs)
    logits = scale * torch.randn(2 * pairs, 1)
    logits[-1] = logits[pairs - 1]  # the last pair is a tie
    trainer = SimpleNamespace(
        model=SimpleNamespace(training=False),
        args=SimpleNamespace(center_rewards_coefficient=None),
        accelerator=_OneProcess(),
        _tp_size=1,
        _metrics=defaultdict(lambda: defaultdict(list)),
        _total_train_tokens=0,
    )
    inputs = {"attention_mask": torch.ones(2 * pairs, 3)}
    expected = RewardTrainer.compute_loss(trainer, lambda **_: SimpleNamespace(logits=logits), inputs)
    loss, accuracy = reference.pairwise_loss(logits[:pairs, 0], logits[pairs:, 0])
    torch.testing.assert_close(loss, expected)
    assert accuracy.item() == pytest.approx(trainer._metrics["eval"]["accuracy"][0])


@pytest.mark.parametrize("counts", [[2], [9], [4, 2, 9], [3, 3, 5, 2]])
def test_rankings_against_loops(counts: list[int]) -> None:
    reference = load_reference("alignment/reward_model")
    torch.manual_seed(len(counts))
    rewards = (4 * torch.randn(sum(counts), dtype=torch.float64)).requires_grad_()
    other = rewards.detach().clone().requires_grad_()
    losses = []
    for group in other.split(counts):
        pairs = list(combinations(group, 2))
        losses.append(sum(F.binary_cross_entropy_with_logits(a - b, torch.ones_like(a)) for a, b in pairs))
        losses[-1] = losses[-1] / len(pairs)
    expected = sum(losses) / len(losses)
    actual = reference.ranking_loss(rewards, counts)
    torch.testing.assert_close(actual, expected)
    actual.backward()
    expected.backward()
    torch.testing.assert_close(rewards.grad, other.grad)
