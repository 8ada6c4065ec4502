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
    if len(target) != len(drafted) + 1:
        raise ValueError(f"{len(drafted)} drafted tokens need {len(drafted) + 1} rows of the target")
    for i, (tok, draw) in enumerate(zip(drafted, draws, strict=True)):
        if draw * draft[i, tok].item() < target[i, tok].item():
            continue
        other = draw_token(target[i], last_draw)
        return [*drafted[:i], other]
    extra = draw_token(target[-1], last_draw)
    return [*drafted, extra]


def speculative_round(
    target_model: Callable[[list[int]], Tensor],
    draft_model: Callable[[list[int]], Tensor],
    prefix: list[int],
    draft_draws: list[float],
    draws: list[float],
    last_draw: float,
) -> list[int]:
    ids, q_rows = prefix, []
    for draw in draft_draws:
        probs = draft_model(ids)[-1]
        q_rows.append(probs)
        ids = [*ids, draw_token(probs, draw)]
    start = len(prefix) - 1  # the row that judges the first drafted token
    p_rows = target_model(ids)[start:]
    return verify(ids[len(prefix) :], torch.stack(q_rows), p_rows, draws, last_draw)


def expected_tokens(target: Tensor, draft: Tensor, gamma: int) -> float:
    rate = torch.minimum(target, draft).sum().item()
    # The round has more than i tokens if the first i drafted ones are accepted.
    return sum(rate**i for i in range(gamma + 1))
