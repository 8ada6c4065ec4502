"""As solved from the skeleton alone."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor


def residual_stack(
    x: Tensor,
    branches: Sequence[Callable[[Tensor], Tensor]],
    norms: Sequence[Callable[[Tensor], Tensor]],
    placement: str,
    alpha: float = 1.0,
    keep: Sequence[Tensor] | None = None,
    drop_prob: float = 0.0,
) -> Tensor:
    n = len(branches)
    wanted = {"post": n, "deepnorm": n, "pre": n + 1, "sandwich": 2 * n + 1}
    if placement not in wanted:
        raise ValueError(f"unknown placement {placement!r}")
    if len(norms) != wanted[placement]:
        raise ValueError(f"{placement} with {n} branches needs {wanted[placement]} norms, got {len(norms)}")

    todo = iter(norms)
    for i, branch in enumerate(branches):
        norm_first = placement in ("pre", "sandwich")
        y = branch(next(todo)(x) if norm_first else x)
        if keep is not None:
            y = torch.where(keep[i], y / (1 - drop_prob), torch.zeros_like(y))
        if placement == "sandwich":
            y = next(todo)(y)
        skip = alpha * x if placement == "deepnorm" else x
        x = skip + y
        if not norm_first:
            x = next(todo)(x)
    for norm in todo:  # the final norm of pre and sandwich
        x = norm(x)
    return x


def deepnorm_constants(num_layers: int) -> tuple[float, dict[str, float]]:
    alpha = (2 * num_layers) ** 0.25
    beta = (8 * num_layers) ** -0.25
    gains = {"q_proj": 1.0, "k_proj": 1.0}
    gains.update(dict.fromkeys(("v_proj", "out_proj", "up_proj", "down_proj"), beta))
    return alpha, gains


def residual_std(placement: str, num_branches: int) -> float:
    if placement in ("post", "deepnorm"):
        return 1.0
    if placement in ("pre", "sandwich"):
        return (1 + num_branches) ** 0.5
    raise ValueError(f"unknown placement {placement!r}")
