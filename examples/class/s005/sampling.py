import math

import torch
from torch import Tensor


def apply_repetition_penalty(logits: Tensor, ids: Tensor, penalty: float) -> Tensor:
    seen = torch.zeros_like(logits, dtype=torch.bool).scatter(1, ids, True)
    penalised = torch.where(logits > 0, logits / penalty, logits * penalty)
    return torch.where(seen, penalised, logits)


def filter_logits(
    logits: Tensor, top_k: int | None = None, top_p: float | None = None, min_p: float | None = None
) -> Tensor:
    if top_k is not None and top_k < 1:
        raise ValueError("top_k must be at least 1")
    if top_p is not None and not 0 < top_p <= 1:
        raise ValueError("top_p must be in (0, 1]")
    if min_p is not None and not 0 <= min_p <= 1:
        raise ValueError("min_p must be in [0, 1]")
    V = logits.shape[-1]
    keep = torch.ones_like(logits, dtype=torch.bool)
    scores = logits.detach().to(torch.promote_types(logits.dtype, torch.float32))

    def probabilities() -> Tensor:
        return scores.masked_fill(~keep, -math.inf).softmax(-1)

    if top_k is not None:
        last = scores.topk(min(top_k, V), dim=-1).values[:, -1:]
        keep = keep & (scores >= last)
    if top_p is not None and top_p < 1:  # 1 keeps all; rounding must not cut the tail
        p, order = probabilities().sort(dim=-1, descending=True, stable=True)
        before = torch.cat([torch.zeros_like(p[:, :1]), p.cumsum(-1)[:, :-1]], dim=-1)
        in_set = before < top_p
        keep = keep & torch.zeros_like(keep).scatter(1, order, in_set)
    if min_p is not None:
        p = probabilities()
        keep = keep & (p >= min_p * p.amax(-1, keepdim=True))
    return logits.masked_fill(~keep, -math.inf)


def next_token_probabilities(
    logits: Tensor,
    ids: Tensor,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    min_p: float | None = None,
    repetition_penalty: float = 1.0,
) -> Tensor:
    if not temperature >= 0:
        raise ValueError("temperature must not be negative")
    scores = apply_repetition_penalty(logits, ids, repetition_penalty)
    if temperature == 0:
        best = scores.argmax(-1, keepdim=True)
        return torch.zeros_like(scores).scatter(1, best, 1.0)
    scores = scores.double()
    scores = (
        scores - scores.detach().amax(-1, keepdim=True)
    ) / temperature  # no overflow for tiny temperatures
    scores = scores.to(torch.promote_types(logits.dtype, torch.float32))
    return filter_logits(scores, top_k, top_p, min_p).softmax(-1).to(logits.dtype)


def sample(probabilities: Tensor, draws: Tensor) -> Tensor:
    V = probabilities.shape[-1]
    p = probabilities.to(torch.promote_types(probabilities.dtype, torch.float32))
    passed = (p.cumsum(-1) <= draws.to(p.dtype).unsqueeze(-1)).sum(-1)
    torch.where(p > 0, torch.arange(V, device=p.device), -1).amax(-1)
    return passed.clamp(max=V - 1)
