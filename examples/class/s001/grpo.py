import torch
from torch import Tensor


def group_advantages(rewards: Tensor, eps: float = 1e-4, unbiased: bool = True) -> Tensor:
    if rewards.shape[-1] == 1:
        raise ValueError("a group needs at least two responses")
    everything = torch.ones_like(rewards, dtype=torch.bool)
    return _normalise(rewards.detach(), everything, eps, unbiased).to(rewards.dtype)


def _normalise(values: Tensor, counts: Tensor, eps: float, unbiased: bool) -> Tensor:
    x = values.double().masked_fill(~counts, 0.0)
    n = counts.sum(-1, keepdim=True)
    centred = (x - x.sum(-1, keepdim=True) / n.clamp(min=1)).masked_fill(~counts, 0.0)
    divisor = (n - 1 if unbiased else n).clamp(min=1)
    scale = (centred.square().sum(-1, keepdim=True) / divisor).sqrt() + eps
    # compare the rewards themselves: the deviation of equal ones need not be 0 after rounding
    highest = x.masked_fill(~counts, -torch.inf).amax(-1, keepdim=True)
    lowest = x.masked_fill(~counts, torch.inf).amin(-1, keepdim=True)
    same = highest <= lowest
    return (centred / scale.masked_fill(same, 1.0)).masked_fill(same, 0.0)


def step_advantages(rewards: Tensor, step_ends: Tensor, eps: float = 1e-4, unbiased: bool = True) -> Tensor:
    p, g, t = rewards.shape
    normal = _normalise(rewards.detach().reshape(p, g * t), step_ends.reshape(p, g * t), eps, unbiased)
    later = normal.reshape(p, g, t).flip(-1).cumsum(-1).flip(-1)
    return later.to(rewards.dtype)


def token_losses(
    log_probs: Tensor,
    old_log_probs: Tensor | None,
    reference_log_probs: Tensor,
    advantages: Tensor,
    clip: float = 0.2,
    beta: float = 0.04,
) -> Tensor:
    dtype = log_probs.dtype
    wide = torch.promote_types(dtype, torch.float32)
    new = log_probs.to(wide)
    old = new.detach() if old_log_probs is None else old_log_probs.detach().to(wide)
    ref = reference_log_probs.detach().to(wide)
    adv = advantages.detach().to(wide).expand_as(new)

    log_ratio = new - old
    fixed = log_ratio.detach().exp()
    clipped = ((adv > 0) & (fixed > 1 + clip)) | ((adv < 0) & (fixed < 1 - clip))
    constant = clipped | (adv == 0)
    # clipped tokens leave the graph before exp, so that an overflow there can't give 0 * inf
    ratio = torch.where(constant, torch.zeros_like(log_ratio), log_ratio).exp()
    bounded = torch.where(adv > 0, torch.full_like(adv, 1 + clip), torch.full_like(adv, 1 - clip))
    loss = -torch.where(clipped, bounded, ratio) * adv
    if beta != 0:
        difference = ref - new
        loss = loss + beta * (torch.expm1(difference) - difference)
    return loss.to(dtype)


def response_mean(losses: Tensor, mask: Tensor) -> Tensor:
    wide = torch.promote_types(losses.dtype, torch.float32)
    kept = losses.to(wide).masked_fill(~mask, 0.0)
    per_response = kept.sum(-1) / mask.sum(-1).clamp(min=1)
    return per_response.mean().to(losses.dtype)
