import torch
from torch import Tensor


def reward_to_go(rewards: Tensor, mask: Tensor, discount: float) -> Tensor:
    dtype = torch.promote_types(rewards.dtype, torch.float32)
    r = torch.where(mask, rewards.to(dtype), 0.0)
    total = torch.zeros_like(r[:, :0].sum(dim=1))
    columns = []
    for t in reversed(range(r.shape[1])):
        total = r[:, t] + discount * total
        columns.append(total)
    if not columns:
        return rewards.clone()
    return torch.stack(columns[::-1], dim=1).to(rewards.dtype)


def reinforce_loss(
    logits: Tensor, actions: Tensor, returns: Tensor, baseline: Tensor, mask: Tensor, discount: float
) -> Tensor:
    dtype = torch.promote_types(logits.dtype, torch.float32)
    advantage = returns.detach().to(dtype) - baseline.detach().to(dtype)
    steps = torch.arange(logits.shape[1], device=logits.device, dtype=torch.float64)
    weight = advantage * (discount**steps).to(dtype)
    weight = torch.where(mask, weight, 0.0)
    safe = torch.where(mask[..., None], logits.to(dtype), 0.0)
    chosen = safe.log_softmax(dim=-1).gather(-1, actions[..., None])[..., 0]
    return (-(weight * chosen).sum() / logits.shape[0]).to(logits.dtype)


def leave_one_out(returns: Tensor) -> Tensor:
    k = returns.shape[-1]
    if k < 2:
        raise ValueError("a group needs at least two episodes")
    others = (1 - torch.eye(k, dtype=torch.float64, device=returns.device)) / (k - 1)
    return (returns.double() @ others).to(returns.dtype)


def estimate_moments(
    logits: Tensor, states: Tensor, actions: Tensor, weights: Tensor, mask: Tensor, probabilities: Tensor
) -> tuple[Tensor, Tensor]:
    dtype = torch.promote_types(logits.dtype, torch.float32)
    table = logits.to(dtype)
    num_states, num_actions = table.shape
    w = torch.where(mask, weights.detach().to(dtype), 0.0)
    hot = torch.nn.functional.one_hot(actions, num_actions).to(dtype)
    score = w[..., None] * (hot - table.softmax(dim=-1)[states])  # [N, T, A]
    where = torch.nn.functional.one_hot(states, num_states).to(dtype)  # [N, T, S]
    g = torch.einsum("nts,nta->nsa", where, score)
    p = probabilities.to(dtype)
    mean = torch.einsum("n,nsa->sa", p, g)
    variance = (p * ((g - mean) ** 2).sum(dim=(1, 2))).sum()
    return mean.to(logits.dtype), variance.to(logits.dtype)
