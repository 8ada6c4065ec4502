import math

import torch
from torch import Tensor, nn


def clipped_policy_loss(
    log_probs: Tensor, old_log_probs: Tensor, advantages: Tensor, clip_range: float
) -> Tensor:
    advantages = advantages.detach()
    ratio = (log_probs - old_log_probs.detach()).exp()
    clipped_ratio = ratio.clamp(1 - clip_range, 1 + clip_range)
    # The lower of two estimates: the clip may take a gain away, never a loss.
    return -(clipped_ratio * advantages).mean()


def clipped_value_loss(values: Tensor, old_values: Tensor, returns: Tensor, clip_range: float) -> Tensor:
    if not values.shape == old_values.shape == returns.shape:
        raise ValueError(f"shapes differ: {values.shape}, {old_values.shape}, {returns.shape}")
    old_values, returns = old_values.detach(), returns.detach()
    clipped_values = old_values + (values - old_values).clamp(-clip_range, clip_range)
    return 0.5 * torch.max((values - returns).square(), (clipped_values - returns).square()).mean()


def approximate_kl(log_probs: Tensor, old_log_probs: Tensor) -> Tensor:
    log_ratio = log_probs - old_log_probs
    return (log_ratio.exp() - 1 - log_ratio).mean()


def ppo_epoch(
    actor: nn.Module,
    critic: nn.Module,
    optimizer: torch.optim.Optimizer,
    rollout: dict[str, Tensor],
    permutation: Tensor,
    minibatch_size: int,
    clip_range: float,
    value_coef: float,
    target_kl: float = math.inf,
) -> list[float]:
    kls: list[float] = []
    for rows in permutation.split(minibatch_size):
        batch = {name: column[rows] for name, column in rollout.items()}
        advantages = batch["advantages"]
        if len(rows) > 1:
            advantages = (advantages - advantages.mean()) / (advantages.std() + 1e-8)
        log_probs = actor(batch["states"]).log_softmax(dim=-1)
        log_probs = log_probs.gather(-1, batch["actions"][:, None]).squeeze(-1)
        values = critic(batch["states"]).squeeze(-1)
        kls.append(approximate_kl(log_probs, batch["log_probs"]).item())
        if kls[-1] > 1.5 * target_kl:
            break
        policy_loss = clipped_policy_loss(log_probs, batch["log_probs"], advantages, clip_range)
        value_loss = clipped_value_loss(values, batch["values"], batch["returns"], clip_range)
        optimizer.zero_grad()
        (policy_loss + value_coef * value_loss).backward()
        optimizer.step()
    return kls
    # END SOLUTION
