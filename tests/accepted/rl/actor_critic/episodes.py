"""Episode by episode: cut the data first, then work on pieces that have no boundary inside."""

import torch
from torch.nn import functional as F


def pieces(terminated, truncated):
    """(start, stop) of each episode, and whether a value follows its last step."""
    start = 0
    for t in range(len(terminated)):
        if terminated[t] or truncated[t] or t == len(terminated) - 1:
            yield start, t + 1, not bool(terminated[t])
            start = t + 1


def one_step_errors(rewards, values, next_values, start, stop, goes_on, discount):
    reached = list(next_values[start:stop])
    if not goes_on:
        reached[-1] = torch.zeros_like(reached[-1])
    return rewards[start:stop] + discount * torch.stack(reached) - values[start:stop]


def n_step_advantages(rewards, values, next_values, terminated, truncated, discount, n):
    # The values inside a window cancel: an n-step advantage is a sum of n one-step errors.
    found = []
    for start, stop, goes_on in pieces(terminated, truncated):
        errors = one_step_errors(rewards, values, next_values, start, stop, goes_on, discount)
        for t in range(len(errors)):
            window = errors[t : t + n]
            found.append((window * discount ** torch.arange(len(window)).to(window.dtype)).sum())
    return torch.stack(found)


def gae(rewards, values, next_values, terminated, truncated, discount, trace_decay):
    found = []
    for start, stop, goes_on in pieces(terminated, truncated):
        errors = one_step_errors(rewards, values, next_values, start, stop, goes_on, discount)
        step = torch.arange(len(errors))
        apart = (step[None, :] - step[:, None]).clamp(min=0).to(errors.dtype)
        weights = torch.triu((discount * trace_decay) ** apart)
        found.append(weights @ errors)
    advantages = torch.cat(found)
    return advantages, advantages + values


def actor_critic_loss(logits, actions, values, advantages, targets, value_coefficient, entropy_coefficient):
    with torch.no_grad():
        advantages, targets = advantages.clone(), targets.clone()
    policy = (F.cross_entropy(logits, actions, reduction="none") * advantages).mean()
    value = F.mse_loss(values, targets)
    every = torch.arange(logits.shape[-1])
    surprise = torch.stack([F.cross_entropy(logits, a.expand(len(actions)), reduction="none") for a in every])
    entropy = (logits.softmax(dim=-1) * surprise.T).sum(dim=-1).mean()
    return policy + value * value_coefficient - entropy * entropy_coefficient
