"""Whole tensors: discounts as a triangular matrix, cross-entropy, a matrix without its diagonal, the variance by moments."""

import torch
import torch.nn.functional as F


def reward_to_go(rewards, mask, discount):
    length = rewards.shape[1]
    step = torch.arange(length, dtype=rewards.dtype, device=rewards.device)
    discounts = torch.tril(discount ** (step[:, None] - step).abs())  # [k, t], k >= t
    return torch.where(mask, rewards, torch.zeros_like(rewards)) @ discounts


def reinforce_loss(logits, actions, returns, baseline, mask, discount):
    losses = F.cross_entropy(logits.flatten(0, 1), actions.flatten(), reduction="none").view_as(returns)
    with torch.no_grad():
        credit = torch.sub(returns, baseline)
        credit = credit * torch.cumprod(torch.full_like(credit, discount), dim=1) / discount
        credit = torch.where(mask, credit, torch.zeros_like(credit))
    return torch.sum(losses * credit) / len(actions)


def leave_one_out(returns):
    size = returns.size(-1)
    if size < 2:
        raise ValueError("leave-one-out needs at least two episodes")
    others = torch.ones(size, size, dtype=returns.dtype) - torch.eye(size, dtype=returns.dtype)
    return returns @ (others / (size - 1))


def estimate_moments(logits, states, actions, weights, mask, probabilities):
    policy = torch.exp(logits - logits.logsumexp(dim=1, keepdim=True))
    weights = torch.where(mask, weights, torch.zeros_like(weights))
    episodes = states.shape[0]
    flat = torch.zeros(episodes, logits.numel(), dtype=logits.dtype)
    at = states * logits.shape[1] + actions
    flat = flat.scatter_add(1, at, weights)  # up at the actions taken
    visits = torch.zeros(episodes, logits.shape[0], dtype=logits.dtype).scatter_add(1, states, weights)
    flat = flat - (visits[:, :, None] * policy).flatten(1)  # down in the whole row
    mean = probabilities @ flat
    second = probabilities @ (flat * flat).sum(dim=1)
    return mean.view_as(logits), second - mean @ mean
