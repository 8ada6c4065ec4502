import math

import torch
import torch.nn.functional as F
from torch import Tensor


def dequantize(
    codes: Tensor, scales: Tensor, zero_points: Tensor | None = None, group_size: int | None = None
) -> Tensor:
    columns = codes.shape[1]

    def widen(small: Tensor) -> Tensor:
        return small.repeat_interleave(group_size or columns, dim=1)[:, :columns]

    shifted = codes.to(scales.dtype)
    if zero_points is not None:
        shifted = shifted - widen(zero_points)
    return widen(scales) * shifted


def quantize_symmetric(weight: Tensor, bits: int = 8, group_size: int | None = None) -> tuple[Tensor, Tensor]:
    if not 2 <= bits <= 8:
        raise ValueError(f"codes of {bits} bits can't be stored in int8")
    qmax = 2 ** (bits - 1) - 1
    rows, columns = weight.shape
    width = group_size or columns
    parts = F.pad(weight, (0, -columns % width)).reshape(rows, -1, width)  # zeros leave a maximum as it is
    absmax = parts.abs().amax().expand(rows, parts.shape[1])
    scales = torch.where(absmax > 0, absmax / qmax, 1.0)
    full_scales = scales.repeat_interleave(width, dim=1)[:, :columns]
    codes = torch.round(weight / full_scales)
    return codes.to(torch.int8), scales


def quantize_affine(weight: Tensor, bits: int = 8) -> tuple[Tensor, Tensor, Tensor]:
    if not 2 <= bits <= 8:
        raise ValueError(f"codes of {bits} bits do not fit")
    qmin, qhigh = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    lo = weight.amin(dim=1, keepdim=True).clamp(max=0)
    hi = weight.amax(dim=1, keepdim=True).clamp(min=0)
    scales = torch.where(hi > lo, (hi - lo) / (qhigh - qmin), 1.0)
    zero_points = qmin - torch.round(lo / scales)
    codes = (torch.round(weight / scales) + zero_points).clamp(qmin, qhigh)
    return codes.to(torch.int8), scales, zero_points.to(torch.int8)


def int8_matmul(x_codes: Tensor, x_scales: Tensor, weight_codes: Tensor, weight_scales: Tensor) -> Tensor:
    acc = x_codes.int() @ weight_codes.int().T
    return acc * x_scales * weight_scales.T


def stored_bytes(
    rows: int,
    columns: int,
    bits: int,
    group_size: int | None = None,
    affine: bool = False,
    scale_bytes: int = 4,
) -> int:
    parts = rows * math.ceil(columns / (group_size or columns))
    code_bytes = math.ceil(rows * columns * bits / 8)
    return code_bytes + parts * (scale_bytes + affine)
