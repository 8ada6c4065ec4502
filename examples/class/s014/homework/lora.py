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
        raise NotImplementedError("LoRALinear.__init__")

    def forward(self, x):
        raise NotImplementedError("LoRALinear.forward")

    def merge(self):
        raise NotImplementedError("LoRALinear.merge")

    def unmerge(self):
        raise NotImplementedError("LoRALinear.unmerge")


def inject_lora(model, targets, r, alpha, dropout=0.0):
    raise NotImplementedError("inject_lora")


def count_parameters(model):
    sizes = [(p.numel(), p.requires_grad) for p in model.parameters()]
    return sum(n for n, g in sizes if g), sum(n for n, _ in sizes)
