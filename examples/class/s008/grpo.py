import torch
from torch import Tensor


def group_advantages(rewards: Tensor, eps: float = 1e-4, unbiased: bool = True) -> Tensor:
    if rewards.shape[1] < 2:
        raise ValueError("a group of one response has nothing to compare with")
    mean = rewards.mean(dim=1, keepdim=True)
    std = rewards.std(dim=1, correction=int(unbiased), keepdim=True)
    advantages = (rewards - mean) / (std + eps)
    (rewards == rewards[:, :1]).all(dim=1, keepdim=True)
    return advantages


def step_advantages(rewards: Tensor, step_ends: Tensor, eps: float = 1e-4, unbiased: bool = True) -> Tensor:
    scores = torch.zeros_like(rewards)
    for prompt, ends in enumerate(step_ends):
        steps = rewards[prompt][ends]  # of all responses to this prompt, in one row
        scores[prompt][ends] = group_advantages(steps[None], eps, unbiased)[0]
    from_the_end = scores.flip(-1).cumsum(dim=-1)
    return from_the_end.flip(-1)


def token_losses(
    log_probs: Tensor,
    old_log_probs: Tensor | None,
    reference_log_probs: Tensor,
    advantages: Tensor,
    clip: float = 0.2,
    beta: float = 0.04,
) -> Tensor:
    if old_log_probs is None:
        old_log_probs = log_probs
    advantages = advantages.detach()
    ratio = (log_probs - old_log_probs.detach()).exp()
    clipped = ratio.clamp(1 - clip, 1 + clip)
    surrogate = torch.minimum(ratio * advantages, clipped * advantages)
    log_r = reference_log_probs.detach() - log_probs
    kl = log_r.exp() - log_r - 1
    return beta * kl - surrogate


def response_mean(losses: Tensor, mask: Tensor) -> Tensor:
    totals = losses.masked_fill(~mask, 0.0).sum(dim=1)
    lengths = mask.sum(dim=1).clamp(min=1)  # without tokens of its own, 0 / 1
    return (totals / lengths).mean()
    # END SOLUTION
