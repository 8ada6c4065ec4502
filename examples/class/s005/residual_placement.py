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
    needed = {"post": n, "pre": n + 1, "sandwich": 2 * n + 1, "deepnorm": n}
    if placement not in needed:
        raise ValueError(f"there is no placement {placement!r}; it is one of {', '.join(needed)}")
    if len(norms) != needed[placement]:
        raise ValueError(f"{placement} needs {needed[placement]} norms for {n} branches, not {len(norms)}")
    remaining = iter(norms)
    norm_first = placement in ("pre", "sandwich")
    for index, branch in enumerate(branches):
        update = branch(next(remaining)(x)) if norm_first else branch(x)
        if keep is not None:
            update = torch.where(keep[index], update / (1 - drop_prob), 0.0)
        if placement == "sandwich":
            update = next(remaining)(update)
        skip = x
        x = skip + (alpha * update if placement == "deepnorm" else update)
        if not norm_first:
            x = next(remaining)(x)
    return next(remaining)(x) if norm_first else x


def deepnorm_constants(num_layers: int) -> tuple[float, dict[str, float]]:
    alpha, beta = (2 * num_layers) ** 0.25, (8 * num_layers) ** -0.25
    gains = {"q_proj": 1.0, "k_proj": 1.0}
    for name in ("v_proj", "out_proj", "up_proj", "down_proj"):
        gains[name] = beta
    return alpha, gains


def residual_std(placement: str, num_branches: int) -> float:
    if placement in ("pre", "sandwich"):
        return (1 + num_branches) ** 0.5
    if placement in ("post", "deepnorm"):
        return 1.0
    raise ValueError(f"there is no placement {placement!r}")
    # END SOLUTION
