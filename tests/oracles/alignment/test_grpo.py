"""The reference of alignment/grpo against trl's trainer, torch.std, and loops."""

from __future__ import annotations

from collections import defaultdict
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor

from autograder.testing import assert_close, load_reference


class _OneProcess:
    """What GRPOTrainer asks of accelerate, for a single process."""

    num_processes = 1

    def gather(self, tensor: Tensor) -> Tensor:
        return tensor

    def reduce(self, tensor: Tensor, reduction: str) -> Tensor:
        return tensor


def trl_loss(
    log_probs: Tensor,
    old: Tensor | None,
    reference: Tensor,
    advantages: Tensor,
    mask: Tensor,
    clip: float,
    beta: float,
) -> Tensor:
    """trl's GRPO loss on given per-token log-probabilities [B, T]; the trainer is a stand-in, no model is loaded."""
    from trl import GRPOTrainer

    trainer = SimpleNamespace(
        model=SimpleNamespace(training=False),
        args=SimpleNamespace(delta=None, use_bias_correction_kl=False),
        accelerator=_OneProcess(),
        aux_loss_enabled=False,
        top_entropy_quantile=1.0,
        off_policy_mask_threshold=None,
        importance_sampling_level="token",
        beta=beta,
        loss_type="grpo",
        epsilon_low=clip,
        epsilon_high=clip,
        use_vllm=False,
        _entropy_bonus_enabled=False,
        current_gradient_accumulation_steps=1,
        _metrics=defaultdict(lambda: defaultdict(list)),
        _get_per_token_logps_and_entropies=lambda *a, **k: (log_probs, torch.zeros_like(log_probs), None),
    )
    batch, length = log_probs.shape
    inputs = {
        "prompt_ids": torch.zeros(batch, 2, dtype=torch.long),
        "prompt_mask": torch.ones(batch, 2, dtype=torch.long),
        "completion_ids": torch.zeros(batch, length, dtype=torch.long),
        "completion_mask": mask.long(),
        "advantages": advantages,
        "old_per_token_logps": old,
        "ref_per_token_logps": reference,
    }
    return GRPOTrainer._compute_loss(trainer, None, inputs)


@pytest.mark.parametrize("sampled_by", ["old policy", "current policy"])
@pytest.mark.parametrize("supervision", ["outcome", "process"])
@pytest.mark.parametrize(("clip", "beta"), [(0.2, 0.04), (0.1, 1.0), (0.3, 0.0)])
def test_loss_and_gradient_against_trl(sampled_by: str, supervision: str, clip: float, beta: float) -> None:
    grpo = load_reference("alignment/grpo")
    torch.manual_seed(3)
    batch, length = 6, 9
    log_probs = -2 * torch.rand(batch, length)
    old = log_probs + 0.4 * torch.randn(batch, length) if sampled_by == "old policy" else None
    reference = log_probs + 0.7 * torch.randn(batch, length)
    # The last response has no token that counts.
    mask = torch.arange(length) < torch.tensor([9, 1, 4, 7, 2, 0])[:, None]
    advantages = torch.randn(batch, length if supervision == "process" else 1)

    mine = log_probs.clone().requires_grad_()
    losses = grpo.token_losses(mine, old, reference, advantages, clip, beta)
    loss = grpo.response_mean(losses, mask)
    loss.backward()
    theirs = log_probs.clone().requires_grad_()
    # trl takes [B] or [B, T].
    expected = trl_loss(theirs, old, reference, advantages.squeeze(1), mask, clip, beta)
    expected.backward()
    assert_close(loss.detach(), expected.detach())
    assert_close(mine.grad, theirs.grad)


@pytest.mark.parametrize("unbiased", [True, False])
@pytest.mark.parametrize(("prompts", "size", "eps"), [(1, 2, 1e-4), (7, 5, 0.0), (3, 16, 0.5)])
def test_advantages_against_standardised_rows(prompts: int, size: int, eps: float, unbiased: bool) -> None:
    grpo = load_reference("alignment/grpo")
    torch.manual_seed(size)
    rewards = 3 * torch.randn(prompts, size) + 1
    expected = []
    for row in rewards:
        std = torch.std(row, correction=int(unbiased))
        expected.append((row - torch.mean(row)) / (std + eps))
    assert_close(grpo.group_advantages(rewards, eps, unbiased), torch.stack(expected))


@pytest.mark.parametrize("successes", range(5))
def test_advantages_against_trl_nanstd(successes: int) -> None:
    """With right and wrong answers alone, as trl computes them: unbiased, 1e-4."""
    from trl.trainer.utils import nanstd

    grpo = load_reference("alignment/grpo")
    rewards = torch.zeros(1, 4)
    rewards[:, :successes] = 1
    std = nanstd(rewards, dim=1).unsqueeze(1)
    assert_close(grpo.group_advantages(rewards), (rewards - rewards.nanmean()) / (std + 1e-4))


@pytest.mark.parametrize("seed", range(3))
def test_process_supervision_against_the_double_sum(seed: int) -> None:
    """Section 4.1.3 of Shao et al. 2024, word by word: lists of rewards and of the indices where steps end."""
    grpo = load_reference("alignment/grpo")
    generator = torch.Generator().manual_seed(seed)
    rewards = torch.randn(3, 4, 11, generator=generator, dtype=torch.float64)
    step_ends = torch.rand(3, 4, 11, generator=generator) < 0.3
    step_ends[..., 5] = True
    actual = grpo.step_advantages(rewards, step_ends, 0.0, False)
    for prompt in range(3):
        index = [step_ends[prompt, i].nonzero().flatten().tolist() for i in range(4)]
        r = [[rewards[prompt, i, t].item() for t in index[i]] for i in range(4)]
        every = [value for response in r for value in response]
        mean = sum(every) / len(every)
        std = (sum((value - mean) ** 2 for value in every) / len(every)) ** 0.5
        for i in range(4):
            for t in range(11):
                credit = sum((r[i][j] - mean) / std for j in range(len(r[i])) if index[i][j] >= t)
                assert actual[prompt, i, t].item() == pytest.approx(credit, rel=1e-9, abs=1e-9)


def test_one_step_is_outcome_supervision() -> None:
    """Where each response is one step, every token of it has the advantage of the response."""
    grpo = load_reference("alignment/grpo")
    torch.manual_seed(0)
    rewards = torch.randn(2, 5, 7)
    step_ends = torch.zeros(2, 5, 7, dtype=torch.bool)
    step_ends[..., 6] = True
    expected = grpo.group_advantages(rewards[..., 6])[..., None].expand(2, 5, 7)
    assert_close(grpo.step_advantages(rewards, step_ends), expected)
