"""The DPO reference against trl's trainer, PyTorch's losses and automatic differentiation."""

from __future__ import annotations

import contextlib
from collections import defaultdict
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from autograder.testing import load_reference

BETA = 0.3


class _OneProcess:
    """What DPOTrainer asks of accelerate, for a single process."""

    num_processes = 1
    device = torch.device("cpu")
    sync_gradients = False

    def gather(self, tensor: Tensor) -> Tensor:
        return tensor

    gather_for_metrics = gather


def trl_dpo(
    monkeypatch: pytest.MonkeyPatch,
    policy: Tensor,
    reference: Tensor,
    completion_mask: Tensor,
    loss_type: str,
    beta: float = BETA,
    label_smoothing: float = 0.0,
) -> tuple[Tensor, dict[str, list[float]]]:
    """trl's DPO loss and metrics on given per-token log-probabilities [2B, T - 1], chosen rows first.

    The trainer is a stand-in with the attributes its loss reads, so that no model is loaded.
    """
    import trl.trainer.dpo_trainer as trainer_module

    monkeypatch.setattr(
        trainer_module, "disable_gradient_checkpointing", lambda *args, **kwargs: contextlib.nullcontext()
    )
    monkeypatch.setattr(trainer_module, "is_peft_model", lambda model: False)

    def model(log_probs: Tensor) -> Any:
        nothing = torch.zeros_like(log_probs)
        return lambda **kwargs: SimpleNamespace(
            log_probs=log_probs, entropy=nothing, mean_logits=nothing, is_top1=nothing > 0, aux_loss=0
        )

    trainer = SimpleNamespace(
        model=SimpleNamespace(training=False, is_gradient_checkpointing=False),
        accelerator=_OneProcess(),
        ref_model=model(reference),
        aux_loss_enabled=False,
        ld_alpha=None,
        precompute_ref_logps=False,
        f_divergence_type="reverse_kl",
        loss_types=[loss_type],
        loss_weights=[1.0],
        beta=beta,
        label_smoothing=label_smoothing,
        use_weighting=False,
        args=SimpleNamespace(gradient_checkpointing_kwargs=None),
        _metrics=defaultdict(lambda: defaultdict(list)),
        _total_train_tokens=0,
    )
    inputs = {
        "input_ids": torch.zeros(completion_mask.shape, dtype=torch.long),
        "attention_mask": torch.ones(completion_mask.shape),
        "completion_mask": completion_mask,
    }
    loss = trainer_module.DPOTrainer._compute_loss(trainer, model(policy), inputs, False)
    return loss, dict(trainer._metrics["eval"])


def token_batch(pairs: int, length: int, *, equal_lengths: bool = False) -> tuple[Tensor, Tensor, Tensor]:
    """Completion mask [2B, T] and masked per-token log-probabilities [2B, T - 1] of policy and reference."""
    mask = torch.zeros(2 * pairs, length, dtype=torch.long)
    for row in range(2 * pairs):
        mask[row, 2 : length if equal_lengths else 3 + row % (length - 2)] = 1
    counted = mask[:, 1:]
    return mask, -3 * torch.rand(counted.shape) * counted, -3 * torch.rand(counted.shape) * counted


