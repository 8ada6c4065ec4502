"""Sums over the support, one prompt at a time; rankings by a reversed cumulative log-sum-exp."""

import torch
import torch.nn.functional as F


def kl_objective(policy_logps, reference_logps, rewards, beta):
    values = []
    for policy, reference, reward in zip(policy_logps, reference_logps, rewards, strict=True):
        support = policy > -torch.inf
        policy, reference, reward = policy[support], reference[support], reward[support]
        values.append(policy.exp() @ (reward + beta * (reference - policy)))
    return torch.stack(values)


def optimal_policy(reference_logps, rewards, beta):
    scores = rewards.div(beta).add(reference_logps)
    policy = F.log_softmax(scores, dim=-1)
    largest = scores.max(dim=-1, keepdim=True)
    # log Z = score - log-probability, read off where the probability is largest.
    return policy, (largest.values - policy.gather(-1, largest.indices)).squeeze(-1)


def recover_rewards(policy_logps, reference_logps, beta, log_partition=None):
    if log_partition is None:
        log_partition = policy_logps.new_zeros(len(policy_logps))
    return beta * (policy_logps - reference_logps + log_partition.reshape(-1, 1))


def ranking_loss(rewards, ranking):
    total = 0.0
    for reward, order in zip(rewards, ranking.tolist(), strict=True):
        if len(set(order)) < len(order):
            raise ValueError("twice")
        rest = [index for index in range(len(reward)) if index not in order]
        arranged = reward[order + rest]
        denominators = arranged.flip(0).logcumsumexp(0).flip(0)
        total = total + (denominators - arranged)[: len(order)].sum()
    return total / len(rewards)
