import math

import torch
from torch import nn


def lora_delta(lora_A, lora_B, alpha):
    r = lora_A.size(0)
    if lora_B.size(1) != r:
        raise ValueError("ranks of A and B differ")
    return torch.matmul(lora_B, lora_A) * alpha / r


class LoRALinear(nn.Module):
    def __init__(self, base, r, alpha, dropout=0.0):
        super().__init__()
        if r < 1:
            raise ValueError("r must be positive")
        self.base = base
        for p in base.parameters():
            p.requires_grad = False
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
    def fits(name, target):
        return name == target or name.endswith("." + target)

    linears = [(n, m) for n, m in model.named_modules() if isinstance(m, nn.Linear)]
    for t in targets:
        if not any(fits(n, t) for n, _ in linears):
            raise ValueError(f"no linear layer called {t}")
    for p in model.parameters():
        p.requires_grad = False
    done = []
    for n, m in linears:
        if any(fits(n, t) for t in targets):
            *path, last = n.split(".")
            parent = model.get_submodule(".".join(path))
            setattr(parent, last, LoRALinear(m, r, alpha, dropout).train(m.training))
            done.append(n)
    return done


def count_parameters(model):
    sizes = [(p.numel(), p.requires_grad) for p in model.parameters()]
    return sum(n for n, g in sizes if g), sum(n for n, _ in sizes)
