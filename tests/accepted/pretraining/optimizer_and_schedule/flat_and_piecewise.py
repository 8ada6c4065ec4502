"""Groups by walking through the modules, AdamW with in-place moments and folded corrections, schedules by cases."""

import math
from dataclasses import dataclass

import torch


def decay_groups(model, weight_decay):
    seen = {}
    for module in model.modules():
        for parameter in module.parameters(recurse=False):
            seen[id(parameter)] = parameter
    return [
        {"params": [p for p in seen.values() if len(p.shape) > 1], "weight_decay": weight_decay},
        {"params": [p for p in seen.values() if len(p.shape) < 2], "weight_decay": 0.0},
    ]


class AdamW:
    def __init__(self, groups, lr, betas=(0.9, 0.95), eps=1e-8):
        self.param_groups = [{"lr": lr, **group, "params": list(group["params"])} for group in groups]
        self.betas, self.eps = betas, eps
        self.state = {}

    @torch.no_grad()
    def step(self, factor=1.0):
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    self._move(p, group["lr"] * factor, group["weight_decay"])

    def _move(self, p, rate, weight_decay):
        if p not in self.state:
            self.state[p] = {"step": 0, "exp_avg": torch.zeros_like(p), "exp_avg_sq": torch.zeros_like(p)}
        state = self.state[p]
        state["step"] += 1
        beta1, beta2 = self.betas
        state["exp_avg"].lerp_(p.grad, 1 - beta1)
        state["exp_avg_sq"].mul_(beta2).addcmul_(p.grad, p.grad, value=1 - beta2)
        bias1, bias2 = 1 - beta1 ** state["step"], 1 - beta2 ** state["step"]
        denominator = (state["exp_avg_sq"].sqrt() / math.sqrt(bias2)).add_(self.eps)
        p.mul_(1 - rate * weight_decay)
        p.addcdiv_(state["exp_avg"], denominator, value=-rate / bias1)

    def parameters(self):
        return [parameter for group in self.param_groups for parameter in group["params"]]

    def zero_grad(self):
        for parameter in self.parameters():
            parameter.grad = None


@dataclass(frozen=True)
class Schedule:
    warmup_steps: int
    total_steps: int
    min_factor: float = 0.0

    def warm_up(self, step):
        if step < self.warmup_steps:
            return step / self.warmup_steps
        return 1.0

    def cosine(self, step):
        if step < self.warmup_steps:
            return step / self.warmup_steps
        if step >= self.total_steps:
            return self.min_factor
        angle = math.pi * (step - self.warmup_steps) / (self.total_steps - self.warmup_steps)
        return self.min_factor + 0.5 * (1 - self.min_factor) * (1 + math.cos(angle))

    def wsd(self, step, decay_steps):
        begin = self.total_steps - decay_steps
        if step < self.warmup_steps:
            return step / self.warmup_steps
        if step < begin:
            return 1.0
        if step >= self.total_steps:
            return self.min_factor
        return 1.0 - (1.0 - self.min_factor) * (step - begin) / decay_steps

    def multi_step(self, step):
        if step < self.warmup_steps:
            return step / self.warmup_steps
        if step < 0.8 * self.total_steps:
            return 1.0
        if step < 0.9 * self.total_steps:
            return 10**-0.5
        return 0.1


def batch_size_ramp(num_steps, start, increment, full, ramp_samples):
    increases, rest = divmod(full - start, increment)
    if increases <= 0 or rest:
        raise ValueError("the increments don't lead from start to full")
    sizes, consumed = [], 0
    while len(sizes) < num_steps:
        size = full
        if consumed < ramp_samples:
            size = start + int(consumed / (ramp_samples / increases)) * increment
        sizes.append(size)
        consumed += size
    return sizes
