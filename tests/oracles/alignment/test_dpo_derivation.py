"""The derivation of DPO against enumeration, torch.distributions, automatic differentiation and trl's DPO loss."""

from __future__ import annotations

import contextlib
from collections import defaultdict
from itertools import permutations
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.distributions import Categorical, kl_divergence

from autograder.testing import load_reference

SIZES = [(1, 1), (1, 2), (3, 5), (4, 11)]


def draw(batch: int, responses: int, zeros: bool = False) -> tuple[Tensor, Tensor, Tensor]:
    """Probabilities of policy and reference and rewards, float64; with zeros, some that both or the policy leave out."""
    torch.manual_seed(10 * batch + responses)
    policy, reference = torch.rand(2, batch, responses, dtype=torch.float64) + 0.01
    if zeros:
        policy[:, 0] = 0
        reference[::2, 0] = 0
    rewards = 3 * torch.randn(batch, responses, dtype=torch.float64)
    return policy / policy.sum(-1, keepdim=True), reference / reference.sum(-1, keepdim=True), rewards


@pytest.mark.parametrize("zeros", [False, True])
@pytest.mark.parametrize(("batch", "responses"), SIZES)
def test_objective_against_distributions(batch: int, responses: int, zeros: bool) -> None:
    exercise = load_reference("alignment/dpo_derivation")
    policy, reference, rewards = draw(batch, responses, zeros and responses > 1)
    divergence = kl_divergence(Categorical(probs=policy), Categorical(probs=reference))
    expected = (policy * rewards).sum(-1) - 0.3 * divergence
    torch.testing.assert_close(
        exercise.kl_objective(policy.log(), reference.log(), rewards, 0.3), expected, rtol=1e-6, atol=1e-6
    )


@pytest.mark.parametrize(("batch", "responses"), SIZES)
def test_optimum_by_enumeration(batch: int, responses: int) -> None:
    """The definition with plain exponentials; at the optimum the slope of the objective in the logits is zero."""
    exercise = load_reference("alignment/dpo_derivation")
    _, reference, rewards = draw(batch, responses)
    weights = reference * torch.exp(rewards / 0.7)
    policy, log_partition = exercise.optimal_policy(reference.log(), rewards, 0.7)
    torch.testing.assert_close(policy.exp(), weights / weights.sum(-1, keepdim=True))
    torch.testing.assert_close(log_partition, weights.sum(-1).log())
    torch.testing.assert_close(exercise.recover_rewards(policy, reference.log(), 0.7, log_partition), rewards)

    logits = policy.clone().requires_grad_()
    objective = exercise.kl_objective(logits.log_softmax(-1), reference.log(), rewards, 0.7)
    torch.testing.assert_close(objective.detach(), 0.7 * log_partition)
    (slope,) = torch.autograd.grad(objective.sum(), logits)
    torch.testing.assert_close(slope, torch.zeros_like(slope))
    for _ in range(20):
        other = (policy + torch.randn_like(policy)).log_softmax(-1)
        assert (exercise.kl_objective(other, reference.log(), rewards, 0.7) <= objective + 1e-9).all()


def test_optimum_beyond_the_floats() -> None:
    """Large ratios of reward and beta against exact arithmetic: the largest reward takes all."""
    exercise = load_reference("alignment/dpo_derivation")
    reference = torch.tensor([[0.25, 0.0, 0.75]]).log()
    policy, log_partition = exercise.optimal_policy(reference, torch.tensor([[1e3, 2e3, -1e3]]), 0.1)
    torch.testing.assert_close(policy.exp(), torch.tensor([[1.0, 0.0, 0.0]]))
    torch.testing.assert_close(log_partition, torch.tensor([1e4]) + reference[0, 0])


@pytest.mark.parametrize(("responses", "places"), [(1, 1), (2, 1), (3, 3), (5, 2), (4, 4)])
def test_rankings_by_enumeration(responses: int, places: int) -> None:
    """Every ranking's probability, multiplied out; together they are one."""
    exercise = load_reference("alignment/dpo_derivation")
    rewards = draw(1, responses)[2]
    total = 0.0
    for order in permutations(range(responses), places):
        weights = rewards[0].exp().tolist()
        probability = 1.0
        for index in order:
            probability *= weights[index] / sum(weights)
            weights[index] = 0.0
        loss = exercise.ranking_loss(rewards, torch.tensor([order]))
        assert loss.neg().exp().item() == pytest.approx(probability)
        total += probability
    assert total == pytest.approx(1)


