"""Moments as numpy arrays in lists, schedules by interpolation, the ramp by its thresholds."""

import bisect
import itertools
import math

import numpy as np
import torch


def decay_groups(model, weight_decay):
    named = dict(model.named_parameters())
    matrices = {name for name, tensor in named.items() if tensor.ndim not in (0, 1)}
    first = {"params": [named[name] for name in named if name in matrices], "weight_decay": weight_decay}
    second = {"params": [named[name] for name in named if name not in matrices], "weight_decay": 0.0}
    return [first, second]


class AdamW:
    def __init__(self, groups, lr, betas=(0.9, 0.95), eps=1e-8):
        self.param_groups = [{"lr": lr, **group, "params": list(group["params"])} for group in groups]
        self.betas, self.eps = betas, eps
        self.state = {}

    def step(self, factor=1.0):
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                g = p.grad.numpy().astype(np.float64)
                t, m, v = self.state.get(p, (0, np.zeros_like(g), np.zeros_like(g)))
                t, m, v = t + 1, m + (1 - self.betas[0]) * (g - m), v + (1 - self.betas[1]) * (g * g - v)
                self.state[p] = (t, m, v)
                m, v = m / (1 - self.betas[0] ** t), v / (1 - self.betas[1] ** t)
                old = p.detach().numpy().astype(np.float64)
                rate = group["lr"] * factor
                new = old - rate * (m / (np.sqrt(v) + self.eps) + group["weight_decay"] * old)
                p.data.copy_(torch.from_numpy(np.asarray(new)))

    def parameters(self):
        return [parameter for group in self.param_groups for parameter in group["params"]]

    def zero_grad(self):
        for parameter in self.parameters():
            parameter.grad = None


class Schedule:
    def __init__(self, warmup_steps, total_steps, min_factor=0.0):
        self.warmup_steps, self.total_steps, self.min_factor = warmup_steps, total_steps, min_factor

    def _line(self, step, points):
        return float(np.interp(step, *zip(*points, strict=True)))

    def warm_up(self, step):
        return self._line(step, [(0, 0), (self.warmup_steps, 1)]) if self.warmup_steps else 1.0

    def cosine(self, step):
        if step < self.warmup_steps:
            return self.warm_up(step)
        progress = self._line(step, [(self.warmup_steps, 0), (self.total_steps, 1)])
        return self.min_factor + (1 - self.min_factor) * math.cos(math.pi * progress / 2) ** 2

    def wsd(self, step, decay_steps):
        if step < self.warmup_steps:
            return self.warm_up(step)
        return self._line(step, [(self.total_steps - decay_steps, 1), (self.total_steps, self.min_factor)])

    def multi_step(self, step):
        drops = (10 * step >= 8 * self.total_steps) + (10 * step >= 9 * self.total_steps)
        return self.warm_up(step) * 0.1 ** (drops / 2)


def batch_size_ramp(num_steps, start, increment, full, ramp_samples):
    sizes = list(range(start, full + 1, increment))
    if len(sizes) < 2 or sizes[-1] != full:
        raise ValueError(full)
    thresholds = [k * ramp_samples / (len(sizes) - 1) for k in range(1, len(sizes))]
    consumed, result = 0, []
    for _ in itertools.repeat(None, num_steps):
        result.append(sizes[bisect.bisect_right(thresholds, consumed)])
        consumed += result[-1]
    return result
