import torch
import torch.nn.functional as F
from torch import Tensor


def sequence_rewards(
    hidden: Tensor, head: Tensor, ids: Tensor, attention_mask: Tensor, pad_id: int
) -> Tensor:
    real = attention_mask == 1
    if not bool(real.any(dim=1).all()):
        raise ValueError("a row has no real token")
    positions = torch.arange(real.shape[1], device=real.device)
    last = torch.where(real, positions, -1).amax(dim=1)
    rows = torch.arange(real.shape[0], device=real.device)
    return hidden[rows, last] @ head


def pairwise_loss(chosen: Tensor, rejected: Tensor) -> tuple[Tensor, Tensor]:
    loss = -F.logsigmoid(chosen - rejected).mean()
    accuracy = (chosen > rejected).float().mean().to(chosen.dtype)
    return loss, accuracy


def ranking_loss(rewards: Tensor, counts: list[int]) -> Tensor:
    losses = []
    for r in torch.split(rewards, list(counts)):
        i, j = torch.triu_indices(len(r), len(r), offset=1, device=r.device)
        losses.append(-F.logsigmoid(r[i] - r[j]).mean())
    return torch.stack(losses).mean()
