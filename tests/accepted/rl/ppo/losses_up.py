"""Losses from the start, of which the larger counts; log-probabilities from cross-entropy; the epoch by a generator."""

import math

import torch
import torch.nn.functional as F


def clipped_policy_loss(log_probs, old_log_probs, advantages, clip_range):
    ratio = (log_probs - old_log_probs.detach()).exp()
    losses = [-advantages.detach() * r for r in (ratio, ratio.clip(1 - clip_range, 1 + clip_range))]
    return torch.maximum(*losses).mean()


def clipped_value_loss(values, old_values, returns, clip_range):
    if len({tuple(t.shape) for t in (values, old_values, returns)}) > 1:
        raise ValueError("shapes")
    change = values - old_values.detach()
    target = (returns - old_values).detach()
    plain = F.mse_loss(change, target, reduction="none")
    held = F.mse_loss(change.clip(-clip_range, clip_range), target, reduction="none")
    return torch.where(held > plain, held, plain).mean().mul(0.5)


def approximate_kl(log_probs, old_log_probs):
    back = (old_log_probs - log_probs).detach()
    return torch.expm1(-back).add(back).mean()


def _minibatches(rollout, permutation, size):
    names = list(rollout)
    shuffled = [rollout[name].index_select(0, permutation) for name in names]
    for parts in zip(*(column.split(size) for column in shuffled), strict=True):
        yield dict(zip(names, parts, strict=True))


def _standardised(x):
    if x.shape[0] < 2:
        return x
    centred = x - x.sum() / x.shape[0]
    return centred / ((centred.square().sum() / (x.shape[0] - 1)) ** 0.5 + 1e-8)


def ppo_epoch(
    actor, critic, optimizer, rollout, permutation, minibatch_size, clip_range, value_coef, target_kl=math.inf
):
    limit, distances = 1.5 * target_kl, []
    for batch in _minibatches(rollout, permutation, minibatch_size):
        optimizer.zero_grad()
        log_probs = -F.cross_entropy(actor(batch["states"]), batch["actions"], reduction="none")
        values = critic(batch["states"]).flatten()
        distances += [approximate_kl(log_probs, batch["log_probs"]).item()]
        if not distances[-1] <= limit:
            break
        policy = clipped_policy_loss(
            log_probs, batch["log_probs"], _standardised(batch["advantages"]), clip_range
        )
        value = clipped_value_loss(values, batch["values"], batch["returns"], clip_range)
        policy.add(value, alpha=value_coef).backward()
        optimizer.step()
    return distances
