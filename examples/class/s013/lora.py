import math

import torch
from torch import nn


def lora_delta(lora_A, lora_B, alpha):
    if len(lora_A) != lora_B.shape[1]:
        raise ValueError("%d rows against %d columns" % (len(lora_A), lora_B.shape[1]))
    total = 0
    for a, b in zip(lora_A, lora_B.T):
        total = total + torch.outer(b, a)
    return alpha / len(lora_A) * total


class LoRALinear(nn.Module):
    def __init__(self, base, r, alpha, dropout=0.0):
        super().__init__()
        if r < 1:
            raise ValueError("r must be positive")
        self.base = base
        self.r, self.alpha = r, alpha
        w = base.weight
        self.lora_A = nn.Parameter(torch.zeros(r, w.shape[1], dtype=w.dtype, device=w.device))
        self.lora_B = nn.Parameter(torch.zeros(w.shape[0], r, dtype=w.dtype, device=w.device))
        nn.init.kaiming_uniform_(self.lora_A, a=math.sqrt(5))
        self.drop = nn.Dropout(dropout)
        self.merged = False

    def forward(self, x):
        if self.merged:
            return self.base(x)
        z = self.drop(x) @ self.lora_A.t()
        return self.base(x) + z @ self.lora_B.t() * (self.alpha / self.r)

    @torch.no_grad()
    def merge(self):
        if self.merged:
            return
        self.base.weight.add_(lora_delta(self.lora_A, self.lora_B, self.alpha))
        self.merged = True

    @torch.no_grad()
    def unmerge(self):
        if self.merged:
            self.base.weight.sub_(lora_delta(self.lora_A, self.lora_B, self.alpha))
            self.merged = False


def inject_lora(model, targets, r, alpha, dropout=0.0):
    wanted = [t.split(".") for t in targets]
    hits = {}
    missing = list(wanted)
    for name, module in model.named_modules():
        if not isinstance(module, nn.Linear):
            continue
        parts = name.split(".")
        for w in wanted:
            if parts[len(parts) - len(w) :] == w and len(w) <= len(parts):
                hits[name] = module
                if w in missing:
                    missing.remove(w)
    if missing:
        raise ValueError("not found: " + ", ".join(".".join(w) for w in missing))
    model.requires_grad_(False)
    for name in hits:
        model.set_submodule(name, LoRALinear(hits[name], r, alpha, dropout).train(hits[name].training))
    return list(hits)


def count_parameters(model):
    train = total = 0
    for p in set(model.parameters()):
        n = math.prod(p.shape)
        total += n
        train += n * p.requires_grad
    return train, total
