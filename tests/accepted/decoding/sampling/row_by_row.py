"""Plain Python over rows and tokens: lists, sorted() and running sums."""

import math

import torch
from torch import Tensor


def apply_repetition_penalty(logits: Tensor, ids: Tensor, penalty: float) -> Tensor:
    result = logits.clone()
    for row, used in zip(result, ids.tolist(), strict=True):
        for token in set(used):
            row[token] = row[token] * penalty if row[token] < 0 else row[token] / penalty
    return result


def shares(row: list[float]) -> list[float]:
    best = max(row)
    weights = [math.exp(logit - best) for logit in row]
    return [weight / sum(weights) for weight in weights]


def keep(row: list[float], ids: set[int]) -> list[float]:
    return [logit if token in ids else -math.inf for token, logit in enumerate(row)]


def filter_row(row: list[float], top_k: int | None, top_p: float | None, min_p: float | None) -> list[float]:
    everything = range(len(row))
    if top_k is not None:
        border = sorted(row, reverse=True)[:top_k][-1]
        row = keep(row, {token for token in everything if row[token] >= border})
    if top_p is not None:
        probabilities, chosen, mass = shares(row), set(), 0.0
        for token in sorted(everything, key=lambda token: -probabilities[token]):
            if mass >= top_p:
                break
            chosen.add(token)
            mass += probabilities[token]
        row = keep(row, chosen)
    if min_p is not None:
        probabilities = shares(row)
        row = keep(row, {t for t in everything if probabilities[t] >= min_p * max(probabilities)})
    return row


def filter_logits(
    logits: Tensor, top_k: int | None = None, top_p: float | None = None, min_p: float | None = None
) -> Tensor:
    if top_k is not None and top_k <= 0:
        raise ValueError("top_k counts tokens")
    if top_p is not None and (top_p <= 0 or top_p > 1):
        raise ValueError("top_p is a probability above 0")
    if min_p is not None and (min_p < 0 or min_p > 1):
        raise ValueError("min_p is a share")
    rows = [filter_row(row, top_k, top_p, min_p) for row in logits.tolist()]
    return torch.tensor(rows, dtype=logits.dtype)


def next_token_probabilities(
    logits: Tensor,
    ids: Tensor,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    min_p: float | None = None,
    repetition_penalty: float = 1.0,
) -> Tensor:
    if temperature < 0:
        raise ValueError("temperature can't be below 0")
    scores = apply_repetition_penalty(logits, ids, repetition_penalty)
    if temperature == 0:
        winners = [row.index(max(row)) for row in scores.tolist()]
        return torch.eye(logits.shape[1], dtype=logits.dtype)[winners]
    filtered = filter_logits(scores / temperature, top_k, top_p, min_p)
    return torch.tensor([shares(row) for row in filtered.tolist()], dtype=logits.dtype)


def sample(probabilities: Tensor, draws: Tensor) -> Tensor:
    tokens = []
    for row, draw in zip(probabilities.tolist(), draws.tolist(), strict=True):
        reached, taken = 0.0, -1
        for token, probability in enumerate(row):
            if probability == 0:
                continue
            taken = token
            reached += probability
            if reached > draw:
                break
        tokens.append(taken)
    return torch.tensor(tokens)
