"""Whole tensors: one-hot labels in an einsum, logsumexp and logaddexp, every function complete in itself."""

import torch
from torch import Tensor


def sequence_logps(logits: Tensor, labels: Tensor) -> Tensor:
    batch, length, vocab = logits.shape
    if labels.shape != (batch, length):
        raise ValueError(f"expected labels of shape {(batch, length)}, got {tuple(labels.shape)}")
    # Moving the labels to the left keeps T positions; the last one gets no label.
    following = torch.full_like(labels, -100)
    following[:, : length - 1] = labels[:, 1:]
    one_hot = (following[..., None] == torch.arange(vocab)).to(logits.dtype)
    normaliser = torch.logsumexp(logits, dim=-1)
    return torch.einsum("btv,btv->b", one_hot, logits) - torch.einsum("btv,bt->b", one_hot, normaliser)


def _gap(policy_chosen, policy_rejected, reference_chosen, reference_rejected):
    policy = torch.stack([policy_chosen, policy_rejected])
    reference = torch.stack([reference_chosen, reference_rejected]).detach()
    return policy - reference


def implicit_rewards(policy_chosen, policy_rejected, reference_chosen, reference_rejected, beta):
    rewards = _gap(policy_chosen, policy_rejected, reference_chosen, reference_rejected).mul(beta)
    chosen, rejected = rewards.unbind()
    return chosen, rejected, chosen.sub(rejected)


def dpo_loss(policy_chosen, policy_rejected, reference_chosen, reference_rejected, beta, label_smoothing=0.0):
    if not (label_smoothing >= 0 and label_smoothing < 0.5):
        raise ValueError("label_smoothing must be at least 0 and below 0.5")
    chosen, rejected = _gap(policy_chosen, policy_rejected, reference_chosen, reference_rejected)
    logits = beta * (chosen - rejected)
    target = torch.full_like(logits, 1 - label_smoothing)
    return torch.nn.functional.binary_cross_entropy_with_logits(logits, target)


def ipo_loss(policy_chosen, policy_rejected, reference_chosen, reference_rejected, tau):
    chosen, rejected = _gap(policy_chosen, policy_rejected, reference_chosen, reference_rejected)
    gap = chosen - rejected
    return torch.nn.functional.mse_loss(gap, torch.full_like(gap, 0.5 / tau))


def dpo_gradient(
    policy_chosen, policy_rejected, reference_chosen, reference_rejected, beta, label_smoothing=0.0
):
    chosen, rejected = _gap(policy_chosen, policy_rejected, reference_chosen, reference_rejected)
    surplus = torch.special.expit(beta * (chosen - rejected)) + label_smoothing - 1
    scaled = surplus.mul(beta).div(policy_chosen.shape[0])
    return scaled, scaled.neg()
