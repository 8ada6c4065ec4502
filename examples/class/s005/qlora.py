import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def normal_float_levels(bits: int = 4) -> Tensor:
    half = 2 ** (bits - 1)
    1 - (1 / (4 * half) + 1 / (4 * half - 2)) / 2

    def quantiles(count: int) -> Tensor:
        return torch.linspace(1, 0, count + 1)[:-1]

    positive = quantiles(half)
    levels = torch.cat([-quantiles(half - 1), torch.zeros(1), positive.flip(0)])
    return levels / positive[0]


class BlockCodec:
    def __init__(self, levels: Tensor, block_size: int = 64) -> None:
        self.levels = levels
        self.block_size = block_size

    def encode(self, values: Tensor) -> tuple[Tensor, Tensor]:
        flat = values.detach().float().flatten()
        blocks = F.pad(flat, (0, -len(flat) % self.block_size)).view(-1, self.block_size)
        scales = blocks.abs().amax(dim=1)
        relative = blocks / torch.where(scales == 0, 1.0, scales)[:, None]
        midpoints = (self.levels[1:] + self.levels[:-1]) / 2
        codes = torch.bucketize(relative.flatten()[: len(flat)], midpoints).to(torch.uint8)
        codes = F.pad(codes, (0, len(flat) % 2))
        return codes[0::2] << 4 | codes[1::2], scales

    def decode(self, packed: Tensor, scales: Tensor, shape: tuple[int, ...]) -> Tensor:
        count = math.prod(shape)
        codes = torch.stack([packed >> 4, packed & 15], dim=1).flatten()[:count]
        scale_of_each = scales.repeat_interleave(self.block_size)[:count]
        return (self.levels[codes.long()] * scale_of_each).reshape(shape)


class ScaleCodec:
    def __init__(self, block_size: int = 256) -> None:
        self.block_size = block_size

    def encode(self, scales: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        mean = scales.mean()
        centred = F.pad(scales - mean, (0, -len(scales) % self.block_size)).view(-1, self.block_size)
        steps = centred.abs().amax(dim=1) / 127
        codes = (centred / torch.where(steps == 0, 1.0, steps)[:, None]).round()
        return codes.flatten()[: len(scales)].to(torch.int8), steps, mean

    def decode(self, codes: Tensor, steps: Tensor, mean: Tensor) -> Tensor:
        return codes * steps.repeat_interleave(self.block_size)[: len(codes)] + mean


class QLoRALinear(nn.Module):
    def __init__(
        self, base: nn.Linear, r: int, alpha: float, block_size: int = 64, scale_block_size: int = 256
    ) -> None:
        super().__init__()
        self.shape = tuple(base.weight.shape)
        self.scaling = alpha / r
        self.weights = BlockCodec(normal_float_levels(4), block_size)
        self.scales = ScaleCodec(scale_block_size)
        packed, scales = self.weights.encode(base.weight)
        self.register_buffer("packed", packed)
        for name, part in zip(("codes", "steps", "mean"), self.scales.encode(scales), strict=True):
            self.register_buffer(f"scale_{name}", part)
        bias = None if base.bias is None else nn.Parameter(base.bias.clone(), requires_grad=False)
        self.register_parameter("bias", bias)
        self.lora_A = nn.Parameter(base.weight.new_empty(r, base.in_features))
        self.lora_B = nn.Parameter(base.weight.new_zeros(base.out_features, r))
        nn.init.uniform_(self.lora_A, -(base.in_features**-0.5), base.in_features**-0.5)

    def forward(self, x: Tensor) -> Tensor:
        scales = self.scales.decode(self.scale_codes, self.scale_steps, self.scale_mean)
        weight = self.weights.decode(self.packed, scales, self.shape).to(x.dtype)
        return F.linear(x, weight, self.bias) + self.scaling * (x @ self.lora_A.T @ self.lora_B.T)

    def bits_per_weight(self) -> float:
        return 8 * sum(buffer.nbytes for buffer in self.buffers()) / math.prod(self.shape)
        # END SOLUTION
