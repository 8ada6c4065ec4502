"""As libraries do it: cosines and sines as wide as the head, and a vector with swapped pairs."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

LAYOUTS = {"half": False, "interleaved": True}


def neighbours(layout: str) -> bool:
    try:
        return LAYOUTS[layout]
    except KeyError:
        raise ValueError(layout) from None


def rope_frequencies(head_dim: int, rotary_dim: int | None = None, theta: float = 10000.0) -> Tensor:
    width = rotary_dim if rotary_dim is not None else head_dim
    if width < 2 or width > head_dim or width & 1:
        raise ValueError("the number of rotary columns is wrong")
    return torch.tensor([math.exp(-2 * i * math.log(theta) / width) for i in range(width // 2)])


def swap_pairs(x: Tensor, layout: str) -> Tensor:
    """(a, b) to (-b, a)."""
    if neighbours(layout):
        return torch.stack([-x[..., 1::2], x[..., ::2]], dim=-1).reshape(x.shape)
    middle = x.size(-1) // 2
    return torch.cat([-x[..., middle:], x[..., :middle]], dim=-1)


def apply_rope(x: Tensor, positions: Tensor, frequencies: Tensor, layout: str) -> Tensor:
    per_column = frequencies.repeat_interleave(2) if neighbours(layout) else frequencies.repeat(2)
    angles = positions[..., None, :, None].float() * per_column
    # Columns that stay turn by an angle of zero.
    rest = x.size(-1) - per_column.numel()
    angles = F.pad(angles, (0, rest))
    swapped = F.pad(swap_pairs(x[..., : x.size(-1) - rest], layout), (0, rest))
    return (x * torch.cos(angles) + swapped * torch.sin(angles)).type_as(x)


def convert_layout(weight: Tensor, num_heads: int, rotary_dim: int, to: str) -> Tensor:
    sizes = (rotary_dim // 2, 2) if to == "half" else (2, rotary_dim // 2)
    neighbours(to)
    converted = []
    for head in weight.chunk(num_heads):
        turning, staying = head[:rotary_dim], head[rotary_dim:]
        turning = turning.unflatten(0, sizes).transpose(0, 1).flatten(0, 1)
        converted += [turning, staying]
    return torch.cat(converted)


def relative_scores(q: Tensor, k: Tensor, distances: Tensor, frequencies: Tensor, layout: str) -> Tensor:
    start = 1000
    key = apply_rope(k[:, :, None], torch.tensor([start]), frequencies, layout)
    scores = [
        (apply_rope(q[:, :, None], start + d.reshape(1), frequencies, layout) @ key.mT)[..., 0, 0]
        for d in distances
    ]
    return torch.stack(scores, dim=-1)
