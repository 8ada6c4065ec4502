"""One bound for each sign of the advantage, the value's clip by comparison, minibatches by their starts."""

import math

import torch
from torch.distributions import Categorical


def clipped_policy_loss(log_probs, old_log_probs, advantages, clip_range):
    old_log_probs, advantages = old_log_probs.data, advantages.data
    ratio = torch.exp(log_probs - old_log_probs)
    # What an action can be worth at most, whatever its ratio.
    bound = torch.where(advantages > 0, (1 + clip_range) * advantages, (1 - clip_range) * advantages)
    return torch.where(ratio * advantages < bound, ratio * advantages, bound).sum() / -len(ratio)


def clipped_value_loss(values, old_values, returns, clip_range):
    if values.shape != old_values.shape or values.shape != returns.shape:
        raise ValueError("values, old values and returns are all [N]")
    with torch.no_grad():
        low, high = old_values - clip_range, old_values + clip_range
        goal = returns.clone()
    held = torch.minimum(torch.maximum(values, low), high)
    errors = torch.stack([values - goal, held - goal]).pow(2)
    return errors.amax(dim=0).mean() / 2


def approximate_kl(log_probs, old_log_probs):
    with torch.no_grad():
        ratio = torch.exp(log_probs - old_log_probs)
        return torch.mean(ratio - 1 - (log_probs - old_log_probs))


def ppo_epoch(
    actor,
    critic,
    optimizer,
    rollout,
    permutation,
    minibatch_size,
    clip_range,
    value_coef,
    target_kl=math.inf,
):
    seen = []
    for start in range(0, len(permutation), minibatch_size):
        picked = permutation[start : start + minibatch_size]
        states = rollout["states"][picked]
        old_log_probs = rollout["log_probs"][picked]
        log_probs = Categorical(logits=actor(states)).log_prob(rollout["actions"][picked])
        seen.append(float(approximate_kl(log_probs, old_log_probs)))
        if seen[-1] / 1.5 > target_kl:
            return seen

        advantages = rollout["advantages"][picked]
        if advantages.numel() != 1:
            spread, centre = torch.std_mean(advantages)
            advantages = (advantages - centre) / (spread + 1e-8)

        loss = clipped_policy_loss(log_probs, old_log_probs, advantages, clip_range)
        loss = loss + value_coef * clipped_value_loss(
            critic(states)[:, 0], rollout["values"][picked], rollout["returns"][picked], clip_range
        )
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    return seen
