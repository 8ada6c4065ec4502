"""What pretraining/optimizer_and_schedule defines, as it is given to capstones."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn


def decay_groups(model: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Sort all parameters of a model into what decays and what doesn't.

    Args:
        model: any module; frozen parameters are sorted, too.
        weight_decay: of the first group.

    Returns:
        Two groups, as `AdamW` takes them: first the parameters that decay, then the others. Each is
        {"params": list of parameters, "weight_decay": `weight_decay` or 0.0}.

    Source: nanoGPT, `configure_optimizers`.
    """
    decayed, others = [], []
    for parameter in model.parameters():  # gives a shared parameter once
        (decayed if parameter.dim() >= 2 else others).append(parameter)
    return [{"params": decayed, "weight_decay": weight_decay}, {"params": others, "weight_decay": 0.0}]


class AdamW:
    """Adam with decoupled weight decay.

    Args:
        groups: as `decay_groups` gives them; a group may have an "lr" of its own.
        lr: the rate of the groups that have none.
        betas: beta_1 and beta_2.
        eps: epsilon.

    Source: Loshchilov and Hutter 2019 (arXiv:1711.05101), algorithm 2; the decay is scaled by the rate, as in PyTorch.
    """

    def __init__(
        self,
        groups: Sequence[dict[str, Any]],
        lr: float,
        betas: tuple[float, float] = (0.9, 0.95),
        eps: float = 1e-8,
    ) -> None:
        """Given. `state` is yours: parameter -> what you keep between steps."""
        self.param_groups = [{"lr": lr, **group, "params": list(group["params"])} for group in groups]
        self.betas, self.eps = betas, eps
        self.state: dict[nn.Parameter, dict[str, Any]] = {}

    @torch.no_grad()
    def step(self, factor: float = 1.0) -> None:
        """Move every parameter that has a gradient.

        Args:
            factor: of every group's rate in this step, from a schedule.
        """
        beta1, beta2 = self.betas
        for group in self.param_groups:
            rate = group["lr"] * factor
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                state = self.state.setdefault(parameter, {"t": 0, "m": 0.0, "v": 0.0})
                state["t"] += 1
                state["m"] = beta1 * state["m"] + (1 - beta1) * parameter.grad
                state["v"] = beta2 * state["v"] + (1 - beta2) * parameter.grad.square()
                mean = state["m"] / (1 - beta1 ** state["t"])
                root = (state["v"] / (1 - beta2 ** state["t"])).sqrt()
                parameter -= rate * group["weight_decay"] * parameter
                parameter -= rate * mean / (root + self.eps)

    def parameters(self) -> list[nn.Parameter]:
        """Given: all parameters, group by group."""
        return [parameter for group in self.param_groups for parameter in group["params"]]

    def zero_grad(self) -> None:
        """Given: no parameter has a gradient."""
        for parameter in self.parameters():
            parameter.grad = None


@dataclass(frozen=True)
class Schedule:
    """Factors of the peak learning rate.

    Args:
        warmup_steps: steps of the warm-up.
        total_steps: steps of the training, the warm-up included; more than `warmup_steps`.
        min_factor: the last factor of `cosine` and `wsd`.
    """

    warmup_steps: int
    total_steps: int
    min_factor: float = 0.0

    def warm_up(self, step: int) -> float:
        """The factor of the warm-up alone: 1 from its end on."""
        return min(1.0, step / self.warmup_steps) if self.warmup_steps else 1.0

    def cosine(self, step: int) -> float:
        """Warm-up, then cosine. Source: Loshchilov and Hutter 2017 (arXiv:1608.03983), equation 5."""
        progress = (step - self.warmup_steps) / (self.total_steps - self.warmup_steps)
        wave = (1 + math.cos(math.pi * min(max(progress, 0.0), 1.0))) / 2
        return self.warm_up(step) * (self.min_factor + (1 - self.min_factor) * wave)

    def wsd(self, step: int, decay_steps: int) -> float:
        """Warm-up, 1, linear decay over the last `decay_steps`. Source: Hu et al. 2024 (arXiv:2404.06395), section 4."""
        left = min(max((self.total_steps - step) / decay_steps, 0.0), 1.0)
        return self.warm_up(step) * (self.min_factor + (1 - self.min_factor) * left)

    def multi_step(self, step: int) -> float:
        """Warm-up, then three levels. Source: DeepSeek-AI 2024 (arXiv:2401.02954), section 2.3."""
        progress = step / self.total_steps
        level = 0.1 if progress >= 0.9 else math.sqrt(0.1) if progress >= 0.8 else 1.0
        return self.warm_up(step) * level


def batch_size_ramp(num_steps: int, start: int, increment: int, full: int, ramp_samples: int) -> list[int]:
    """The batch size of each of the first steps of a training.

    Args:
        num_steps: steps.
        start: samples in the first batch.
        increment: what one increase adds.
        full: samples in a batch after the ramp.
        ramp_samples: R.

    Returns:
        `num_steps` batch sizes.

    Raises:
        ValueError: `full - start` is not a positive multiple of `increment`.

    Example: 6 steps, start 2, increment 2, full 6, ramp of 8 samples: 2, 2, 4, 6, 6, 6.

    Source: Megatron-LM, `--rampup-batch-size`.
    """
    if full <= start or (full - start) % increment:
        raise ValueError(f"from {start} to {full} is not a whole number of increments of {increment}")
    increases = (full - start) // increment
    sizes: list[int] = []
    consumed = 0
    for _ in range(num_steps):
        sizes.append(min(full, start + increment * (consumed * increases // ramp_samples)))
        consumed += sizes[-1]
    return sizes
