"""AdamW on a flat tensor."""

from typing import Any

import torch
from torch import Tensor

State = dict[str, Any]


def adamw(
    params: Tensor,
    grads: Tensor,
    state: State | None,
    lr: float,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: float = 0.01,
) -> tuple[Tensor, State]:
    """Given. One step of AdamW on a flat tensor [n]: the new parameters [n] and the new state.

    The state holds "step", "exp_avg" [n] and "exp_avg_sq" [n]; it is None before the first
    step. (Loshchilov and Hutter 2019, algorithm 2.)
    """
    if state is None:
        state = {"step": 0, "exp_avg": torch.zeros_like(params), "exp_avg_sq": torch.zeros_like(params)}
    step = state["step"] + 1
    exp_avg = betas[0] * state["exp_avg"] + (1 - betas[0]) * grads
    exp_avg_sq = betas[1] * state["exp_avg_sq"] + (1 - betas[1]) * grads * grads
    root = (exp_avg_sq / (1 - betas[1] ** step)).sqrt() + eps
    decayed = params * (1 - lr * weight_decay)
    updated = decayed - lr * (exp_avg / (1 - betas[0] ** step)) / root
    return updated, {"step": step, "exp_avg": exp_avg, "exp_avg_sq": exp_avg_sq}
