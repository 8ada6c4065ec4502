"""Whole tensors: the end of a response is where the count of its tokens from the right is one."""

import torch


@torch.no_grad()
def token_rewards(scores, logps, ref_logps, response_mask, beta):
    is_response = response_mask > 0
    still_to_come = response_mask.flip(-1).cumsum(-1).flip(-1)
    is_last = is_response & (still_to_come == 1)
    penalty = torch.where(is_response, beta * (logps - ref_logps), torch.zeros_like(logps))
    return torch.where(is_last, scores[:, None] - penalty, -penalty)


def kl_estimates(logps, ref_logps):
    x = ref_logps - logps
    return x.neg(), x.pow(2).mul(0.5), torch.expm1(x) - x


def masked_whiten(values, mask, shift_mean=True):
    weights = mask.to(values.dtype)
    n = weights.sum().item()
    if n < 2:
        raise ValueError("at least two values must count")
    mean = torch.sum(weights * values) / n
    centred = weights * (values - mean)
    spread = (centred.pow(2).sum() / (n - 1) + 1e-8).sqrt()
    return centred / spread + (0 if shift_mean else weights * mean)


def next_beta(beta, kl, target, num_sequences, horizon):
    error = kl / target - 1
    if abs(error) > 0.2:
        error = 0.2 if error > 0 else -0.2
    return beta * (horizon + error * num_sequences) / horizon
