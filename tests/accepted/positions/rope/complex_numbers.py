"""Pairs as complex numbers: a turn is one multiplication, and conversion an index for every row."""

import cmath

import numpy as np
import torch


def _known(layout):
    if layout not in {"half", "interleaved"}:
        raise ValueError(f"no layout {layout!r}")
    return layout


def rope_frequencies(head_dim, rotary_dim=None, theta=10000.0):
    if rotary_dim is None:
        rotary_dim = head_dim
    if rotary_dim not in range(2, head_dim + 1, 2):
        raise ValueError(f"{rotary_dim} of {head_dim} columns can't turn in pairs")
    return torch.from_numpy((1 / theta ** (np.arange(0, rotary_dim, 2) / rotary_dim)).astype(np.float32))


def _partners(layout, pairs):
    """Columns of the first and of the second members."""
    first = torch.arange(pairs)
    return (first, first + pairs) if _known(layout) == "half" else (2 * first, 2 * first + 1)


def apply_rope(x, positions, frequencies, layout):
    first, second = _partners(layout, len(frequencies))
    wide = x.to(torch.promote_types(x.dtype, torch.float32))
    phase = torch.einsum("...t,f->...tf", positions.to(torch.float32), frequencies.to(torch.float32))
    phase = phase.reshape(-1, 1, *phase.shape[-2:])
    pairs = torch.complex(wide[..., first], wide[..., second])
    turned = pairs * torch.polar(torch.ones_like(phase), phase)
    result = x.clone()
    result[..., first] = turned.real.to(x.dtype)
    result[..., second] = turned.imag.to(x.dtype)
    return result


def convert_layout(weight, num_heads, rotary_dim, to):
    target = torch.cat(_partners(to, rotary_dim // 2))
    source = torch.cat(_partners("interleaved" if to == "half" else "half", rotary_dim // 2))
    result = weight.clone()
    head_dim = weight.shape[0] // num_heads
    for head in range(num_heads):
        result[head * head_dim + target] = weight[head * head_dim + source]
    return result


def relative_scores(q, k, distances, frequencies, layout):
    first, second = _partners(layout, len(frequencies))
    product = torch.complex(q[..., first], q[..., second]) * torch.complex(k[..., first], -k[..., second])
    turns = torch.tensor(
        [[cmath.exp(1j * d * f) for d in distances.tolist()] for f in frequencies.tolist()]
    ).to(product.dtype)
    rotary_dim = 2 * len(frequencies)
    content = (q[..., rotary_dim:] * k[..., rotary_dim:]).sum(-1, keepdim=True)
    return (product @ turns).real + content
