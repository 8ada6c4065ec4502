"""Keeps the old weight for unmerging, recurses over children to inject, counts by identity."""

import torch
import torch.nn as nn
import torch.nn.functional as F


def lora_delta(lora_A, lora_B, alpha):
    if lora_A.size(0) != lora_B.size(1):
        raise ValueError("ranks differ")
    return torch.einsum("or,ri->oi", lora_B, lora_A).mul(alpha / lora_A.size(0))


class LoRALinear(nn.Module):
    def __init__(self, base, r, alpha, dropout=0.0):
        super().__init__()
        if r <= 0:
            raise ValueError("rank")
        self.base = base
        for parameter in base.parameters():
            parameter.requires_grad = False
        bound = base.in_features**-0.5
        options = {"dtype": base.weight.dtype, "device": base.weight.device}
        self.register_parameter(
            "lora_A", nn.Parameter(torch.empty(r, base.in_features, **options).uniform_(-bound, bound))
        )
        self.register_parameter("lora_B", nn.Parameter(torch.zeros(base.out_features, r, **options)))
        self.r, self.alpha, self.p = r, alpha, dropout
        self._original = None

    @property
    def merged(self):
        return self._original is not None

    def forward(self, x):
        if self.merged:
            return self.base(x)
        code = F.linear(F.dropout(x, self.p, self.training), self.lora_A)
        return self.base(x) + F.linear(code, self.lora_B) * self.alpha / self.r

    def merge(self):
        if not self.merged:
            self._original = self.base.weight.detach().clone()
            self.base.weight.data.add_(lora_delta(self.lora_A.data, self.lora_B.data, self.alpha))

    def unmerge(self):
        if self.merged:
            self.base.weight.data.copy_(self._original)
            self._original = None


def _ends_with(parts, target):
    wanted = target.split(".")
    return parts[-len(wanted) :] == wanted


def _walk(module, path=()):
    for name, child in module.named_children():
        yield module, name, child, [*path, name]
        yield from _walk(child, [*path, name])


def inject_lora(model, targets, r, alpha, dropout=0.0):
    places = []
    for target in targets:
        here = [p for p in _walk(model) if type(p[2]) is nn.Linear and _ends_with(p[3], target)]
        if not here:
            raise ValueError(f"nothing is called {target}")
        places += here
    for parameter in model.parameters():
        parameter.requires_grad = False
    wanted = {id(place[2]) for place in places}
    names = [name for name, module in model.named_modules() if id(module) in wanted]
    done = set()
    for parent, name, child, _ in places:
        if id(child) not in done:
            done.add(id(child))
            parent._modules[name] = LoRALinear(child, r, alpha, dropout).train(child.training)
    return names


def count_parameters(model):
    seen = {}
    for module in model.modules():
        for parameter in module._parameters.values():
            if parameter is not None:
                seen[id(parameter)] = parameter
    trains = [p.numel() for p in seen.values() if p.requires_grad]
    return sum(trains), sum(p.numel() for p in seen.values())
