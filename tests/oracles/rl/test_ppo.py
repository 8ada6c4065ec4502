"""The PPO reference against trl's clipped surrogate and KL, exact enumeration, and an epoch in numpy without autograd."""

from __future__ import annotations

from collections import defaultdict
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from autograder.testing import load_reference


class _OneProcess:
    """What GRPOTrainer asks of accelerate, for a single process."""

    num_processes = 1
    sync_gradients = False

    def gather(self, tensor: Tensor) -> Tensor:
        return tensor

    def reduce(self, tensor: Tensor, reduction: str) -> Tensor:
        return tensor


def trl_grpo(
    log_probs: Tensor, old: Tensor, advantages: Tensor, clip_range: float, beta: float = 0.0
) -> Tensor:
    """trl's GRPO loss for completions of one token, [N] each; with beta, plus beta times its KL to `old`.

    The trainer is a stand-in with the attributes its loss reads, so that no model is loaded.
    """
    from trl import GRPOTrainer

    nothing = torch.zeros_like(log_probs)[:, None]
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
        epsilon_low=clip_range,
        epsilon_high=clip_range,
        use_vllm=False,
        _entropy_bonus_enabled=False,
        current_gradient_accumulation_steps=1,
        _metrics=defaultdict(lambda: defaultdict(list)),
        _get_per_token_logps_and_entropies=lambda *_, **__: (log_probs[:, None], nothing, None),
    )
    one = torch.ones(len(log_probs), 1, dtype=torch.long)
    inputs = {
        "prompt_ids": one,
        "prompt_mask": one,
        "completion_ids": one,
        "completion_mask": one,
        "advantages": advantages,
        "old_per_token_logps": old[:, None],
        "ref_per_token_logps": old[:, None],
    }
    return GRPOTrainer._compute_loss(trainer, None, inputs)


@pytest.mark.parametrize(("count", "spread", "clip_range"), [(1, 0.5, 0.2), (23, 0.4, 0.2), (101, 2.0, 0.05)])
def test_policy_loss_against_trl(count: int, spread: float, clip_range: float) -> None:
    ppo = load_reference("rl/ppo")
    torch.manual_seed(count)
    old = -3 * torch.rand(count)
    advantages = torch.randn(count)
    new = (old + spread * torch.randn(count)).requires_grad_()
    found = ppo.clipped_policy_loss(new, old, advantages, clip_range)
    expected = trl_grpo(new, old, advantages, clip_range)
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(
        torch.autograd.grad(found, new)[0], torch.autograd.grad(expected, new)[0], rtol=1e-5, atol=1e-8
    )


def test_kl_against_trl_and_enumeration() -> None:
    """trl's KL term has the reference above the fraction, so the two policies change places."""
    ppo = load_reference("rl/ppo")
    torch.manual_seed(0)
    old, new = torch.randn(2, 29, dtype=torch.float64)
    expected = trl_grpo(old, new, torch.zeros_like(old), 0.2, beta=1.0)
    torch.testing.assert_close(ppo.approximate_kl(new, old), expected)

    old, new = torch.randn(2, 5, dtype=torch.float64).log_softmax(-1)
    each = torch.stack([ppo.approximate_kl(new[a, None], old[a, None]) for a in range(5)])
    assert (each >= 0).all()
    exact = nn.functional.kl_div(new, old, reduction="sum", log_target=True)
    torch.testing.assert_close((old.exp() * each).sum(), exact)


@pytest.mark.parametrize("clip_range", [0.1, 0.5, 100.0])
def test_value_loss_against_loops(clip_range: float) -> None:
    ppo = load_reference("rl/ppo")
    torch.manual_seed(1)
    values, old, returns = 2 * torch.randn(3, 57, dtype=torch.float64)
    total = 0.0
    for v, o, r in zip(values.tolist(), old.tolist(), returns.tolist(), strict=True):
        held = o + np.clip(v - o, -clip_range, clip_range)
        total += 0.5 * max((v - r) ** 2, (held - r) ** 2)
    found = ppo.clipped_value_loss(values, old, returns, clip_range)
    assert found.item() == pytest.approx(total / 57, rel=1e-12)
    if clip_range > 10:
        torch.testing.assert_close(found, 0.5 * nn.functional.mse_loss(values, returns))


@pytest.mark.parametrize(("count", "size"), [(8, 3), (7, 3), (6, 6), (5, 1)])
def test_epoch_against_numpy(count: int, size: int) -> None:
    """Linear actor and critic, whose gradients are written down sample by sample."""
    ppo = load_reference("rl/ppo")
    torch.manual_seed(count)
    clip_range, value_coef, rate = 0.2, 0.6, 0.5
    actor, critic = nn.Linear(3, 4, bias=False).double(), nn.Linear(3, 1, bias=False).double()
    rollout = {
        "states": torch.randn(count, 3, dtype=torch.float64),
        "actions": torch.randint(4, (count,)),
        "log_probs": -3 * torch.rand(count, dtype=torch.float64),
        "values": torch.randn(count, dtype=torch.float64),
        "advantages": torch.randn(count, dtype=torch.float64) + 1,
        "returns": torch.randn(count, dtype=torch.float64),
    }
    order = torch.randperm(count)
    policy, value = actor.weight.detach().numpy().copy(), critic.weight.detach().numpy()[0].copy()
    kls = []
    data = {name: column.numpy() for name, column in rollout.items()}
    for start in range(0, count, size):
        rows = order.numpy()[start : start + size]
        advantages = data["advantages"][rows]
        if len(rows) > 1:
            advantages = (advantages - advantages.mean()) / (advantages.std(ddof=1) + 1e-8)
        kls.append(0.0)
        policy_step, value_step = np.zeros_like(policy), np.zeros_like(value)
        for row, advantage in zip(rows, advantages, strict=True):
            x, action = data["states"][row], data["actions"][row]
            p = np.exp(policy @ x)
            p /= p.sum()
            ratio = p[action] / np.exp(data["log_probs"][row])
            kls[-1] += (ratio - 1 - np.log(ratio)) / len(rows)
            if not (ratio > 1 + clip_range if advantage > 0 else ratio < 1 - clip_range):
                policy_step += advantage * ratio * np.outer(np.eye(4)[action] - p, x)
            v, old, target = value @ x, data["values"][row], data["returns"][row]
            held = old + np.clip(v - old, -clip_range, clip_range)
            if abs(v - old) <= clip_range or (v - target) ** 2 > (held - target) ** 2:
                value_step -= (v - target) * x
        policy += rate * policy_step / len(rows)
        value += rate * value_coef * value_step / len(rows)
    optimizer = torch.optim.SGD([*actor.parameters(), *critic.parameters()], lr=rate)
    found = ppo.ppo_epoch(actor, critic, optimizer, rollout, order, size, clip_range, value_coef)
    assert found == pytest.approx(kls)
    torch.testing.assert_close(actor.weight.detach(), torch.from_numpy(policy))
    torch.testing.assert_close(critic.weight.detach()[0], torch.from_numpy(value))