def sequence_pairs(policy: Tensor, reference: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Per-token log-probabilities to the four arguments of the exercise's losses."""
    return (*policy.sum(dim=1).chunk(2), *reference.sum(dim=1).chunk(2))


def swap(tensor: Tensor) -> Tensor:
    """Chosen and rejected halves exchanged."""
    return torch.cat(tensor.chunk(2)[::-1])


@pytest.mark.parametrize(("batch", "length", "vocab"), [(1, 2, 3), (4, 9, 17), (3, 31, 5)])
def test_sequence_logps(batch: int, length: int, vocab: int) -> None:
    from trl.trainer.utils import selective_log_softmax

    dpo = load_reference("alignment/dpo")
    torch.manual_seed(batch)
    logits = 20 * torch.randn(batch, length, vocab)
    labels = torch.randint(vocab, (batch, length))
    labels[torch.rand(batch, length) < 0.3] = -100
    actual = dpo.sequence_logps(logits, labels)
    loss = F.cross_entropy(
        logits[:, :-1].transpose(1, 2), labels[:, 1:], ignore_index=-100, reduction="none"
    ).sum(dim=1)
    torch.testing.assert_close(actual, -loss)
    targets = labels[:, 1:]
    tokens = selective_log_softmax(logits[:, :-1], targets.clamp(min=0)) * (targets != -100)
    torch.testing.assert_close(actual, tokens.sum(dim=1))


@pytest.mark.parametrize(("pairs", "length"), [(1, 3), (4, 7), (5, 23)])
def test_dpo_against_trl(monkeypatch: pytest.MonkeyPatch, pairs: int, length: int) -> None:
    dpo = load_reference("alignment/dpo")
    torch.manual_seed(pairs)
    mask, policy, reference = token_batch(pairs, length)
    loss, metrics = trl_dpo(monkeypatch, policy, reference, mask, "sigmoid")
    arguments = sequence_pairs(policy, reference)
    torch.testing.assert_close(dpo.dpo_loss(*arguments, BETA), loss)
    chosen, rejected, margins = dpo.implicit_rewards(*arguments, BETA)
    assert metrics["rewards/chosen"][0] == pytest.approx(chosen.mean().item(), rel=1e-4, abs=1e-6)
    assert metrics["rewards/rejected"][0] == pytest.approx(rejected.mean().item(), rel=1e-4, abs=1e-6)
    assert metrics["rewards/margins"][0] == pytest.approx(margins.mean().item(), rel=1e-4, abs=1e-6)


def test_label_smoothing_against_trl(monkeypatch: pytest.MonkeyPatch) -> None:
    """trl smooths its optimal-transport loss, which on a batch of one pair is the plain one."""
    dpo = load_reference("alignment/dpo")
    torch.manual_seed(0)
    smoothing = 0.2
    mask, policy, reference = token_batch(1, 7)
    loss, _ = trl_dpo(monkeypatch, policy, reference, mask, "aot", label_smoothing=smoothing)
    torch.testing.assert_close(dpo.dpo_loss(*sequence_pairs(policy, reference), BETA, smoothing), loss)

    # On a batch: the two losses of trl that smoothing mixes.
    mask, policy, reference = token_batch(5, 9)
    labelled, _ = trl_dpo(monkeypatch, policy, reference, mask, "sigmoid")
    flipped, _ = trl_dpo(monkeypatch, swap(policy), swap(reference), swap(mask), "sigmoid")
    expected = (1 - smoothing) * labelled + smoothing * flipped
    torch.testing.assert_close(dpo.dpo_loss(*sequence_pairs(policy, reference), BETA, smoothing), expected)


@pytest.mark.parametrize("length", [4, 13])
def test_ipo_against_trl(monkeypatch: pytest.MonkeyPatch, length: int) -> None:
    """trl divides log-ratios by the length L. For equal lengths, ours is L^2 of its loss at beta = tau L."""
    dpo = load_reference("alignment/dpo")
    torch.manual_seed(length)
    tau, tokens = 0.15, length - 2
    mask, policy, reference = token_batch(4, length, equal_lengths=True)
    loss, _ = trl_dpo(monkeypatch, policy, reference, mask, "ipo", beta=tau * tokens)
    torch.testing.assert_close(dpo.ipo_loss(*sequence_pairs(policy, reference), tau), tokens**2 * loss)


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.45])
@pytest.mark.parametrize("scale", [1.0, 1000.0])
def test_dpo_gradient_against_autograd(smoothing: float, scale: float) -> None:
    dpo = load_reference("alignment/dpo")
    torch.manual_seed(1)
    arguments = [(-scale * torch.rand(6, dtype=torch.float64)).requires_grad_() for _ in range(4)]
    margins = BETA * (arguments[0] - arguments[2] - arguments[1] + arguments[3])
    target = torch.full_like(margins, 1 - smoothing)
    F.binary_cross_entropy_with_logits(margins, target).backward()
    chosen, rejected = dpo.dpo_gradient(*(argument.detach() for argument in arguments), BETA, smoothing)
    torch.testing.assert_close(chosen, arguments[0].grad)
    torch.testing.assert_close(rejected, arguments[1].grad)


def test_dpo_gradient_of_the_trl_loss(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every counted token of a response receives the gradient of its sum."""
    dpo = load_reference("alignment/dpo")
    torch.manual_seed(2)
    mask, policy, reference = token_batch(3, 8)
    policy.requires_grad_()
    loss, _ = trl_dpo(monkeypatch, policy, reference, mask, "sigmoid")
    loss.backward()
    assert policy.grad is not None
    per_sequence = torch.cat(dpo.dpo_gradient(*sequence_pairs(policy.detach(), reference), BETA))
    torch.testing.assert_close(policy.grad * mask[:, 1:], per_sequence[:, None] * mask[:, 1:])
