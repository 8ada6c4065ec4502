"""One value at a time: codes by a running comparison, bytes by shifts, and the closed form of the bits."""

from math import ceil, sqrt

import torch
from torch import nn


def quantile(p):
    return sqrt(2) * torch.erfinv(torch.tensor(2 * p - 1, dtype=torch.float64))


def normal_float_levels(bits=4):
    count = 1 << bits
    outer = (1 - 1 / (2 * count)) / 2 + (1 - 1 / (2 * (count - 1))) / 2
    levels = torch.zeros(count, dtype=torch.float64)
    for side, points in ((1, count // 2), (-1, count // 2 - 1)):
        for i in range(points):
            # The outermost goes to the end of the table.
            place = count - 1 - i if side > 0 else i
            levels[place] = side * quantile(outer - i * (outer - 0.5) / points)
    return (levels / levels[-1]).to(torch.float32)


class BlockCodec:
    def __init__(self, levels, block_size=64):
        self.levels, self.block_size = levels, block_size

    def encode(self, values):
        numbers = values.float().flatten().tolist()
        levels = self.levels.tolist()
        scales, codes = [], []
        for start in range(0, len(numbers), self.block_size):
            block = numbers[start : start + self.block_size]
            scales.append(max(max(block), -min(block)))
            for number in block:
                best = levels.index(0.0)
                for code, level in enumerate(levels):
                    if abs(number - level * scales[-1]) < abs(number - levels[best] * scales[-1]):
                        best = code
                codes.append(best)
        bytes_ = bytearray((len(codes) + 1) // 2)
        for i, code in enumerate(codes):
            bytes_[i // 2] |= code << (0 if i % 2 else 4)
        return torch.tensor(list(bytes_), dtype=torch.uint8), torch.tensor(scales)

    def decode(self, packed, scales, shape):
        size = torch.Size(shape).numel()
        out = torch.zeros(size)
        for i in range(size):
            byte = int(packed[i // 2])
            out[i] = self.levels[byte & 0b1111 if i % 2 else byte >> 4] * scales[i // self.block_size]
        return out.reshape(shape)


class ScaleCodec:
    def __init__(self, block_size=256):
        self.block_size = block_size

    def encode(self, scales):
        mean = scales.sum() / scales.numel()
        steps = torch.zeros(ceil(scales.numel() / self.block_size))
        codes = torch.zeros(scales.numel(), dtype=torch.int8)
        for i in range(len(steps)):
            place = slice(i * self.block_size, (i + 1) * self.block_size)
            apart = scales[place] - mean
            steps[i] = torch.linalg.vector_norm(apart, ord=float("inf")) / 127
            if steps[i]:
                codes[place] = torch.floor(apart / steps[i] + 0.5).to(torch.int8)
        return codes, steps, mean

    def decode(self, codes, steps, mean):
        return torch.stack([mean + code * steps[i // self.block_size] for i, code in enumerate(codes)])


class QLoRALinear(nn.Module):
    def __init__(self, base, r, alpha, block_size=64, scale_block_size=256):
        super().__init__()
        self.out_features, self.in_features = base.weight.shape
        self.block_size, self.scale_block_size = block_size, scale_block_size
        self.factor = alpha / r
        packed, scales = BlockCodec(normal_float_levels(4), block_size).encode(base.weight.data)
        parts = ScaleCodec(scale_block_size).encode(scales)
        self.packed = nn.Buffer(packed)
        self.scale_codes, self.scale_steps, self.scale_mean = (nn.Buffer(part) for part in parts)
        if base.bias is not None:
            self.bias = nn.Parameter(base.bias.data.clone()).requires_grad_(False)
        options = {"dtype": base.weight.dtype}
        self.lora_A = nn.Parameter(
            (2 * torch.rand(r, self.in_features, **options) - 1) / sqrt(self.in_features)
        )
        self.lora_B = nn.Parameter(torch.zeros(self.out_features, r, **options))

    def forward(self, x):
        scales = ScaleCodec(self.scale_block_size).decode(self.scale_codes, self.scale_steps, self.scale_mean)
        codec = BlockCodec(normal_float_levels(4), self.block_size)
        weight = codec.decode(self.packed, scales, (self.out_features, self.in_features)).to(x.dtype)
        # One product with the change added to the decoded weight, in full precision.
        out = torch.einsum("...i,oi->...o", x, weight + self.factor * self.lora_B @ self.lora_A)
        return out + self.bias if hasattr(self, "bias") else out

    def bits_per_weight(self):
        weights = self.out_features * self.in_features
        blocks = ceil(weights / self.block_size)
        bits = 8 * ceil(weights / 2) + 8 * blocks + 32 * ceil(blocks / self.scale_block_size) + 32
        return bits / weights