def test_infonce_against_cross_entropy() -> None:
    exercise = load_reference("alignment/dpo_derivation")
    policy, reference, _ = draw(4, 11)
    implicit = exercise.recover_rewards(policy.log(), reference.log(), 0.3)
    chosen = torch.tensor([10, 0, 7, 3])
    torch.testing.assert_close(
        exercise.ranking_loss(implicit, chosen[:, None]), F.cross_entropy(implicit, chosen)
    )


class _OneProcess:
    """What DPOTrainer asks of accelerate, for a single process."""

    num_processes = 1
    device = torch.device("cpu")
    sync_gradients = False

    def gather_for_metrics(self, tensor: Tensor) -> Tensor:
        return tensor

    gather = gather_for_metrics


def trl_loss(monkeypatch: pytest.MonkeyPatch, policy: Tensor, reference: Tensor, beta: float) -> Tensor:
    """trl's sigmoid loss of pairs; log-probabilities [2B] of whole responses, chosen first.

    Each response is one token long. The trainer is a stand-in with the attributes that its loss reads.
    """
    import trl.trainer.dpo_trainer as module

    monkeypatch.setattr(
        module, "disable_gradient_checkpointing", lambda *args, **kwargs: contextlib.nullcontext()
    )
    monkeypatch.setattr(module, "is_peft_model", lambda model: False)

    def model(logps: Tensor) -> Any:
        tokens = logps[:, None]
        nothing = torch.zeros_like(tokens)
        return lambda **kwargs: SimpleNamespace(
            log_probs=tokens, entropy=nothing, mean_logits=nothing, is_top1=nothing > 0, aux_loss=0
        )

    trainer: Any = SimpleNamespace(
        model=SimpleNamespace(training=False, is_gradient_checkpointing=False),
        accelerator=_OneProcess(),
        ref_model=model(reference),
        aux_loss_enabled=False,
        ld_alpha=None,
        precompute_ref_logps=False,
        f_divergence_type="reverse_kl",
        loss_types=["sigmoid"],
        loss_weights=[1.0],
        beta=beta,
        label_smoothing=0.0,
        use_weighting=False,
        args=SimpleNamespace(gradient_checkpointing_kwargs=None),
        _metrics=defaultdict(lambda: defaultdict(list)),
        _total_train_tokens=0,
    )
    rows = len(policy)
    mask = torch.tensor([[0, 1]]).repeat(rows, 1)
    inputs = {
        "input_ids": torch.zeros_like(mask),
        "attention_mask": torch.ones(rows, 2),
        "completion_mask": mask,
    }
    loss: Tensor = module.DPOTrainer._compute_loss(trainer, model(policy), inputs, False)
    return loss


@pytest.mark.parametrize("pairs", [1, 6])
def test_two_responses_against_trl(monkeypatch: pytest.MonkeyPatch, pairs: int) -> None:
    exercise = load_reference("alignment/dpo_derivation")
    torch.manual_seed(pairs)
    policy, reference = -9 * torch.rand(2, 2 * pairs)
    expected = trl_loss(monkeypatch, policy, reference, 0.3)
    columns = [tensor.view(2, pairs).T for tensor in (policy, reference)]
    rewards = exercise.recover_rewards(*columns, 0.3)
    for places in (1, 2):
        ranking = torch.tensor([[0, 1]])[:, :places].repeat(pairs, 1)
        torch.testing.assert_close(exercise.ranking_loss(rewards, ranking), expected)


def test_best_policy_minimises_the_dpo_loss(monkeypatch: pytest.MonkeyPatch) -> None:
    """At the optimum, trl's loss over pairs in Bradley-Terry shares has no slope in the policy's logits."""
    exercise = load_reference("alignment/dpo_derivation")
    _, reference, rewards = draw(1, 4)
    beta = 0.3
    optimum, _ = exercise.optimal_policy(reference.log(), rewards, beta)
    logits = optimum[0].clone().requires_grad_()
    logps = logits.log_softmax(-1)
    total = torch.zeros((), dtype=torch.float64)
    for winner, loser in permutations(range(4), 2):
        share = torch.sigmoid(rewards[0, winner] - rewards[0, loser])
        pair = [winner, loser]
        total = total + share * trl_loss(monkeypatch, logps[pair], reference[0, pair].log(), beta)
    (slope,) = torch.autograd.grad(total, logits)
    torch.testing.assert_close(slope, torch.zeros_like(slope))
