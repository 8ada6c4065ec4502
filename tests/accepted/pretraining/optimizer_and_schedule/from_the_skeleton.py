"""As solved from the skeleton alone."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn


def decay_groups(model: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    decayed, others = [], []
    for parameter in model.parameters():  # yields a shared tensor once
        (decayed if parameter.dim() >= 2 else others).append(parameter)
    return [
        {"params": decayed, "weight_decay": weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]


class AdamW:
    def __init__(
        self,
        groups: Sequence[dict[str, Any]],
        lr: float,
        betas: tuple[float, float] = (0.9, 0.95),
        eps: float = 1e-8,
    ) -> None:
        self.param_groups = [{"lr": lr, **group, "params": list(group["params"])} for group in groups]
        self.betas, self.eps = betas, eps
        self.state: dict[nn.Parameter, dict[str, Any]] = {}

    @torch.no_grad()
    def step(self, factor: float = 1.0) -> None:
        beta_1, beta_2 = self.betas
        for group in self.param_groups:
            rate = group["lr"] * factor
            for p in group["params"]:
                if p.grad is None:
                    continue
                if p not in self.state:
                    self.state[p] = {"t": 0, "m": torch.zeros_like(p), "v": torch.zeros_like(p)}
                kept = self.state[p]
                kept["t"] += 1
                kept["m"] = beta_1 * kept["m"] + (1 - beta_1) * p.grad
                kept["v"] = beta_2 * kept["v"] + (1 - beta_2) * p.grad**2
                m_hat = kept["m"] / (1 - beta_1 ** kept["t"])
                v_hat = kept["v"] / (1 - beta_2 ** kept["t"])
                p.sub_(rate * group["weight_decay"] * p)
                p.sub_(rate * m_hat / (v_hat.sqrt() + self.eps))

    def parameters(self) -> list[nn.Parameter]:
        return [parameter for group in self.param_groups for parameter in group["params"]]

    def zero_grad(self) -> None:
        for parameter in self.parameters():
            parameter.grad = None


@dataclass(frozen=True)
class Schedule:
    warmup_steps: int
    total_steps: int
    min_factor: float = 0.0

    def warm_up(self, step: int) -> float:
        if step >= self.warmup_steps:
            return 1.0
        return step / self.warmup_steps

    def cosine(self, step: int) -> float:
        if step < self.warmup_steps:
            return self.warm_up(step)
        progress = (step - self.warmup_steps) / (self.total_steps - self.warmup_steps)
        share = 0.5 * (1.0 + math.cos(math.pi * min(progress, 1.0)))
        return self.min_factor + (1.0 - self.min_factor) * share

    def wsd(self, step: int, decay_steps: int) -> float:
        if step < self.warmup_steps:
            return self.warm_up(step)
        if step >= self.total_steps:
            return self.min_factor
        steps_left = self.total_steps - step
        if steps_left >= decay_steps:
            return 1.0
        return self.min_factor + (1.0 - self.min_factor) * steps_left / decay_steps

    def multi_step(self, step: int) -> float:
        if step < self.warmup_steps:
            return self.warm_up(step)
        if 10 * step >= 9 * self.total_steps:
            return 0.1
        if 10 * step >= 8 * self.total_steps:
            return 10**-0.5
        return 1.0


def batch_size_ramp(num_steps: int, start: int, increment: int, full: int, ramp_samples: int) -> list[int]:
    growth = full - start
    if increment <= 0 or growth <= 0 or growth % increment != 0:
        raise ValueError("full - start must be a positive multiple of increment")
    increments = growth // increment
    sizes: list[int] = []
    consumed = 0
    for _ in range(num_steps):
        if consumed >= ramp_samples:
            size = full
        else:
            size = start + increment * (consumed * increments // ramp_samples)
        sizes.append(size)
        consumed += size
    return sizes
