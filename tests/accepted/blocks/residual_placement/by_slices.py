"""Norms are sorted into those before, behind and after the branches by slices of the list; variances by a loop."""

from torch import Tensor, nn


def residual_stack(
    x: Tensor, branches, norms, placement: str, alpha: float = 1.0, keep=None, drop_prob: float = 0.0
) -> Tensor:
    count = len(branches)
    idle = [nn.Identity()] * count
    if placement in ("post", "deepnorm") and len(norms) == count:
        inner, outer, stream, final = idle, idle, list(norms), nn.Identity()
    elif placement == "pre" and len(norms) == count + 1:
        inner, outer, stream, final = list(norms[:-1]), idle, idle, norms[-1]
    elif placement == "sandwich" and len(norms) == 2 * count + 1:
        inner, outer, stream, final = list(norms[:-1:2]), list(norms[1:-1:2]), idle, norms[-1]
    else:
        raise ValueError(f"{len(norms)} norms and {count} branches don't make {placement}")
    factor = alpha if placement == "deepnorm" else 1
    for i in range(count):
        y = branches[i](inner[i](x))
        if keep is not None:
            y = (y / (1 - drop_prob)).masked_fill(~keep[i], 0)
        x = stream[i](x * factor + outer[i](y))
    return final(x)


def deepnorm_constants(num_layers: int) -> tuple[float, dict[str, float]]:
    gains = dict.fromkeys(("v_proj", "out_proj", "up_proj", "down_proj"), (8 * num_layers) ** (-1 / 4))
    gains.update(q_proj=1.0, k_proj=1.0)
    return (num_layers + num_layers) ** (1 / 4), gains


def residual_std(placement: str, num_branches: int) -> float:
    if placement not in {"post", "pre", "sandwich", "deepnorm"}:
        raise ValueError(f"unknown: {placement}")
    variance = 1.0
    for _ in range(num_branches):
        variance += 1.0
        if placement in {"post", "deepnorm"}:
            variance = 1.0
    return variance**0.5
