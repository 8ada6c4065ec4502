"""Groups as slices that are joined again, everything scaled to the largest code, the product in float64."""

import torch
from torch import Tensor


def _whole_rows(weight: Tensor, top: int) -> tuple[Tensor, Tensor]:
    scale = torch.linalg.vector_norm(weight, ord=torch.inf, dim=-1, keepdim=True) / top
    scale[scale == 0] = 1
    return (weight / scale).round().clip(-top, top).char(), scale


def quantize_symmetric(weight: Tensor, bits: int = 8, group_size: int | None = None) -> tuple[Tensor, Tensor]:
    if bits not in range(2, 9):
        raise ValueError(f"{bits} bits")
    pieces = weight.split(group_size or weight.shape[-1], dim=-1)
    codes, scales = zip(*(_whole_rows(piece, (1 << bits - 1) - 1) for piece in pieces), strict=True)
    return torch.cat(codes, -1), torch.cat(scales, -1)


def quantize_affine(weight: Tensor, bits: int = 8) -> tuple[Tensor, Tensor, Tensor]:
    if bits not in range(2, 9):
        raise ValueError(f"{bits} bits")
    with_zero = torch.cat([weight, weight.new_zeros(weight.shape[0], 1)], dim=1)
    low, high = torch.aminmax(with_zero, dim=1, keepdim=True)
    half = 1 << bits - 1
    scale = (high - low).div(2 * half - 1)
    scale = scale.masked_fill(scale == 0, 1.0)
    zero = -half + (-low / scale).round()
    codes = torch.clip((weight / scale).round() + zero, -half, half - 1)
    return codes.char(), scale, zero.char()


def int8_matmul(x_codes: Tensor, x_scales: Tensor, weight_codes: Tensor, weight_scales: Tensor) -> Tensor:
    sums = torch.einsum("mk,nk->mn", x_codes.double(), weight_codes.double())  # exact below 2^53
    return (sums * x_scales * weight_scales.squeeze(1)).to(x_scales.dtype)


def stored_bytes(
    rows: int,
    columns: int,
    bits: int,
    group_size: int | None = None,
    affine: bool = False,
    scale_bytes: int = 4,
) -> int:
    size = min(group_size or columns, columns)
    groups = rows * len(range(0, columns, size))
    return (rows * columns * bits + 7) // 8 + groups * scale_bytes + (groups if affine else 0)
