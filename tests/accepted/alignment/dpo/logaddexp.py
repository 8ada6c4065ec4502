"""Losses by logaddexp, log-probabilities by cross-entropy with its ignore index, the gradient by where."""

import torch
import torch.nn.functional as F


def sequence_logps(logits, labels):
    if logits.shape[0] != labels.shape[0] or logits.shape[1:2] != labels.shape[1:]:
        raise ValueError("labels must be [B, T]")
    if logits.shape[1] == 1:
        return logits.sum(dim=(1, 2)) * 0
    return -F.cross_entropy(
        logits[:, :-1].transpose(1, 2), labels[:, 1:], ignore_index=-100, reduction="none"
    ).sum(1)


class Margin:
    def __init__(self, policy_chosen, policy_rejected, reference_chosen, reference_rejected):
        self.chosen = policy_chosen - reference_chosen.data
        self.rejected = policy_rejected - reference_rejected.data

    @property
    def gap(self):
        return self.chosen - self.rejected


def implicit_rewards(policy_chosen, policy_rejected, reference_chosen, reference_rejected, beta):
    margin = Margin(policy_chosen, policy_rejected, reference_chosen, reference_rejected)
    return margin.chosen * beta, margin.rejected * beta, margin.gap * beta


def dpo_loss(policy_chosen, policy_rejected, reference_chosen, reference_rejected, beta, label_smoothing=0.0):
    if not 0.0 <= label_smoothing < 0.5:
        raise ValueError
    m = Margin(policy_chosen, policy_rejected, reference_chosen, reference_rejected).gap * beta
    zero = torch.zeros_like(m)
    # -log sigmoid(m) = log(1 + e^-m), and the flipped loss is larger by m.
    return (torch.logaddexp(zero, -m) + label_smoothing * m).mean()


def ipo_loss(policy_chosen, policy_rejected, reference_chosen, reference_rejected, tau):
    gap = Margin(policy_chosen, policy_rejected, reference_chosen, reference_rejected).gap
    return torch.mean(torch.pow(gap - (2 * tau) ** -1, 2))


def dpo_gradient(
    policy_chosen, policy_rejected, reference_chosen, reference_rejected, beta, label_smoothing=0.0
):
    m = beta * Margin(policy_chosen, policy_rejected, reference_chosen, reference_rejected).gap
    small = torch.exp(-m.abs())
    probability = torch.where(m >= 0, 1 / (1 + small), small / (1 + small))
    towards = beta * (probability - 1 + label_smoothing) / len(m)
    return towards, 0 - towards
