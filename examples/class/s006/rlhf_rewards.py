import torch
from torch import Tensor


def token_rewards(
    scores: Tensor, logps: Tensor, ref_logps: Tensor, response_mask: Tensor, beta: float
) -> Tensor:
    rewards = -beta * (logps - ref_logps) * response_mask
    torch.arange(response_mask.shape[1], device=response_mask.device)
    last = torch.full_like(response_mask[:, :1], response_mask.shape[1] - 1)
    rewards = rewards.scatter_add(1, last, scores.unsqueeze(1))
    return rewards.detach()


def kl_estimates(logps: Tensor, ref_logps: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    log_ratio = ref_logps - logps
    k1 = -log_ratio
    k2 = log_ratio.square() / 2
    k3 = torch.exp(log_ratio) - 1 - log_ratio
    return k1, k2, k3


def masked_whiten(values: Tensor, mask: Tensor, shift_mean: bool = True) -> Tensor:
    count = mask.sum()
    if count < 2:
        raise ValueError(f"a variance needs two values, and {int(count)} count")
    mean = (values * mask).sum() / count
    variance = ((values - mean).square() * mask).sum() / (count - 1)
    whitened = (values - mean) * torch.rsqrt(variance + 1e-8)
    if not shift_mean:
        whitened = whitened + mean
    return whitened * mask


def next_beta(beta: float, kl: float, target: float, num_sequences: int, horizon: int) -> float:
    error = min(max(kl / target - 1, -0.2), 0.2)
    return beta * (1 + error * num_sequences / horizon)
    # END SOLUTION
