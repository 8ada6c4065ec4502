"""Distances to all levels, numpy bytes, and a product that saves the codes for the backward pass and decodes them again."""

import statistics

import numpy as np
import torch
from torch import nn


def normal_float_levels(bits=4):
    inverse = statistics.NormalDist().inv_cdf
    n = 2**bits
    p = 1 - 0.5 * (1 / (2 * n) + 1 / (2 * (n - 1)))

    def side(count):
        return [inverse(p + (0.5 - p) * i / count) for i in range(count)]

    levels = sorted(side(n // 2) + [0.0] + [-q for q in side(n // 2 - 1)])
    return torch.tensor([level / max(levels) for level in levels])


class BlockCodec:
    def __init__(self, levels, block_size=64):
        self.levels, self.block_size = levels, block_size

    def encode(self, values):
        flat = values.detach().to(torch.float32).reshape(-1).numpy()
        levels = self.levels.numpy()
        starts = range(0, flat.size, self.block_size)
        scales = np.array([np.abs(flat[start : start + self.block_size]).max() for start in starts])
        safe = np.maximum(scales, np.finfo(np.float32).tiny)
        relative = flat / safe[np.arange(flat.size) // self.block_size]
        codes = np.abs(relative[:, None] - levels).argmin(axis=1)
        if flat.size % 2:
            codes = np.append(codes, 7)
        pairs = codes.reshape(-1, 2)
        packed = (16 * pairs[:, 0] + pairs[:, 1]).astype(np.uint8)
        return torch.from_numpy(packed), torch.from_numpy(scales.astype(np.float32))

    def decode(self, packed, scales, shape):
        codes = torch.empty(2 * len(packed), dtype=torch.long)
        codes[0::2] = torch.div(packed, 16, rounding_mode="floor")
        codes[1::2] = packed % 16
        out = torch.empty(shape).flatten()
        which = torch.arange(len(out)) // self.block_size
        return (self.levels.take(codes[: len(out)]) * scales[which]).view(shape)


class ScaleCodec:
    def __init__(self, block_size=256):
        self.block_size = block_size

    def encode(self, scales):
        mean = torch.mean(scales)
        codes, steps = [], []
        for block in torch.split(scales - mean, self.block_size):
            step = block.abs().max() / 127
            steps.append(step)
            codes.append(torch.round(block / step) if step > 0 else torch.zeros_like(block))
        return torch.cat(codes).to(torch.int8), torch.stack(steps), mean

    def decode(self, codes, steps, mean):
        blocks = codes.float().split(self.block_size)
        return torch.cat([block * step for block, step in zip(blocks, steps, strict=True)]) + mean


class FrozenProduct(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, layer):
        ctx.layer = layer
        return x @ layer.decoded(x.dtype).T

    @staticmethod
    def backward(ctx, upstream):
        return upstream @ ctx.layer.decoded(upstream.dtype), None


class QLoRALinear(nn.Module):
    def __init__(self, base, r, alpha, block_size=64, scale_block_size=256):
        super().__init__()
        self.r, self.alpha = r, alpha
        self.blocks, self.doubly = BlockCodec(normal_float_levels(), block_size), ScaleCodec(scale_block_size)
        packed, scales = self.blocks.encode(base.weight)
        codes, steps, mean = self.doubly.encode(scales)
        self.register_buffer("packed", packed)
        self.register_buffer("scale_codes", codes)
        self.register_buffer("scale_steps", steps)
        self.register_buffer("scale_mean", mean)
        self.register_buffer("bias", None if base.bias is None else base.bias.detach().clone())
        self.size = (base.out_features, base.in_features)
        down = nn.Linear(base.in_features, r, bias=False, dtype=base.weight.dtype)
        self.lora_A = nn.Parameter(down.weight.detach().clone())
        self.lora_B = nn.Parameter(torch.zeros(base.out_features, r, dtype=base.weight.dtype))

    def decoded(self, dtype):
        scales = self.doubly.decode(self.scale_codes, self.scale_steps, self.scale_mean)
        return self.blocks.decode(self.packed, scales, self.size).to(dtype)

    def forward(self, x):
        out = FrozenProduct.apply(x, self) + (self.alpha / self.r) * ((x @ self.lora_A.T) @ self.lora_B.T)
        return out if self.bias is None else out + self.bias

    def bits_per_weight(self):
        stored = (self.packed, self.scale_codes, self.scale_steps, self.scale_mean)
        total = sum(part.numel() * part.element_size() for part in stored)
        return total * 8 / (self.size[0] * self.size[1])
