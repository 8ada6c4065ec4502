import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def normal_float_levels(bits: int = 4) -> Tensor:
    n = 2**bits
    p = 1 - 0.5 * (1 / (2 * n) + 1 / (2 * (n - 1)))

    def side(count: int) -> Tensor:
        probabilities = torch.linspace(p, 0.5, count + 1, dtype=torch.float64)[:-1]
        return torch.special.ndtri(probabilities)

    zero = torch.zeros(1, dtype=torch.float64)
    levels = torch.cat([side(n // 2), zero, -side(n // 2 - 1)]).sort().values
    return (levels / levels.max()).float()


class BlockCodec:
    def __init__(self, levels: Tensor, block_size: int = 64) -> None:
        self.levels = levels
        self.block_size = block_size

    def encode(self, values: Tensor) -> tuple[Tensor, Tensor]:
        flat = values.detach().reshape(-1).float()
        levels = self.levels.to(flat.device)
        n = flat.numel()
        blocks = F.pad(flat, (0, -n % self.block_size)).reshape(-1, self.block_size)
        scales = blocks.abs().amax(dim=1)
        ratio = blocks / torch.where(scales > 0, scales, 1.0)[:, None]
        upper = torch.searchsorted(levels, ratio.contiguous()).clamp(1, len(levels) - 1)
        lower = upper - 1
        nearer_above = levels[upper] - ratio < ratio - levels[lower]
        codes = torch.where(nearer_above, upper, lower).reshape(-1)[:n]
        codes = F.pad(codes, (0, n % 2)).to(torch.uint8)
        return codes[0::2] * 16 + codes[1::2], scales

    def decode(self, packed: Tensor, scales: Tensor, shape: tuple[int, ...]) -> Tensor:
        n = math.prod(shape)
        codes = torch.stack([packed // 16, packed % 16], dim=-1).reshape(-1)[:n].long()
        per_value = scales.float().repeat_interleave(self.block_size)[:n]
        return (self.levels.to(packed.device)[codes] * per_value).reshape(shape)


class ScaleCodec:
    def __init__(self, block_size: int = 256) -> None:
        self.block_size = block_size

    def encode(self, scales: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        scales = scales.detach().float()
        n = scales.numel()
        mean = scales.mean()
        blocks = F.pad(scales - mean, (0, -n % self.block_size)).reshape(-1, self.block_size)
        steps = blocks.abs().amax(dim=1) / 127
        codes = (blocks / torch.where(steps > 0, steps, 1.0)[:, None]).round().clamp(-127, 127)
        codes = torch.where(steps[:, None] > 0, codes, 0.0)
        return codes.reshape(-1)[:n].to(torch.int8), steps, mean

    def decode(self, codes: Tensor, steps: Tensor, mean: Tensor) -> Tensor:
        per_scale = steps.float().repeat_interleave(self.block_size)[: codes.numel()]
        return codes.float() * per_scale + mean.float()


class QLoRALinear(nn.Module):
    def __init__(
        self, base: nn.Linear, r: int, alpha: float, block_size: int = 64, scale_block_size: int = 256
    ) -> None:
        super().__init__()
        weight = base.weight.detach()
        self.shape = tuple(weight.shape)
        self.scaling = alpha / r
        self.weight_codec = BlockCodec(normal_float_levels(), block_size)
        self.scale_codec = ScaleCodec(scale_block_size)
        packed, scales = self.weight_codec.encode(weight)
        codes, steps, mean = self.scale_codec.encode(scales)
        self.register_buffer("packed", packed)
        self.register_buffer("scale_codes", codes)
        self.register_buffer("scale_steps", steps)
        self.register_buffer("scale_mean", mean)
        self.register_buffer("bias", None if base.bias is None else base.bias.detach().clone())
        out_features, in_features = self.shape
        bound = 1 / math.sqrt(in_features)
        kind = {"dtype": weight.dtype, "device": weight.device}
        self.lora_A = nn.Parameter(torch.empty(r, in_features, **kind).uniform_(-bound, bound))
        self.lora_B = nn.Parameter(torch.zeros(out_features, r, **kind))

    def forward(self, x: Tensor) -> Tensor:
        scales = self.scale_codec.decode(self.scale_codes, self.scale_steps, self.scale_mean)
        weight = self.weight_codec.decode(self.packed, scales, self.shape).to(x.dtype)
        change = F.linear(F.linear(x, self.lora_A), self.lora_B)
        return F.linear(x, weight, self.bias) + self.scaling * change

    def bits_per_weight(self) -> float:
        stored = (self.packed, self.scale_codes, self.scale_steps, self.scale_mean)
        return 8 * sum(b.numel() * b.element_size() for b in stored) / math.prod(self.shape)
