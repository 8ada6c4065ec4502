import torch
import torch.nn.functional as F


def sequence_logps(logits, labels):
    B, T, V = logits.shape
    if tuple(labels.shape) != (B, T):
        raise ValueError(f"labels have shape {tuple(labels.shape)}")
    total = torch.zeros(B, dtype=logits.dtype)
    for t in range(1, T):
        y = labels[:, t]
        lp = logits[:, t - 1] - logits[:, t - 1].logsumexp(-1, keepdim=True)
        one = F.one_hot(y.clamp(min=0), V).to(lp.dtype)
        total = total + (lp * one).sum(-1) * (y != -100)
    return total


def implicit_rewards(policy_chosen, policy_rejected, reference_chosen, reference_rejected, beta):
    with torch.no_grad():
        frozen = torch.stack([reference_chosen, reference_rejected])
    r = beta * (torch.stack([policy_chosen, policy_rejected]) - frozen)
    return r[0], r[1], r[0] - r[1]


def dpo_loss(policy_chosen, policy_rejected, reference_chosen, reference_rejected, beta, label_smoothing=0.0):
    if label_smoothing < 0 or label_smoothing >= 0.5:
        raise ValueError("label_smoothing must be in [0, 0.5)")
    m = implicit_rewards(policy_chosen, policy_rejected, reference_chosen, reference_rejected, beta)[2]
    per_pair = -F.logsigmoid(m) + label_smoothing * m  # -log s(-m) = m - log s(m)
    return per_pair.sum() / len(m)


def ipo_loss(policy_chosen, policy_rejected, reference_chosen, reference_rejected, tau):
    h = policy_chosen - policy_rejected - (reference_chosen - reference_rejected).detach()
    return F.mse_loss(h, torch.full_like(h, 0.5 / tau))


def dpo_gradient(
    policy_chosen, policy_rejected, reference_chosen, reference_rejected, beta, label_smoothing=0.0
):
    n = policy_chosen.numel()
    up, down = [], []
    for pw, pl, rw, rl in zip(policy_chosen, policy_rejected, reference_chosen, reference_rejected):
        s = torch.sigmoid(beta * ((pw - rw) - (pl - rl)))
        d = s - (1 - label_smoothing)
        up.append(beta * d / n)
        down.append(-beta * d / n)
    return torch.stack(up), torch.stack(down)
