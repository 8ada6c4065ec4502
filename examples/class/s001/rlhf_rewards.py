import torch
from torch import Tensor


def token_rewards(
    scores: Tensor, logps: Tensor, ref_logps: Tensor, response_mask: Tensor, beta: float
) -> Tensor:
    counts = response_mask == 1
    positions = torch.arange(counts.shape[1], device=counts.device)
    last = torch.where(counts, positions, -1).amax(dim=1, keepdim=True)
    penalty = -beta * (logps - ref_logps).detach()
    penalty = torch.where(positions == last, penalty + scores.detach()[:, None], penalty)
    return torch.where(counts, penalty, torch.zeros_like(penalty))


def kl_estimates(logps: Tensor, ref_logps: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    log_rho = ref_logps - logps
    return -log_rho, 0.5 * log_rho**2, torch.expm1(log_rho) - log_rho


def masked_whiten(values: Tensor, mask: Tensor, shift_mean: bool = True) -> Tensor:
    counts = mask == 1
    n = int(counts.sum())
    if n < 2:
        raise ValueError("fewer than two values count")
    x = torch.where(counts, values, 0.0)
    if x.dtype in (torch.bfloat16, torch.float16):
        x = x.float()
    mean = x.sum() / n
    centred = torch.where(counts, x - mean, 0.0)
    out = centred / torch.sqrt((centred**2).sum() / (n - 1) + 1e-8)
    if not shift_mean:
        out = out + mean
    return torch.where(counts, out, 0.0).to(values.dtype)


def next_beta(beta: float, kl: float, target: float, num_sequences: int, horizon: int) -> float:
    e = min(max(kl / target - 1, -0.2), 0.2)
    return beta * (1 + e * num_sequences / horizon)
