"""Shapes instead of loops: `xlogy`, a shifted exponential, and one mask of who competes for which place."""

import torch


def kl_objective(policy_logps, reference_logps, rewards, beta):
    p, q = policy_logps.exp(), reference_logps.exp()
    divergence = torch.xlogy(p, p) - torch.xlogy(p, q)
    return (p * rewards - beta * divergence).sum(-1)


def optimal_policy(reference_logps, rewards, beta):
    exponents = reference_logps + rewards / beta
    highest = exponents.amax(dim=-1, keepdim=True)
    log_partition = highest + (exponents - highest).exp().sum(dim=-1, keepdim=True).log()
    return exponents - log_partition, log_partition[..., 0]


def recover_rewards(policy_logps, reference_logps, beta, log_partition=None):
    log_ratio = policy_logps - reference_logps
    if log_partition is not None:
        log_ratio = log_ratio + log_partition[:, None]
    return log_ratio * beta


def ranking_loss(rewards, ranking):
    responses = rewards.shape[1]
    named = torch.nn.functional.one_hot(ranking, responses)  # [B, P, K]
    if int(named.sum(dim=1).max()) > 1:
        raise ValueError("named twice")
    placed = named.cumsum(dim=1) - named > 0  # before this place
    competing = rewards[:, None, :].masked_fill(placed, float("-inf"))
    picked = torch.log_softmax(competing, dim=-1).gather(2, ranking[:, :, None])
    return -picked.sum(dim=(1, 2)).mean()
