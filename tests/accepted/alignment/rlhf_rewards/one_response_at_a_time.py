"""Each response for itself, with plain indexing; the statistics are those of the values picked out by the mask."""

import numpy as np
import torch


def token_rewards(scores, logps, ref_logps, response_mask, beta):
    rewards = torch.zeros_like(logps)
    with torch.no_grad():
        for row in range(len(scores)):
            places = torch.nonzero(response_mask[row]).flatten()
            rewards[row, places] = beta * (ref_logps[row, places] - logps[row, places])
            rewards[row, places[-1]] += scores[row]
    return rewards


def kl_estimates(logps, ref_logps):
    ratio = torch.exp(ref_logps - logps)
    difference = logps - ref_logps
    return difference, 0.5 * difference**2, (ratio - 1) + difference


def masked_whiten(values, mask, shift_mean=True):
    picked = values[mask.bool()]
    if picked.numel() <= 1:
        raise ValueError("no variance")
    deviation, mean = torch.std_mean(picked)
    scaled = (picked - mean) / torch.sqrt(deviation**2 + 1e-8)
    whitened = torch.zeros_like(values)
    whitened[mask.bool()] = scaled if shift_mean else scaled + mean
    return whitened


def next_beta(beta, kl, target, num_sequences, horizon):
    error = float(np.clip((kl - target) / target, -0.2, 0.2))
    return beta + beta * error * (num_sequences / horizon)
