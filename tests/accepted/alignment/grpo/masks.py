"""No loop: counts and masks."""

import torch


def _masked_scores(rewards, counted, eps, unbiased):
    """Normalised along the last axis among what counts; 0 elsewhere."""
    number = counted.sum(-1, keepdim=True)
    kept = torch.where(counted, rewards, 0)
    off = torch.where(counted, rewards - kept.sum(-1, keepdim=True) / number, 0)
    std = (off.pow(2).sum(-1, keepdim=True) / (number - int(unbiased))).sqrt()
    return torch.nan_to_num(off / (std + eps), nan=0.0)


def group_advantages(rewards, eps=1e-4, unbiased=True):
    if rewards.size(1) <= 1:
        raise ValueError("G must be at least 2")
    return _masked_scores(rewards, torch.ones_like(rewards, dtype=torch.bool), eps, unbiased)


def step_advantages(rewards, step_ends, eps=1e-4, unbiased=True):
    scores = _masked_scores(rewards.flatten(1), step_ends.flatten(1), eps, unbiased).reshape(rewards.shape)
    later = torch.ones(rewards.shape[-1], rewards.shape[-1], dtype=rewards.dtype).tril()  # [from, to]
    return scores @ later


def token_losses(log_probs, old_log_probs, reference_log_probs, advantages, clip=0.2, beta=0.04):
    with torch.no_grad():
        old = log_probs.clone() if old_log_probs is None else old_log_probs.clone()
        reference, gain = reference_log_probs.clone(), advantages.clone()
    ratio = (log_probs - old).exp()
    free, held = -gain * ratio, -gain * torch.clip(ratio, 1.0 - clip, 1.0 + clip)
    gap = reference - log_probs
    return torch.max(free, held) + beta * (torch.expm1(gap) - gap)


def response_mean(losses, mask):
    weights = mask.to(losses.dtype)
    lengths = weights.sum(-1, keepdim=True)
    weights = weights / torch.where(lengths == 0, 1, lengths)
    return (losses * weights).sum() / losses.size(0)
