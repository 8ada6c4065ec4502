import math

import torch
from torch import Tensor, nn


def clipped_policy_loss(
    log_probs: Tensor, old_log_probs: Tensor, advantages: Tensor, clip_range: float
) -> Tensor:
    log_ratio = log_probs - old_log_probs.detach()
    A = advantages.detach()
    # Where A >= 0 the ratio only matters up to 1 + eps, so cap it before exp: exp never overflows there (inf * 0 in the
    # backward pass would be NaN).
    log_ratio = torch.where(A >= 0, log_ratio.clamp(max=math.log1p(clip_range)), log_ratio)
    ratio = log_ratio.exp()
    ratio = torch.where(A >= 0, ratio, ratio.clamp(min=1 - clip_range))
    return -(ratio * A).mean()


def clipped_value_loss(values: Tensor, old_values: Tensor, returns: Tensor, clip_range: float) -> Tensor:
    if not (values.shape == old_values.shape == returns.shape):
        raise ValueError("values, old values and returns differ in shape")
    old, target = old_values.detach(), returns.detach()
    near = old + (values - old).clamp(-clip_range, clip_range)
    return 0.5 * torch.maximum((values - target) ** 2, (near - target) ** 2).mean()


def approximate_kl(log_probs: Tensor, old_log_probs: Tensor) -> Tensor:
    log_ratio = log_probs - old_log_probs.detach()
    return (torch.expm1(log_ratio) - log_ratio).mean()


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
    kls = []
    for batch in permutation.split(minibatch_size):
        data = {name: tensor[batch] for name, tensor in rollout.items()}
        advantages = data["advantages"]
        if len(batch) > 1:
            advantages = (advantages - advantages.mean()) / (advantages.std() + 1e-8)
        logps = torch.log_softmax(actor(data["states"]), dim=-1)
        logps = logps.gather(-1, data["actions"][:, None]).squeeze(-1)
        values = critic(data["states"]).squeeze(-1)

        kl = approximate_kl(logps.detach(), data["log_probs"]).item()
        kls.append(kl)
        if kl > 1.5 * target_kl:
            break

        loss = clipped_policy_loss(logps, data["log_probs"], advantages, clip_range)
        loss = loss + value_coef * clipped_value_loss(values, data["values"], data["returns"], clip_range)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()  # after the step, so that the caller finds them empty again
    return kls
