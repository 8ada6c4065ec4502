import torch
import torch.nn.functional as F
from torch import Tensor


def sequence_rewards(
    hidden: Tensor, head: Tensor, ids: Tensor, attention_mask: Tensor, pad_id: int
) -> Tensor:
    if not attention_mask.any(dim=-1).all():
        raise ValueError("a row has no real token to read a reward at")
    batch_size, length = attention_mask.shape
    positions = torch.arange(length, device=attention_mask.device)
    # The largest position that counts, wherever the padding is.
    last = (positions * (ids != pad_id)).amax(dim=-1)
    rows = torch.arange(batch_size, device=attention_mask.device)
    last_hidden = hidden[rows, last]  # [B, C]
    return last_hidden @ head


def pairwise_loss(chosen: Tensor, rejected: Tensor) -> tuple[Tensor, Tensor]:
    margins = chosen - rejected
    loss = -F.logsigmoid(margins).mean()
    right = margins > 0
    accuracy = right.to(margins.dtype).mean()
    return loss, accuracy


def ranking_loss(rewards: Tensor, counts: list[int]) -> Tensor:
    prompt_losses = []
    for ranked in rewards.split(counts):
        count = len(ranked)
        better, worse = torch.triu_indices(count, count, offset=1)  # all i < j
        margins = ranked[better] - ranked[worse]
        prompt_losses.append(-F.logsigmoid(margins).mean())
    return torch.stack(prompt_losses).mean()
    # END SOLUTION
