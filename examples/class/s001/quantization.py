import torch
import torch.nn.functional as F
from torch import Tensor


def dequantize(
    codes: Tensor, scales: Tensor, zero_points: Tensor | None = None, group_size: int | None = None
) -> Tensor:
    columns = codes.shape[1]

    def spread(per_group: Tensor) -> Tensor:
        return per_group.repeat_interleave(group_size or columns, dim=1)[:, :columns]

    steps = codes.to(scales.dtype)
    if zero_points is not None:
        steps = steps - spread(zero_points)
    return spread(scales) * steps


def quantize_symmetric(weight: Tensor, bits: int = 8, group_size: int | None = None) -> tuple[Tensor, Tensor]:
    if not 2 <= bits <= 8:
        raise ValueError(f"bits must be from 2 to 8, not {bits}")
    weight = weight.detach()
    top = 2 ** (bits - 1) - 1
    rows, columns = weight.shape
    size = group_size or max(columns, 1)
    groups = -(-columns // size) if group_size else 1
    padded = F.pad(weight, (0, groups * size - columns)).reshape(rows, groups, size)
    largest = padded.abs().amax(dim=-1)
    scales = largest / top
    scales = torch.where(scales == 0, torch.ones_like(scales), scales)
    codes = torch.round(padded / scales.unsqueeze(-1)).clamp(-top, top)
    return codes.reshape(rows, groups * size)[:, :columns].to(torch.int8), scales


def quantize_affine(weight: Tensor, bits: int = 8) -> tuple[Tensor, Tensor, Tensor]:
    if not 2 <= bits <= 8:
        raise ValueError(f"bits must be from 2 to 8, not {bits}")
    weight = weight.detach()
    c_min, c_max = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    low = weight.amin(dim=1, keepdim=True).clamp(max=0)
    high = weight.amax(dim=1, keepdim=True).clamp(min=0)
    scales = (high - low) / (c_max - c_min)
    scales = torch.where(scales == 0, torch.ones_like(scales), scales)
    zero_points = (c_min - torch.round(low / scales)).clamp(c_min, c_max)
    codes = (torch.round(weight / scales) + zero_points).clamp(c_min, c_max)
    return codes.to(torch.int8), scales, zero_points.to(torch.int8)


def int8_matmul(x_codes: Tensor, x_scales: Tensor, weight_codes: Tensor, weight_scales: Tensor) -> Tensor:
    # float64 holds every integer below 2^53, so this sum of integers below 2^31 is exact, and it is fast
    sums = x_codes.to(torch.float64) @ weight_codes.to(torch.float64).T
    scaled = sums * x_scales.detach().to(torch.float64) * weight_scales.detach().to(torch.float64).T
    return scaled.to(x_scales.dtype)


def stored_bytes(
    rows: int,
    columns: int,
    bits: int,
    group_size: int | None = None,
    affine: bool = False,
    scale_bytes: int = 4,
) -> int:
    codes = (rows * columns * bits + 7) // 8
    groups = rows * (1 if group_size is None else -(-columns // group_size))
    return codes + groups * (scale_bytes + (1 if affine else 0))
