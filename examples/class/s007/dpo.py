import torch
import torch.nn.functional as F


def sequence_logps(logits, labels):
    if labels.shape != logits.shape[:-1]:
        raise ValueError("labels must be [B, T]")
    logp = F.log_softmax(logits, dim=-1)
    ok = labels.ne(-100)
    picked = logp.gather(2, labels.where(ok, 0).unsqueeze(2)).squeeze(2)
    return torch.where(ok, picked, 0.0).sum(1)


def implicit_rewards(policy_chosen, policy_rejected, reference_chosen, reference_rejected, beta):
    r_w = (policy_chosen - reference_chosen.detach()).mul(beta)
    r_l = (policy_rejected - reference_rejected.detach()).mul(beta)
    return r_w, r_l, r_w - r_l


def dpo_loss(policy_chosen, policy_rejected, reference_chosen, reference_rejected, beta, label_smoothing=0.0):
    if label_smoothing < 0 or label_smoothing >= 0.5:
        raise ValueError("label_smoothing must be in [0, 0.5)")
    m = implicit_rewards(policy_chosen, policy_rejected, reference_chosen, reference_rejected, beta)[2]
    return torch.mean((1 - label_smoothing) * F.softplus(-m) + label_smoothing * F.softplus(m))


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
