"""Sums over rank-one terms in numpy, dropout from a Bernoulli mask, names matched by a regular expression."""

import re

import numpy as np
import torch
from torch import nn


def lora_delta(lora_A, lora_B, alpha):
    r = len(lora_A)
    if r != lora_B.shape[-1]:
        raise ValueError("A and B have different ranks")
    a, b = lora_A.detach().numpy(), lora_B.detach().numpy()
    total = sum(np.outer(b[:, i], a[i]) for i in range(r)) * alpha / r
    return torch.from_numpy(total.astype(a.dtype))


class LoRALinear(nn.Module):
    def __init__(self, base, r, alpha, dropout=0.0):
        super().__init__()
        if not r >= 1:
            raise ValueError(r)
        # A throw-away layer of the right shape has the initialisation that is asked for.
        like = {"dtype": base.weight.dtype, "device": base.weight.device}
        template = nn.Linear(base.in_features, r, bias=False, **like)
        self.lora_A = nn.Parameter(template.weight.detach().clone())
        self.lora_B = nn.Parameter(torch.zeros_like(base.weight[:, :1]).repeat(1, r))
        self.base = base
        self.base.weight.requires_grad_(False)
        if self.base.bias is not None:
            self.base.bias.requires_grad_(False)
        self.scale = torch.tensor(alpha / r).item()
        self.keep = 1.0 - dropout
        self.state = "apart"

    @property
    def merged(self):
        return self.state == "merged"

    def _thin(self, x):
        if not self.training or self.keep == 1.0:
            return x
        mask = torch.bernoulli(torch.full_like(x, self.keep)).bool()
        return torch.where(mask, x / max(self.keep, 1e-9), torch.zeros_like(x))

    def forward(self, x):
        result = self.base(x)
        if self.state == "apart":
            code = torch.einsum("...i,ri->...r", self._thin(x), self.lora_A)
            result = result + torch.einsum("...r,or->...o", code * self.scale, self.lora_B)
        return result

    @torch.no_grad()
    def _shift(self, sign):
        change = (self.lora_B.double() @ self.lora_A.double()) * self.scale
        self.base.weight.copy_(self.base.weight.double() + sign * change)

    def merge(self):
        if self.state == "apart":
            self._shift(+1)
            self.state = "merged"

    def unmerge(self):
        if self.state == "merged":
            self._shift(-1)
            self.state = "apart"


def inject_lora(model, targets, r, alpha, dropout=0.0):
    pattern = re.compile(r"(?:^|.*\.)(?:" + "|".join(map(re.escape, targets)) + r")$")
    linear = [name for name, module in model.named_modules() if isinstance(module, nn.Linear)]
    for target in targets:
        if not any(name == target or name.endswith("." + target) for name in linear):
            raise ValueError(f"no layer for {target!r}")
    chosen = [name for name in linear if pattern.match(name)]
    new = {name: LoRALinear(model.get_submodule(name), r, alpha, dropout) for name in chosen}
    for name, layer in new.items():
        layer.train(layer.base.training)
        model.set_submodule(name, layer)
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(name.rsplit(".", 1)[-1] in ("lora_A", "lora_B"))
    return chosen


def count_parameters(model):
    sizes = [(int(np.prod(p.shape, dtype=np.int64)), p.requires_grad) for p in model.parameters()]
    total = trainable = 0
    for size, trains in sizes:
        total += size
        if trains:
            trainable += size
    return trainable, total
