"""As solved from the skeleton alone."""

from collections.abc import Callable

import torch
from torch import Tensor


def draw_token(probabilities: Tensor, draw: float) -> int:
    possible = probabilities.nonzero().flatten()
    passed = int((probabilities[possible].cumsum(0) <= draw).sum())
    return int(possible[min(passed, len(possible) - 1)])


def verify(
    drafted: list[int], draft: Tensor, target: Tensor, draws: list[float], last_draw: float
) -> list[int]:
    gamma = len(drafted)
    if target.shape[0] != gamma + 1:
        raise ValueError(f"{gamma} drafted tokens need {gamma + 1} rows of the target, not {target.shape[0]}")
    for i, token in enumerate(drafted):
        if draws[i] * float(draft[i, token]) < float(target[i, token]):
            continue
        residual = (target[i] - draft[i]).clamp(min=0)
        total = residual.sum()
        # Rounding alone can leave nothing over; then the two rows are as good as equal.
        row = residual / total if total > 0 else target[i]
        return [*drafted[:i], draw_token(row, last_draw)]
    return [*drafted, draw_token(target[gamma], last_draw)]


def speculative_round(
    target_model: Callable[[list[int]], Tensor],
    draft_model: Callable[[list[int]], Tensor],
    prefix: list[int],
    draft_draws: list[float],
    draws: list[float],
    last_draw: float,
) -> list[int]:
    drafted: list[int] = []
    rows = []
    for draw in draft_draws:
        row = draft_model([*prefix, *drafted])[-1]
        rows.append(row)
        drafted.append(draw_token(row, draw))
    target = target_model([*prefix, *drafted])[len(prefix) - 1 :]
    return verify(drafted, torch.stack(rows), target, draws, last_draw)


def expected_tokens(target: Tensor, draft: Tensor, gamma: int) -> float:
    alpha = min(1.0, float(torch.minimum(target, draft).double().sum()))
    return sum(alpha**i for i in range(gamma + 1))
