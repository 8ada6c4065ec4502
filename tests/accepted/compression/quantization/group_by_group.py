"""One group after the other, numbers as Python floats, sums in NumPy's int64."""

import numpy as np
import torch
from torch import Tensor


def _check(bits: int) -> None:
    if bits < 2 or bits > 8:
        raise ValueError("bits must be between 2 and 8")


def quantize_symmetric(weight: Tensor, bits: int = 8, group_size: int | None = None) -> tuple[Tensor, Tensor]:
    _check(bits)
    top = 2 ** (bits - 1) - 1
    n_in = weight.size(1)
    step = n_in if group_size is None else group_size
    codes, scales = [], []
    for row in weight.tolist():
        row_codes, row_scales = [], []
        for start in range(0, n_in, step):
            group = row[start : start + step]
            largest = max(abs(value) for value in group)
            scale = largest / top if largest else 1.0
            row_scales.append(scale)
            row_codes += [max(-top, min(top, round(value / scale))) for value in group]
        codes.append(row_codes)
        scales.append(row_scales)
    return torch.tensor(codes, dtype=torch.int8), torch.tensor(scales, dtype=weight.dtype)


def quantize_affine(weight: Tensor, bits: int = 8) -> tuple[Tensor, Tensor, Tensor]:
    _check(bits)
    levels = 1 << bits
    codes, scales, zero_points = [], [], []
    for row in weight.tolist():
        low, high = min([0.0, *row]), max([0.0, *row])
        scale = (high - low) / (levels - 1) if high != low else 1.0
        zero = -levels // 2 - round(low / scale)
        codes.append([min(max(round(value / scale) + zero, -levels // 2), levels // 2 - 1) for value in row])
        scales.append([scale])
        zero_points.append([zero])
    integers = torch.tensor(codes, dtype=torch.int8), torch.tensor(zero_points, dtype=torch.int8)
    return integers[0], torch.tensor(scales, dtype=weight.dtype), integers[1]


def int8_matmul(x_codes: Tensor, x_scales: Tensor, weight_codes: Tensor, weight_scales: Tensor) -> Tensor:
    sums = x_codes.numpy().astype(np.int64) @ weight_codes.numpy().astype(np.int64).T
    return torch.from_numpy(sums).to(x_scales.dtype) * (x_scales @ weight_scales.T)


def stored_bytes(
    rows: int,
    columns: int,
    bits: int,
    group_size: int | None = None,
    affine: bool = False,
    scale_bytes: int = 4,
) -> int:
    code_bytes = -(-rows * columns // 2) if bits == 4 else rows * columns
    groups_in_row = 1 if group_size is None else (columns + group_size - 1) // group_size
    per_group = scale_bytes + 1 if affine else scale_bytes
    return code_bytes + rows * groups_in_row * per_group
