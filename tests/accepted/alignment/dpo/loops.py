"""One sequence and one pair at a time: cross-entropy and softplus from the library, the gradient in numpy."""

import numpy as np
import torch
import torch.nn.functional as F


def sequence_logps(logits, labels):
    if tuple(labels.shape) != tuple(logits.shape[:-1]):
        raise ValueError("labels and logits don't fit")
    results = []
    for scores, tokens in zip(logits, labels, strict=True):
        total = scores.new_zeros(())
        for position in range(1, len(tokens)):
            token = int(tokens[position])
            if token != -100:
                total = total - F.cross_entropy(scores[position - 1], torch.tensor(token))
        results.append(total)
    return torch.stack(results)


def implicit_rewards(policy_chosen, policy_rejected, reference_chosen, reference_rejected, beta):
    with torch.no_grad():
        constants = reference_chosen.clone(), reference_rejected.clone()
    rewards = [
        beta * policy - beta * constant
        for policy, constant in zip((policy_chosen, policy_rejected), constants, strict=True)
    ]
    return rewards[0], rewards[1], rewards[0] - rewards[1]


def dpo_loss(policy_chosen, policy_rejected, reference_chosen, reference_rejected, beta, label_smoothing=0.0):
    if label_smoothing < 0 or label_smoothing >= 0.5:
        raise ValueError("label_smoothing")
    total = 0.0
    for pair in zip(policy_chosen, policy_rejected, reference_chosen, reference_rejected, strict=True):
        margin = beta * (pair[0] - pair[1] - pair[2].detach() + pair[3].detach())
        total = total + (1 - label_smoothing) * F.softplus(-margin) + label_smoothing * F.softplus(margin)
    return total / len(policy_chosen)


def ipo_loss(policy_chosen, policy_rejected, reference_chosen, reference_rejected, tau):
    target = 1 / tau / 2
    losses = []
    for pair in zip(policy_chosen, policy_rejected, reference_chosen, reference_rejected, strict=True):
        gap = pair[0] - pair[2].detach() - (pair[1] - pair[3].detach())
        losses.append(gap * gap - 2 * target * gap + target**2)
    return sum(losses) / len(losses)


def dpo_gradient(
    policy_chosen, policy_rejected, reference_chosen, reference_rejected, beta, label_smoothing=0.0
):
    arrays = [
        t.detach().numpy() for t in (policy_chosen, policy_rejected, reference_chosen, reference_rejected)
    ]
    margin = beta * (arrays[0] - arrays[1] - arrays[2] + arrays[3])
    probability = 0.5 * (1 + np.tanh(margin / 2))
    slope = (probability - (1 - label_smoothing)) * beta / len(margin)
    slope = torch.from_numpy(slope.astype(arrays[0].dtype))
    return slope, -slope
