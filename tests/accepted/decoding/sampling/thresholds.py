"""Every filter as a threshold on logits or probabilities; top-p from the least likely token up, the draw by searchsorted."""

import torch
from torch import Tensor

NEVER = float("-inf")


def apply_repetition_penalty(logits: Tensor, ids: Tensor, penalty: float) -> Tensor:
    chosen = torch.gather(logits, 1, ids)
    factor = torch.ones_like(chosen)
    factor[chosen < 0], factor[chosen >= 0] = penalty, 1 / penalty
    # A token that occurs twice is written twice, with the same value.
    return logits.scatter(1, ids, chosen * factor)


def filter_logits(
    logits: Tensor, top_k: int | None = None, top_p: float | None = None, min_p: float | None = None
) -> Tensor:
    if top_k is not None:
        if top_k < 1:
            raise ValueError(top_k)
        ranked, _ = torch.sort(logits, dim=1)
        border = ranked[:, max(ranked.size(1) - top_k, 0)].unsqueeze(1)
        logits = torch.where(logits >= border, logits, NEVER)
    if top_p is not None:
        if not (top_p > 0 and top_p <= 1):
            raise ValueError(top_p)
        ascending = torch.argsort(logits, dim=1)
        tail = torch.cumsum(torch.softmax(logits, 1).gather(1, ascending).double(), 1)
        stays = tail > 1 - top_p
        stays[:, -1] = True
        logits = torch.where(stays.gather(1, torch.argsort(ascending, dim=1)), logits, NEVER)
    if min_p is not None:
        if not (min_p >= 0 and min_p <= 1):
            raise ValueError(min_p)
        # p >= m * p_max, in logarithms
        border = logits.amax(1, keepdim=True) + torch.tensor(float(min_p), dtype=logits.dtype).log()
        logits = torch.where(logits >= border, logits, NEVER)
    return logits


def next_token_probabilities(
    logits: Tensor,
    ids: Tensor,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    min_p: float | None = None,
    repetition_penalty: float = 1.0,
) -> Tensor:
    if temperature < 0.0:
        raise ValueError(temperature)
    logits = apply_repetition_penalty(logits, ids, repetition_penalty)
    if not temperature:
        first = (logits == logits.amax(1, keepdim=True)).cumsum(1).cumsum(1) == 1
        return first.to(logits.dtype)
    return torch.softmax(filter_logits(logits / temperature, top_k, top_p, min_p), 1)


def sample(probabilities: Tensor, draws: Tensor) -> Tensor:
    cdf = probabilities.double().cumsum(1)
    index = torch.searchsorted(cdf, draws.double().unsqueeze(1), right=True).squeeze(1)
    ids = torch.arange(probabilities.size(1)).expand_as(probabilities)
    last = torch.where(probabilities > 0, ids, 0).amax(1)
    return torch.minimum(index, last)
