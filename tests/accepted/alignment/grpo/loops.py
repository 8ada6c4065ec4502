"""One response, one step, one token at a time."""

import torch


def group_advantages(rewards, eps=1e-4, unbiased=True):
    size = rewards.shape[1]
    if size == 1:
        raise ValueError("one response cannot be compared")
    rows = []
    for row in rewards:
        centre = row.sum() / size
        spread = (((row - centre) ** 2).sum() / (size - 1 if unbiased else size)) ** 0.5
        rows.append(torch.zeros_like(row) if spread == 0 else (row - centre) / (spread + eps))
    return torch.stack(rows)


def step_advantages(rewards, step_ends, eps=1e-4, unbiased=True):
    prompts, size, length = rewards.shape
    result = torch.empty(prompts, size, length, dtype=rewards.dtype)
    for p in range(prompts):
        where = [(i, t) for i in range(size) for t in range(length) if step_ends[p, i, t]]
        row = torch.stack([rewards[p, i, t] for i, t in where])[None]
        score = dict(zip(where, group_advantages(row, eps, unbiased)[0], strict=True))
        for i in range(size):
            ahead = rewards.new_zeros(())
            for t in range(length - 1, -1, -1):
                ahead = ahead + score.get((i, t), 0.0)
                result[p, i, t] = ahead
    return result


def token_losses(log_probs, old_log_probs, reference_log_probs, advantages, clip=0.2, beta=0.04):
    constants = [advantages, reference_log_probs, log_probs if old_log_probs is None else old_log_probs]
    advantages, reference, old = (constant.detach() for constant in constants)
    ratio = torch.exp(log_probs - old)
    # Pessimistic: a good token is stopped above, a bad one below.
    bounded = torch.where(advantages > 0, ratio.clamp(max=1 + clip), ratio.clamp(min=1 - clip))
    r = torch.exp(reference - log_probs)
    return -bounded * advantages + beta * (r - torch.log(r) - 1)


def response_mean(losses, mask):
    means = [row[own].mean() if own.any() else row.sum() * 0 for row, own in zip(losses, mask, strict=True)]
    return torch.stack(means).mean()
